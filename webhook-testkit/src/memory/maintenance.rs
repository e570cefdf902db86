//! What operators may do.

use std::time::Duration;

use webhook_core::store_state::Transition;
use webhook_core::{
    DeliveryId, DeliveryStatus, EndpointId, Timestamp,
    store::{Cancelled, FailingEndpoint, Redeliver, Redelivered, Skipped, StoreStatus},
};

use super::{State, row::DeliveryRow};

impl State {
    pub(super) fn redeliver_all(
        &mut self,
        batch: &[Redeliver],
        now: Timestamp,
    ) -> Vec<Redelivered> {
        let answers: Vec<_> = batch.iter().map(|item| self.redeliver(*item, now)).collect();
        let done = batch.iter().zip(&answers).filter(|(_, it)| **it == Redelivered::Done);
        let mut done: Vec<_> = done.map(|(item, _)| item.delivery).collect();
        done.sort_by_key(|id| (self.deliveries.get(id).map(|row| row.state.created_at), *id));
        done.into_iter().for_each(|id| self.append_to_line(id));
        answers
    }

    fn redeliver(&mut self, item: Redeliver, now: Timestamp) -> Redelivered {
        let has_endpoint = self.endpoint(item.delivery.endpoint).is_some();
        let Some(row) = self.deliveries.get_mut(&item.delivery) else {
            return Redelivered::NotFound;
        };
        let Transition { result, change } = row.state.redelivered(item, has_endpoint, now);
        if let Some(change) = change {
            row.state = change.state;
        }
        result
    }

    pub(super) fn cancel(&mut self, id: DeliveryId, now: Timestamp) -> Cancelled {
        let Some(row) = self.deliveries.get_mut(&id) else { return Cancelled::NotFound };
        let Transition { result, change } = row.state.cancelled(now);
        if let Some(change) = change {
            row.state = change.state;
            self.unblock_line(id, change.next_due_at);
        }
        result
    }

    pub(super) fn skip(&mut self, id: DeliveryId, now: Timestamp) -> Skipped {
        let Some(row) = self.deliveries.get(&id) else { return Skipped::NotFound };
        if !self.blocks(id) {
            return Skipped::Unchanged(row.state.status);
        }
        self.leave_line(id, now);
        Skipped::Done
    }
}

/// How the store is doing.
impl State {
    pub(super) fn status(&self, now: Timestamp) -> StoreStatus {
        let left = self.backlog(now);
        let capped = |count: u64| count.min(StoreStatus::CAP);
        let mut status = StoreStatus::default();
        (status.unrouted, status.in_flight) = (capped(left.unrouted), capped(left.in_flight));
        (status.pending, status.waiting) = (capped(left.pending), capped(left.waiting));
        status.oldest_due = self.oldest_due(now);
        status.failing = self.failing();
        status.leases_lost = self.leases_lost;
        status
    }

    fn oldest_due(&self, now: Timestamp) -> Option<Duration> {
        let active = self.deliveries.iter().filter(|(id, _)| self.is_active(id.endpoint));
        let due = active.filter_map(|(id, row)| Some((*id, row.state.claimable_at()?)));
        let due = due.map(|(id, at)| self.due_or_cooled_at(id, at));
        due.filter(|at| *at <= now).map(|at| now.since(at)).max()
    }

    fn failing(&self) -> Vec<FailingEndpoint> {
        let active = self.present().filter(|endpoint| endpoint.state.is_active());
        let failing = active.filter_map(|endpoint| self.failing_at(endpoint.id));
        failing.take(StoreStatus::MAX_FAILING).collect()
    }

    /// The oldest pending delivery to this endpoint, if it was tried and has failed.
    fn failing_at(&self, endpoint: EndpointId) -> Option<FailingEndpoint> {
        let is_pending = |id: &DeliveryId, row: &DeliveryRow| {
            id.endpoint == endpoint
                && row.state.is_open()
                && row.state.status == DeliveryStatus::Pending
        };
        let pending = self.deliveries.iter().filter(|(id, row)| is_pending(id, row));
        let (id, row) = pending.min_by_key(|(id, row)| (row.state.created_at, **id))?;
        if row.state.attempts == row.state.budget_from {
            return None;
        }
        let (tenant, error) = (row.event.tenant.clone(), row.state.last_error.clone()?);
        Some(FailingEndpoint::new(*id, tenant, row.state.attempts, error, row.state.created_at))
    }
}
