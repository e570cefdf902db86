//! What those who look things up need of a store.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    model::{
        attempt::Attempt,
        delivery::{Delivery, DeliveryStatus},
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
///
/// Also takes the record of sending within a call ([`Publisher`](crate::Publisher)): such a
/// *tracked* delivery is written before its first attempt and never claimed by a dispatcher.
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

    /// Opens the record of a tracked delivery, as pending, with its event. Answers how many attempts
    /// an earlier call has recorded under the same id; a new record has 0. When the event's key is taken,
    /// it stays the first event's, and this one is stored without.
    ///
    /// # Errors
    ///
    /// [`Exists`](crate::StoreErrorKind::Exists) when a dispatcher has to do with this delivery, or
    /// had: what was published durably is not tracked as well.
    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError>;

    /// Records an attempt of a tracked delivery and what it has come to.
    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError>;
}
