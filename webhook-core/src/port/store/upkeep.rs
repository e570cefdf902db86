//! What operators need of a store: try again, call off.

use std::fmt;

use async_trait::async_trait;

use crate::{delivery::DeliveryStatus, id::DeliveryId, port::store::StoreError};

/// Lets operators act on deliveries.
///
/// # Contract
///
/// - **Final is a state, not a fate**: only [`redeliver`](Self::redeliver) takes a delivery out of it.
/// - **Each act is one transaction at most**, and answers per item, in the order it was asked.
/// - **Tracked deliveries are left alone**: whoever sends within a call has them.
#[async_trait]
pub trait Upkeep: fmt::Debug + Send + Sync + 'static {
    /// Makes final deliveries pending again, due at once, with a fresh budget of attempts; their
    /// numbers go on. The epoch is raised: a worker that still has an attempt of one in flight (it was
    /// cancelled meanwhile) has lost its lease.
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError>;

    /// Cancels deliveries that are not final. None of them is claimed from now on; an attempt in
    /// flight may end and is recorded, and changes nothing more.
    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError>;
}

/// A delivery to try again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Redeliver {
    /// Which one.
    pub delivery: DeliveryId,
    /// Only while it is in this final status: what was listed as failed may be delivered by now.
    pub only: Option<DeliveryStatus>,
}

impl Redeliver {
    /// A delivery in any final status.
    pub const fn new(delivery: DeliveryId) -> Self {
        Self { delivery, only: None }
    }

    /// Only while it is in this status.
    #[must_use]
    pub const fn only(mut self, status: DeliveryStatus) -> Self {
        self.only = Some(status);
        self
    }
}

/// What became of a delivery to try again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Redelivered {
    /// It is pending, and due now.
    Done,
    /// It is in this status, and stays there: not a final one, or not the one that was asked for.
    Unchanged(DeliveryStatus),
    /// Its endpoint was removed.
    EndpointGone,
    /// It is the record of sending within a call.
    Tracked,
    /// There is no such delivery, or its event is gone.
    NotFound,
}

/// What became of a delivery to cancel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cancelled {
    /// It is cancelled, and no attempt of it is in flight.
    Done,
    /// It is cancelled. An attempt was in flight: it may still arrive, and is recorded.
    InFlight,
    /// It is in this final status already.
    Unchanged(DeliveryStatus),
    /// It is the record of sending within a call.
    Tracked,
    /// There is no such delivery.
    NotFound,
}
