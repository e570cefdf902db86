use async_trait::async_trait;
use webhook_registry::{
    Cancelled, DeliveryId, DeliveryStatus, EndpointId, FailingEndpoint, Maintenance, Notice,
    NoticeId, Prune, Pruned, Redeliver, Redelivered, ReplayCandidate, ReplayPage, Replayed,
    Skipped, StoreError, StoreStatus, Timestamp, Trigger,
    store_state::{DeliveryState, Transition},
};

use super::{
    SmallStore,
    state::{Row, State, as_u64},
};

#[async_trait]
impl Maintenance for SmallStore {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(state.redeliver_all(&batch, now))
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(state.replay(&page, now))
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(batch.into_iter().map(|id| state.cancel(id, now)).collect())
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(batch.into_iter().map(|id| state.skip(id, now)).collect())
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        let now = self.now();
        Ok(self.state().status(now))
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        let cut = self.now().before(prune.older_than);
        Ok(self.state().prune(&prune, cut))
    }

    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        Ok(self.state().notices.values().take(limit).cloned().collect())
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.state().notices.retain(|(_, id), _| !ids.contains(id));
        Ok(())
    }
}

impl State {
    fn redeliver_all(&mut self, batch: &[Redeliver], now: Timestamp) -> Vec<Redelivered> {
        let answers: Vec<_> = batch.iter().map(|item| self.redeliver(*item, now)).collect();
        let done = batch.iter().zip(&answers).filter(|(_, it)| **it == Redelivered::Done);
        let mut done: Vec<_> = done.map(|(item, _)| item.delivery).collect();
        done.sort_by_key(|id| (self.deliveries.get(id).map(|row| row.state.created_at), *id));
        done.into_iter().for_each(|id| self.append_to_queue(id));
        answers
    }

    fn redeliver(&mut self, item: Redeliver, now: Timestamp) -> Redelivered {
        let has_endpoint = self.endpoints.contains_key(&item.delivery.endpoint);
        let Some(row) = self.deliveries.get_mut(&item.delivery) else {
            return Redelivered::NotFound;
        };
        let Transition { result, change } = row.state.redelivered(item, has_endpoint, now);
        row.state = change.map_or(row.state.clone(), |change| change.state);
        result
    }

    fn replay(&mut self, page: &ReplayPage, now: Timestamp) -> Replayed {
        let (replay, began_at) = (&page.replay, page.began_at.unwrap_or(now));
        if !self.endpoints.contains_key(&replay.endpoint) {
            return Replayed::gone(began_at);
        }
        let its = self.deliveries.iter().filter(|(id, _)| id.endpoint == replay.endpoint);
        let its = its.map(|(id, row)| ((row.state.created_at, id.event), candidate(row)));
        let mut rows: Vec<_> = its.filter(|(_, row)| row.status == page.cursor.status).collect();
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
        Replayed::new(began_at, as_u64(count), page.cursor.next(replay.include, last))
    }

    fn cancel(&mut self, id: DeliveryId, now: Timestamp) -> Cancelled {
        let Some(row) = self.deliveries.get_mut(&id) else { return Cancelled::NotFound };
        let Transition { result, change } = row.state.cancelled(now);
        if let Some(change) = change {
            row.state = change.state;
            self.move_up(id, change.next_due_at);
        }
        result
    }

    fn skip(&mut self, id: DeliveryId, now: Timestamp) -> Skipped {
        let Some(row) = self.deliveries.get(&id) else { return Skipped::NotFound };
        if !self.blocks(id) {
            return Skipped::Unchanged(row.state.status);
        }
        self.leave_queue(id, now);
        Skipped::Done
    }

    fn status(&self, now: Timestamp) -> StoreStatus {
        let left = self.backlog(now);
        let mut status = StoreStatus::default();
        (status.unrouted, status.in_flight) = (left.unrouted, left.in_flight);
        (status.pending, status.waiting) = (left.pending, left.waiting);
        let open = self.deliveries.iter().filter(|(id, _)| self.is_active(id.endpoint));
        let due = open.filter_map(|(id, row)| self.may_start_at(*id, row));
        status.oldest_due = due.filter(|at| *at <= now).map(|at| now.since(at)).max();
        let active = self.endpoints.values().filter(|endpoint| endpoint.state.is_active());
        status.failing = active.filter_map(|endpoint| self.failing(endpoint.id)).collect();
        status.leases_lost = self.leases_lost;
        status
    }

    /// The oldest pending delivery to this endpoint, if it was tried and has failed.
    fn failing(&self, endpoint: EndpointId) -> Option<FailingEndpoint> {
        let its = self.deliveries.iter().filter(|(id, _)| id.endpoint == endpoint);
        let is_pending =
            |row: &Row| row.state.is_open() && row.state.status == DeliveryStatus::Pending;
        let pending = its.filter(|(_, row)| is_pending(row));
        let (id, row) = pending.min_by_key(|(id, row)| (row.state.created_at, **id))?;
        let DeliveryState { attempts, budget_from, created_at, .. } = row.state;
        let error = row.state.last_error.clone().filter(|_| attempts > budget_from)?;
        Some(FailingEndpoint::new(*id, row.event.tenant.clone(), attempts, error, created_at))
    }
}

fn candidate(row: &Row) -> ReplayCandidate {
    let DeliveryState { status, created_at, finished_at, tracked, .. } = row.state;
    let event_type = row.event.event_type.clone();
    ReplayCandidate { status, event_type, created_at, finished_at, tracked }
}
