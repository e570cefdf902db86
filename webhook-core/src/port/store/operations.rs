//! Optional trait of a store: operations on stored deliveries.

use std::fmt;

use async_trait::async_trait;

use crate::{
    model::{delivery::DeliveryStatus, id::DeliveryId, trigger::Trigger},
    port::store::{
        error::StoreError,
        replay_page::{ReplayPage, Replayed},
    },
};

/// Operations on stored deliveries that operators use.
///
/// # Contract
///
/// - **Final states are left on request only.** [`redeliver`](Self::redeliver) and
///   [`replay`](Self::replay) are the only calls that make a final delivery pending again.
/// - **At most one transaction per call.** Results are per item, in the order of the batch.
/// - **Tracked deliveries are not redelivered, replayed or cancelled.** They belong to the call
///   that sends them.
#[async_trait]
pub trait DeliveryOperations: fmt::Debug + Send + Sync + 'static {
    /// Makes final deliveries pending and due immediately, with a new budget of attempts.
    ///
    /// [`Redeliver::cause`] is recorded as the trigger of that budget. Attempt numbers continue.
    /// The epoch is raised, so a worker whose attempt is still in flight (the delivery was
    /// cancelled during it) loses its lease.
    ///
    /// A delivery that blocks its order queue keeps its place. Any other delivery that belongs to
    /// an order queue is appended to it and becomes due when it is first. Deliveries of one batch
    /// are appended by creation time, then by id.
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError>;

    /// Redelivers one page of an endpoint's final deliveries and returns the next page's cursor.
    ///
    /// Reads up to [`ReplayPage::limit`] deliveries in the cursor's status, ordered by creation
    /// time, then by event id. Those that [`Replay::takes`](crate::Replay::takes) accepts are
    /// redelivered with the cause [`Replay`](crate::Trigger::Replay). A delivery that another
    /// transaction has locked must be waited for, not skipped.
    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError>;

    /// Cancels deliveries that are not final.
    ///
    /// A cancelled delivery is never claimed. An attempt that is already in flight is still
    /// recorded, and has no other effect.
    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError>;

    /// Unblocks the order queues that these failed deliveries block: the next delivery of each
    /// queue becomes due now. The skipped deliveries stay `failed`.
    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError>;
}

/// A delivery to redeliver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Redeliver {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Required final status. A delivery that was listed as failed may have succeeded since.
    pub only: Option<DeliveryStatus>,
    /// Trigger of its new budget of attempts.
    pub cause: Trigger,
}

impl Redeliver {
    /// Redelivers a delivery in any final status, triggered by a person.
    pub const fn new(delivery: DeliveryId) -> Self {
        Self { delivery, only: None, cause: Trigger::Manual }
    }

    /// Sets the trigger of its new budget of attempts.
    #[must_use]
    pub const fn with_cause(mut self, cause: Trigger) -> Self {
        self.cause = cause;
        self
    }

    /// Sets the required status.
    #[must_use]
    pub const fn with_status(mut self, status: DeliveryStatus) -> Self {
        self.only = Some(status);
        self
    }
}

/// Result of a redelivery.
///
/// Closed: a store returns each result, and each caller handles it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Redelivered {
    /// The delivery is pending, and due now.
    Done,
    /// The delivery keeps this status, which is not final or not the required one.
    Unchanged(DeliveryStatus),
    /// The endpoint was removed.
    EndpointGone,
    /// The delivery is tracked: a call sends it.
    Tracked,
    /// There is no such delivery, or its event was pruned.
    NotFound,
}

/// Result of a cancellation.
///
/// Closed: a store returns each result, and each caller handles it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cancelled {
    /// The delivery is cancelled, and no attempt is in flight.
    Done,
    /// The delivery is cancelled. An attempt in flight may still arrive, and is recorded.
    InFlight,
    /// The delivery had this final status before.
    Unchanged(DeliveryStatus),
    /// The delivery is tracked: a call sends it.
    Tracked,
    /// There is no such delivery.
    NotFound,
}

/// Result of a skip.
///
/// Closed: a store returns each result, and each caller handles it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Skipped {
    /// The next delivery of its order queue is due.
    Done,
    /// The delivery blocks no order queue. This is its status.
    Unchanged(DeliveryStatus),
    /// There is no such delivery.
    NotFound,
}
