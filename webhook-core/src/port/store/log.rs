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
    /// The event with this id.
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError>;

    /// The delivery with this id.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;

    /// Deliveries, newest first, a page at a time. For [types](DeliveryQuery::types) it looks through no
    /// more than [`MAX_LOOKED_AT`](DeliveryQuery::MAX_LOOKED_AT), and says where to go on.
    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError>;

    /// The attempts on record of a delivery, the first one first.
    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError>;

    /// How an endpoint does: its newest deliveries of those that came about no longer than `window`
    /// ago, up to [`MAX_DELIVERIES`](EndpointStats::MAX_DELIVERIES), and their attempts on record. An
    /// endpoint that nobody has heard of has none.
    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError>;

    /// The first delivery of the line in which this one stands: itself, when it is the first. Absent, when
    /// it stands in none: it was not ordered, or is over and blocks nobody.
    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;
}
