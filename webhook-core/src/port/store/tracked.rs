//! Optional trait of a store: records of deliveries that are sent within a call.

use std::fmt;

use async_trait::async_trait;

use crate::{
    model::{
        attempt::Attempt,
        delivery::{Delivery, DeliveryStatus},
        event::Event,
        id::DeliveryId,
    },
    port::store::error::StoreError,
};

/// Records of tracked deliveries: those that a [`Publisher`](crate::Publisher) sends within a call.
///
/// A tracked delivery is written before its first attempt. No dispatcher ever claims it.
#[async_trait]
pub trait TrackedDeliveries: fmt::Debug + Send + Sync + 'static {
    /// Opens the record of a tracked delivery, as pending, with its event. Returns the number of
    /// attempts that an earlier call has recorded under the same id; a new record has 0.
    ///
    /// If the event's key is taken, it stays with the first event, and this one is stored without.
    ///
    /// # Errors
    ///
    /// [`Exists`](crate::StoreErrorKind::Exists) if a dispatcher has sent the delivery or will send
    /// it: an event that was published durably is not tracked as well.
    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError>;

    /// Records an attempt of a tracked delivery, and the delivery's status after it.
    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError>;
}
