//! Store operations for operators: redeliver, replay, cancel, skip, status, notices, prune.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::{
    model::{
        delivery::DeliveryStatus,
        id::{DeliveryId, TenantId},
        notice::{Notice, NoticeId},
        time::Timestamp,
        trigger::Trigger,
    },
    port::store::{
        error::StoreError,
        prune::{Prune, Pruned},
        replay::{ReplayPage, Replayed},
    },
};

/// Lets operators act on deliveries.
///
/// # Contract
///
/// - **Final is a state, not a fate**: only [`redeliver`](Self::redeliver) takes a delivery out of
///   it.
/// - **Each act is one transaction at most**, and answers per item, in the order it was asked.
/// - **Tracked deliveries are left alone**: whoever sends within a call has them.
#[async_trait]
pub trait Maintenance: fmt::Debug + Send + Sync + 'static {
    /// Makes final deliveries pending again, due at once, with a fresh budget of attempts, begun by
    /// [`Redeliver::cause`]; their numbers go on. The epoch is raised: a worker that still has an
    /// attempt of one in flight (it was cancelled meanwhile) has lost its lease.
    ///
    /// One that blocks its line keeps its place. Any other whose event has an ordering key, and
    /// whose endpoint asks for order, goes to the end of its line and is due when its turn comes,
    /// those of one batch in the order in which they came about, and then of their ids.
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError>;

    /// Makes some of an endpoint's final deliveries due again, as [`redeliver`](Self::redeliver)
    /// does, for the cause [`Replay`](crate::Trigger::Replay); and says where to go on.
    ///
    /// Looks at up to [`ReplayPage::limit`] of those that are in the cursor's status, the oldest
    /// first and then by their events' ids, and takes those that
    /// [`Replay::takes`](crate::Replay::takes), whoever works on them meanwhile. None is passed
    /// over because somebody else holds it.
    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError>;

    /// Cancels deliveries that are not final.
    ///
    /// A cancelled delivery is never claimed. An attempt that is already in flight is still
    /// recorded, and has no other effect.
    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError>;

    /// Lets the lines go on that these failed deliveries block: the next of each is due now. They
    /// stay failed.
    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError>;

    /// Returns counts and the age of the backlog.
    ///
    /// It must be cheap enough to be called every minute, so no count exceeds [`StoreStatus::CAP`].
    async fn status(&self) -> Result<StoreStatus, StoreError>;

    /// The oldest notices that nobody has acknowledged, up to `limit`. They stay until they are:
    /// what is read twice has the same id.
    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError>;

    /// Marks notices as acknowledged; [`notices`](Self::notices) no longer returns them. Unknown
    /// ids are ignored.
    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError>;

    /// Removes some of what is over and old, and says where to go on: deliveries with their
    /// attempts, then events that have no deliveries left, then removed endpoints that have none,
    /// then notices that nobody has acknowledged. Each call is short and locks only what it
    /// removes; what somebody else works on is passed over.
    ///
    /// Only final deliveries that came about and were finished before the cut are removed, but for
    /// those that block a line, and only events that are routed and were stored before it. A key is
    /// remembered as long as its event.
    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError>;
}

/// How a store is doing. Numbers are counted up to [`CAP`](Self::CAP) and no further.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoreStatus {
    /// Events that no dispatcher has routed yet.
    pub unrouted: u64,
    /// Deliveries under a lease that holds.
    pub in_flight: u64,
    /// Deliveries pending for active endpoints.
    pub pending: u64,
    /// Deliveries pending for endpoints that are paused or disabled.
    pub waiting: u64,
    /// For how long the longest due delivery of an active endpoint has been due: how far the
    /// workers are behind. Absent when nothing is due. Deliveries of an endpoint that cools down
    /// are not due.
    pub oldest_due: Option<Duration>,
    /// The first [`MAX_FAILING`](Self::MAX_FAILING) active endpoints, by their ids, whose oldest
    /// pending delivery has been tried and has failed.
    pub failing: Vec<FailingEndpoint>,
    /// Writes that came after somebody else had claimed the delivery: each
    /// [`Finished::LeaseLost`](crate::Finished::LeaseLost) that this store ever answered. A few
    /// come with a worker that stalls; many mean leases that are too short.
    pub leases_lost: u64,
}

impl StoreStatus {
    /// Where counting stops.
    pub const CAP: u64 = 10_000;

    /// How many failing endpoints are told.
    pub const MAX_FAILING: usize = 100;
}

/// An active endpoint whose oldest pending delivery has been tried and has failed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FailingEndpoint {
    /// That delivery.
    pub delivery: DeliveryId,
    /// Whose it is.
    pub tenant: TenantId,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong last.
    pub last_error: String,
    /// When it came about.
    pub since: Timestamp,
}

impl FailingEndpoint {
    /// The endpoint of this delivery.
    pub const fn new(
        delivery: DeliveryId,
        tenant: TenantId,
        attempts: u32,
        last_error: String,
        since: Timestamp,
    ) -> Self {
        Self { delivery, tenant, attempts, last_error, since }
    }
}

/// A delivery to try again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Redeliver {
    /// Which one.
    pub delivery: DeliveryId,
    /// Only while it is in this final status: what was listed as failed may be delivered by now.
    pub only: Option<DeliveryStatus>,
    /// What begins its fresh budget of attempts.
    pub cause: Trigger,
}

impl Redeliver {
    /// A delivery in any final status, by hand.
    pub const fn new(delivery: DeliveryId) -> Self {
        Self { delivery, only: None, cause: Trigger::Manual }
    }

    /// Sets what begins its fresh budget of attempts.
    #[must_use]
    pub const fn with_cause(mut self, cause: Trigger) -> Self {
        self.cause = cause;
        self
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

/// What became of a delivery to skip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Skipped {
    /// Its line goes on without it.
    Done,
    /// It blocks no line, and is in this status.
    Unchanged(DeliveryStatus),
    /// There is no such delivery.
    NotFound,
}
