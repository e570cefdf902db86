use webhook_registry::{
    Cancelled, DeliveryId, DeliveryStatus, EndpointId, FailingEndpoint, Redeliver, Redelivered,
    ReplayPage, Replayed, Skipped, StoreStatus, Timestamp, Trigger,
};

use super::state::{Row, State};

impl State {
    pub(super) fn redeliver_all(
        &mut self,
        batch: &[Redeliver],
        now: Timestamp,
    ) -> Vec<Redelivered> {
        let answers: Vec<_> = batch.iter().map(|item| self.redeliver(*item, now)).collect();
        let done = batch.iter().zip(&answers).filter(|(_, it)| **it == Redelivered::Done);
        let mut done: Vec<_> = done.map(|(item, _)| item.delivery).collect();
        done.sort_by_key(|id| (self.deliveries.get(id).map(|row| row.delivery.created_at), *id));
        done.into_iter().for_each(|id| self.line_up(id));
        answers
    }

    fn redeliver(&mut self, item: Redeliver, now: Timestamp) -> Redelivered {
        let has_endpoint = self.endpoints.contains_key(&item.delivery.endpoint);
        let Some(row) = self.deliveries.get_mut(&item.delivery) else {
            return Redelivered::NotFound;
        };
        let status = row.delivery.status;
        match item.only {
            _ if row.tracked => Redelivered::Tracked,
            _ if !status.is_final() => Redelivered::Unchanged(status),
            Some(only) if only != status => Redelivered::Unchanged(status),
            _ if !has_endpoint => Redelivered::EndpointGone,
            _ => {
                // Whoever still has an attempt of it in flight comes too late.
                row.epoch = row.epoch.next();
                row.held = false;
                let delivery = &mut row.delivery;
                (delivery.budget_from, delivery.forgiven) = (delivery.attempts, 0);
                row.cause = item.cause;
                row.set(DeliveryStatus::Pending, Some(now), now);
                Redelivered::Done
            }
        }
    }

    pub(super) fn replay(&mut self, page: &ReplayPage, now: Timestamp) -> Replayed {
        let (replay, began_at) = (&page.replay, page.began_at.unwrap_or(now));
        if !self.endpoints.contains_key(&replay.endpoint) {
            return Replayed::gone(began_at);
        }
        let in_status = self.deliveries.values().filter(|row| {
            row.delivery.id.endpoint == replay.endpoint && row.delivery.status == page.cursor.status
        });
        let mut rows: Vec<_> = in_status.map(|row| (row.place(), row.candidate())).collect();
        rows.retain(|(place, row)| {
            page.cursor.after.is_none_or(|after| *place > after)
                && replay.since.is_none_or(|since| row.created_at >= since)
                && row.created_at < replay.end(began_at)
        });
        rows.sort_by_key(|(place, _)| *place);
        rows.truncate(page.limit);
        let last = rows.last().map(|(place, _)| *place).filter(|_| rows.len() == page.limit);
        let taken = rows.iter().filter(|(_, row)| replay.takes(row, began_at));
        let ids = taken.map(|((_, event), _)| DeliveryId::new(*event, replay.endpoint));
        let batch: Vec<_> = ids.map(|id| Redeliver::new(id).with_cause(Trigger::Replay)).collect();
        let count = if page.dry_run {
            batch.len()
        } else {
            let answers = self.redeliver_all(&batch, now);
            answers.iter().filter(|answer| **answer == Redelivered::Done).count()
        };
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Replayed::new(began_at, count, page.cursor.next(replay.include, last))
    }

    pub(super) fn cancel(&mut self, id: DeliveryId, now: Timestamp) -> Cancelled {
        let Some(row) = self.deliveries.get_mut(&id) else { return Cancelled::NotFound };
        let status = row.delivery.status;
        if row.tracked {
            return Cancelled::Tracked;
        }
        if status.is_final() {
            return Cancelled::Unchanged(status);
        }
        let in_flight = status == DeliveryStatus::InFlight;
        // The next one of its line waits for the end of its lease.
        let free_at = row.claim_at.filter(|_| in_flight).unwrap_or(now).max(now);
        row.set(DeliveryStatus::Cancelled, None, now);
        self.move_up(id, free_at);
        if in_flight { Cancelled::InFlight } else { Cancelled::Done }
    }

    pub(super) fn skip(&mut self, id: DeliveryId, now: Timestamp) -> Skipped {
        let Some(row) = self.deliveries.get(&id) else { return Skipped::NotFound };
        if !self.blocks(id) {
            return Skipped::Unchanged(row.delivery.status);
        }
        self.leave_line(id, now);
        Skipped::Done
    }

    pub(super) fn status(&self, now: Timestamp) -> StoreStatus {
        let left = self.backlog(now);
        let mut status = StoreStatus::default();
        (status.unrouted, status.in_flight) = (left.unrouted, left.in_flight);
        (status.pending, status.waiting) = (left.pending, left.waiting);
        let active = || self.endpoints.values().filter(|endpoint| endpoint.state.is_active());
        let is_active = |id| active().any(|endpoint| endpoint.id == id);
        let open = self.deliveries.values().filter(|row| is_active(row.delivery.id.endpoint));
        let due = open.filter_map(|row| self.may_start_at(row).filter(|at| *at <= now));
        status.oldest_due = due.map(|at| now.since(at)).max();
        status.failing = active().filter_map(|endpoint| self.failing(endpoint.id)).collect();
        status.leases_lost = self.leases_lost;
        status
    }

    /// The oldest pending delivery to this endpoint, if it was tried and has failed.
    fn failing(&self, endpoint: EndpointId) -> Option<FailingEndpoint> {
        let its = self.deliveries.values().filter(|row| row.delivery.id.endpoint == endpoint);
        let is_pending = |row: &&Row| row.delivery.status == DeliveryStatus::Pending;
        let pending = its.filter(|row| is_pending(row) && row.claim_at.is_some());
        let row = pending.min_by_key(|row| (row.delivery.created_at, row.delivery.id))?;
        let delivery = row.delivery.clone();
        let error = delivery.last_error.filter(|_| delivery.attempts > delivery.budget_from)?;
        let (tenant, attempts) = (delivery.tenant, delivery.attempts);
        Some(FailingEndpoint::new(delivery.id, tenant, attempts, error, delivery.created_at))
    }
}
