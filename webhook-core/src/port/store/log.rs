//! Optional trait of a store: the record of events, deliveries and attempts.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    model::{
        attempt::Attempt,
        delivery::Delivery,
        event::Event,
        id::{DeliveryId, EndpointId, EventId},
        stats::EndpointStats,
    },
    port::store::{
        error::StoreError,
        query::{DeliveryQuery, Page},
    },
};

/// The record of events, deliveries and attempts.
#[async_trait]
pub trait DeliveryLog: fmt::Debug + Send + Sync + 'static {
    /// Returns the event with this id.
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError>;

    /// Returns the delivery with this id.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;

    /// Returns a page of deliveries, newest first. A query for [types](DeliveryQuery::types) reads at
    /// most [`MAX_LOOKED_AT`](DeliveryQuery::MAX_LOOKED_AT) deliveries for one page.
    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError>;

    /// Returns the recorded attempts of a delivery, the first one first.
    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError>;

    /// Counts the deliveries of an endpoint that were created within `window`, the newest
    /// [`MAX_DELIVERIES`](EndpointStats::MAX_DELIVERIES) of them, and their recorded attempts. An
    /// unknown endpoint has none.
    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError>;

    /// Returns the first delivery of the order queue of this delivery, which may be itself. `None`
    /// if it is in no queue: it is not ordered, or is final and blocks no other.
    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;
}
