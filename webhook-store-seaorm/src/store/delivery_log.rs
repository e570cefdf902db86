//! The store's port for the log of events, deliveries and attempts.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryLog, DeliveryQuery, DeliveryStatus, EndpointId,
    EndpointStats, Event, EventId, Page, StoreError,
};

use super::SeaOrmStore;
use crate::work::{
    log::{
        ListAttempts, ReadDelivery, ReadEvent, ReadFirstInLine, listing::ListDeliveries,
        stats::CountStats,
    },
    tracked::{OpenTracked, RecordTracked},
};

#[async_trait]
impl DeliveryLog for SeaOrmStore {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.perform(ReadEvent(id)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.perform(ReadDelivery(id)).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.perform(ListDeliveries(query)).await
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.perform(ListAttempts(id)).await
    }

    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError> {
        self.perform(CountStats { endpoint, window }).await
    }

    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.perform(ReadFirstInLine(id)).await
    }

    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError> {
        self.perform(OpenTracked { event: event.clone(), delivery }).await
    }

    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError> {
        self.perform(RecordTracked { id, attempt, status }).await
    }
}
