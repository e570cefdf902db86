use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use webhook_registry::{
    Attempt, Cursor, Delivery, DeliveryId, DeliveryLog, DeliveryQuery, DeliveryStatus, EndpointId,
    EndpointStats, Event, EventId, Page, StoreError, StoreErrorKind, store_state::DeliveryState,
};

use super::{SmallStore, state::Row};

#[async_trait]
impl DeliveryLog for SmallStore {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        Ok(self.state().events.get(&id).cloned())
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        Ok(self.state().deliveries.get(&id).map(|row| row.to_delivery(id)))
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        let state = self.state();
        let all = state.deliveries.iter().map(|(id, row)| row.to_delivery(*id));
        let mut found: Vec<_> = all.filter(|delivery| matches(&query, delivery)).collect();
        found.sort_by_key(|delivery| std::cmp::Reverse(Cursor::after(delivery)));
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = found.last().filter(|_| more).map(Cursor::after);
        Ok(Page::new(found, next))
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        let state = self.state();
        let row = state.deliveries.get(&id);
        Ok(row.into_iter().flat_map(|row| row.attempts.values().cloned()).collect())
    }

    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError> {
        let since = self.now().before(window);
        let state = self.state();
        let its = state.deliveries.iter().filter(|(id, _)| id.endpoint == endpoint);
        let mut rows: Vec<_> = its.filter(|(_, row)| row.state.created_at >= since).collect();
        rows.sort_by_key(|(id, row)| std::cmp::Reverse((row.state.created_at, **id)));
        rows.truncate(EndpointStats::MAX_DELIVERIES);
        let attempts = rows.iter().flat_map(|(_, row)| row.attempts.values());
        let kind = |attempt: &Attempt| attempt.failure.as_ref().map(|failure| failure.kind);
        Ok(EndpointStats::new(window)
            .with_deliveries(rows.iter().map(|(_, row)| (row.state.status, 1)))
            .with_attempts(attempts.map(|attempt| (kind(attempt), attempt.duration, 1))))
    }

    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let state = self.state();
        let first = state.first_in_line(id);
        Ok(first.and_then(|id| Some(state.deliveries.get(&id)?.to_delivery(id))))
    }

    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        if state.deliveries.get(&delivery.id).is_some_and(|row| !row.state.tracked) {
            return Err(StoreError::new(StoreErrorKind::Exists));
        }
        state.stored_at.entry(event.id).or_insert(now);
        let has_key = |held: &Arc<Event>| held.tenant == event.tenant && held.key == event.key;
        let taken = event.key.is_some() && state.events.values().any(has_key);
        let key = event.key.clone().filter(|_| !taken);
        let stored = || Arc::new(event.clone().with_key(key));
        state.events.entry(event.id).or_insert_with(stored);
        let row = state.deliveries.entry(delivery.id).or_insert_with(|| {
            let tracked = DeliveryState::tracked(delivery.created_at);
            Row::new(tracked, Arc::new(event.clone()), delivery.url)
        });
        row.state = row.state.reopened();
        Ok(row.state.attempts)
    }

    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let tracked = state.deliveries.get_mut(&id).filter(|row| row.state.tracked);
        let row = tracked.ok_or_else(|| StoreError::new(StoreErrorKind::Other))?;
        row.state = row.state.recorded(&attempt, status, now);
        row.attempts.entry(attempt.number).or_insert(attempt);
        Ok(())
    }
}

fn matches(query: &DeliveryQuery, delivery: &Delivery) -> bool {
    query.tenant.as_ref().is_none_or(|tenant| delivery.tenant == *tenant)
        && query.event.is_none_or(|event| delivery.id.event == event)
        && query.endpoint.is_none_or(|endpoint| delivery.id.endpoint == endpoint)
        && query.status.is_none_or(|status| delivery.status == status)
        && query.wants(&delivery.event_type)
        && query.since.is_none_or(|since| delivery.created_at >= since)
        && query.until.is_none_or(|until| delivery.created_at < until)
        && query.cursor.is_none_or(|cursor| Cursor::after(delivery) < cursor)
}
