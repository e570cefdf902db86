//! The log, an optional trait: with it the suite sees what was stored.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use webhook_registry::{
    Attempt, Delivery, DeliveryId, EndpointId, EndpointStats, Event, EventId, StoreError,
    store::{DeliveryLog, DeliveryQuery, Page},
};

use super::SmallStore;

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
        Ok(query.page_of(state.deliveries.iter().map(|(id, row)| row.to_delivery(*id))))
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
        let (state, since) = (self.state(), self.now().before(window));
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

    /// The store keeps no order: no delivery stands in a queue.
    async fn first_in_line(&self, _: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        Ok(None)
    }
}
