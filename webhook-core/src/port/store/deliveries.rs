//! What the engine needs of a store: take in, hand out under a lease, write down.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    attempt::Attempt,
    decide::Progress,
    endpoint::DisabledReason,
    event::{Event, EventType},
    id::{DeliveryId, EndpointId, EventId, LeaseEpoch, Revision, TenantId, TenantVersion},
    port::store::StoreError,
    time::Timestamp,
};

/// Keeps events and their deliveries, and hands work out under leases.
///
/// # Contract
///
/// - **All or nothing, per item**: an event and its deliveries, or an attempt and its delivery's new
///   state, are committed together before the call returns.
/// - **At most one lease of a delivery holds at a time.** Each claim raises the epoch; a write that
///   names an older epoch changes nothing and answers [`Finished::LeaseLost`].
/// - **Dropping a call** loses the answer, never half of the work.
/// - **Every call answers in bounded time**, if need be with an error: a dispatcher waits for it.
#[async_trait]
pub trait DeliveryStore: fmt::Debug + Send + Sync + 'static {
    /// Stores events, each with its deliveries. Answers in the order of `batch`.
    ///
    /// An event whose [`FanOut::version`] is not the tenant's present one is stored unrouted
    /// instead. An event whose id or key is taken is not stored again: it is the same one when
    /// tenant, type and body are the same. Ids are unique among all tenants, keys within one.
    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError>;

    /// Takes up to `limit` unrouted events for `lease`: another worker gets them only after it.
    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError>;

    /// Writes down where unrouted events go. Answers in the order of `batch`.
    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError>;

    /// Takes deliveries that are due, and those whose lease ran out. Each claim counts an attempt
    /// and raises the epoch, committed before this returns.
    ///
    /// Walks the active endpoints that have due work round robin, from [`ClaimDue::resume_at`] on,
    /// and takes the longest due first of each.
    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError>;

    /// Writes down attempts and what follows from them. Answers in the order of `batch`.
    ///
    /// A lease that has ended, but that nobody has taken over, still holds. The attempts of a delivery
    /// that was cancelled meanwhile are recorded; it stays cancelled. Said again under the same epoch
    /// (the first answer may have been lost), it is [`Finished::Recorded`] and changes nothing.
    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError>;

    /// Gives back claims that were not started: due at once, their attempt not counted, and the time
    /// of the claim before restored. Answers in the order of `batch`.
    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError>;

    /// What is left to do.
    async fn backlog(&self) -> Result<Backlog, StoreError>;
}

/// An event to store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Enqueue {
    /// The event.
    pub event: Event,
    /// Where it goes; absent for an event that a dispatcher shall route later.
    pub fan_out: Option<FanOut>,
}

impl Enqueue {
    /// An event and where it goes.
    pub const fn routed(event: Event, fan_out: FanOut) -> Self {
        Self { event, fan_out: Some(fan_out) }
    }

    /// An event for a dispatcher to route.
    pub const fn unrouted(event: Event) -> Self {
        Self { event, fan_out: None }
    }
}

/// Where an event goes, by a snapshot of the tenant's endpoints.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FanOut {
    /// The version of that snapshot.
    pub version: TenantVersion,
    /// The deliveries to create.
    pub deliveries: Vec<NewDelivery>,
}

impl FanOut {
    /// Deliveries to these endpoints, all pending and due at once.
    pub fn pending(
        version: TenantVersion,
        endpoints: impl IntoIterator<Item = EndpointId>,
    ) -> Self {
        let deliveries =
            endpoints.into_iter().map(|endpoint| NewDelivery { endpoint, lease: None }).collect();
        Self { version, deliveries }
    }
}

/// A delivery to create.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NewDelivery {
    /// To which endpoint.
    pub endpoint: EndpointId,
    /// Absent: pending, and due at once. Present: already claimed by the caller for this long, with
    /// attempt 1 under epoch 1.
    pub lease: Option<Duration>,
}

impl NewDelivery {
    /// A delivery that the caller has claimed already.
    pub const fn leased(endpoint: EndpointId, lease: Duration) -> Self {
        Self { endpoint, lease: Some(lease) }
    }
}

/// What became of an event to store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Enqueued {
    /// Stored, with this many deliveries.
    Routed(usize),
    /// Stored; a dispatcher routes it later.
    Later,
    /// Not stored: this event has the same id or key, tenant, type and body. It is the same one.
    Duplicate(EventId),
    /// Not stored: this event has the same id or key, and another tenant, type or body.
    Conflict(EventId),
}

/// Unrouted events, claimed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClaimedUnrouted {
    /// The events.
    pub events: Vec<UnroutedEvent>,
    /// How long until the lease of another's unrouted event runs out, if there is one.
    pub next_due: Option<Duration>,
}

impl ClaimedUnrouted {
    /// These events, and when to look again.
    pub const fn new(events: Vec<UnroutedEvent>, next_due: Option<Duration>) -> Self {
        Self { events, next_due }
    }
}

/// What routing needs to know of an event.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UnroutedEvent {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its type.
    pub event_type: EventType,
}

impl UnroutedEvent {
    /// An unrouted event.
    pub const fn new(id: EventId, tenant: TenantId, event_type: EventType) -> Self {
        Self { id, tenant, event_type }
    }
}

/// Where an unrouted event goes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Route {
    /// The event.
    pub event: EventId,
    /// The version of the snapshot it was routed by.
    pub version: TenantVersion,
    /// The endpoints; none, when nobody wants it.
    pub endpoints: Vec<EndpointId>,
}

impl Route {
    /// `event` goes to `endpoints`, by the tenant's `version`.
    pub const fn new(event: EventId, version: TenantVersion, endpoints: Vec<EndpointId>) -> Self {
        Self { event, version, endpoints }
    }
}

/// What became of a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Routed {
    /// Its deliveries are stored.
    Done,
    /// The tenant's endpoints were edited meanwhile: route again, by a new snapshot.
    Stale,
    /// It was routed already, or there is no such event.
    NotUnrouted,
}

/// A request for work.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClaimDue {
    /// At most this many.
    pub limit: usize,
    /// For how long.
    pub lease: Duration,
    /// Attempts this process has in flight, by endpoint. A store gives out at most
    /// [`Endpoint::max_in_flight`](crate::Endpoint::max_in_flight) less these.
    pub in_flight: BTreeMap<EndpointId, u32>,
    /// The endpoint to begin with; the first one, when absent.
    pub resume_at: Option<EndpointId>,
}

impl ClaimDue {
    /// A request by a process that has nothing in flight.
    pub const fn new(limit: usize, lease: Duration) -> Self {
        Self { limit, lease, in_flight: BTreeMap::new(), resume_at: None }
    }

    /// Sets what the process has in flight.
    #[must_use]
    pub fn in_flight(mut self, in_flight: BTreeMap<EndpointId, u32>) -> Self {
        self.in_flight = in_flight;
        self
    }

    /// Sets the endpoint to begin with.
    #[must_use]
    pub const fn resume_at(mut self, endpoint: Option<EndpointId>) -> Self {
        self.resume_at = endpoint;
        self
    }
}

/// Work, claimed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Claimed {
    /// The claims.
    pub claims: Vec<Claim>,
    /// Where the next claim should begin.
    pub resume_at: Option<EndpointId>,
    /// How long until the earliest work left of an active endpoint is due, or its lease runs out.
    /// Zero when something due was left behind; absent when nothing is left. Endpoints that have no
    /// free slot after this claim do not count: the caller knows when they have one again.
    pub next_due: Option<Duration>,
}

impl Claimed {
    /// These claims, where to go on, and when.
    pub const fn new(
        claims: Vec<Claim>,
        resume_at: Option<EndpointId>,
        next_due: Option<Duration>,
    ) -> Self {
        Self { claims, resume_at, next_due }
    }
}

/// The right to make one attempt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Claim {
    /// What every later write has to name.
    pub lease: Lease,
    /// What to send.
    pub event: Arc<Event>,
    /// The endpoint's revision at the claim: an older copy of it must be loaded anew.
    pub endpoint_revision: Revision,
    /// The number of this attempt, and how far the delivery is through its policy.
    pub progress: Progress,
    /// Attempts on record. Those between this number and the present one were lost with their
    /// workers: whoever finishes this claim records them as unknown, so that numbers have no gaps.
    pub recorded: u32,
    /// When the attempt before this one was claimed, by the store's clock, if there was one.
    pub previous_claim_at: Option<Timestamp>,
}

impl Claim {
    /// A claim of a first attempt.
    pub const fn new(lease: Lease, event: Arc<Event>, endpoint_revision: Revision) -> Self {
        let progress = Progress::of_attempt(1);
        Self { lease, event, endpoint_revision, progress, recorded: 0, previous_claim_at: None }
    }

    /// Sets how far the delivery is.
    #[must_use]
    pub const fn with_progress(mut self, progress: Progress, recorded: u32) -> Self {
        self.progress = progress;
        self.recorded = recorded;
        self
    }

    /// Sets when the attempt before was claimed.
    #[must_use]
    pub const fn with_previous_claim_at(mut self, at: Option<Timestamp>) -> Self {
        self.previous_claim_at = at;
        self
    }
}

/// A delivery, and the epoch it was claimed under.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Lease {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The epoch.
    pub epoch: LeaseEpoch,
}

/// What follows from an attempt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finish {
    /// Under which lease.
    pub lease: Lease,
    /// Attempts to record: lost ones first, then this one, if it was made.
    pub attempts: Vec<Attempt>,
    /// Attempts of the delivery from now on. One less than claimed, when this one was not made.
    pub attempts_made: u32,
    /// Attempts that do not count against the policy.
    pub forgiven: u32,
    /// What becomes of the delivery.
    pub settle: Settle,
    /// Disables the endpoint as well, for this reason.
    pub disable_endpoint: Option<DisabledReason>,
}

impl Finish {
    /// Under `lease`, after `attempts_made` attempts, the delivery becomes `settle`.
    pub const fn new(
        lease: Lease,
        attempts: Vec<Attempt>,
        attempts_made: u32,
        settle: Settle,
    ) -> Self {
        Self { lease, attempts, attempts_made, forgiven: 0, settle, disable_endpoint: None }
    }

    /// Sets how many attempts do not count.
    #[must_use]
    pub const fn with_forgiven(mut self, forgiven: u32) -> Self {
        self.forgiven = forgiven;
        self
    }

    /// Disables the endpoint as well.
    #[must_use]
    pub const fn disabling(mut self, reason: Option<DisabledReason>) -> Self {
        self.disable_endpoint = reason;
        self
    }
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settle {
    /// Delivered.
    Success,
    /// Pending, and due after this wait, by the store's clock.
    Retry(Duration),
    /// Given up.
    Failed,
}

/// What became of a write under a lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finished {
    /// It is written.
    Recorded,
    /// Somebody else has claimed the delivery since; nothing is written.
    LeaseLost,
}

/// What is left to do. Numbers are counted up to [`CAP`](Self::CAP) and no further.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Backlog {
    /// Events that no dispatcher has routed yet.
    pub unrouted: u64,
    /// Deliveries under a lease that holds, anybody's. Those whose lease has ended are pending, or
    /// waiting, and due.
    pub in_flight: u64,
    /// Deliveries pending for active endpoints.
    pub pending: u64,
    /// Deliveries pending for endpoints that are paused or disabled.
    pub waiting: u64,
    /// How long until the earliest pending one of an active endpoint is due.
    pub next_due: Option<Duration>,
}

impl Backlog {
    /// Where counting stops.
    pub const CAP: u64 = 100_000;

    /// These numbers.
    pub const fn new(
        unrouted: u64,
        in_flight: u64,
        pending: u64,
        waiting: u64,
        next_due: Option<Duration>,
    ) -> Self {
        Self { unrouted, in_flight, pending, waiting, next_due }
    }
}
