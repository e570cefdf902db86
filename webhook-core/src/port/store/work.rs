//! Work under a lease: claim, finish, release, and what is left.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::model::{
    attempt::Attempt,
    delivery::{Lease, Progress},
    endpoint_state::DisabledReason,
    event::Event,
    health::{HealthPolicy, HealthSignal},
    id::{EndpointId, Revision, TenantId},
    notice::NoticeKind,
    time::Timestamp,
    trigger::Trigger,
    worker::WorkerName,
};

/// A request for work.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClaimDue {
    /// Maximum number of claims.
    pub limit: usize,
    /// Maximum size of the claimed events' bodies in total, in bytes. One delivery may exceed it.
    pub max_bytes: usize,
    /// For how long.
    pub lease: Duration,
    /// Attempts this process has in flight, by endpoint. A store gives out at most
    /// [`Endpoint::max_in_flight`](crate::Endpoint::max_in_flight) less these.
    pub in_flight: BTreeMap<EndpointId, u32>,
    /// Limits of tenants.
    pub tenants: TenantLimits,
    /// Place at which the claim begins: the [`cursor`](Claimed::cursor) of the claim before.
    pub cursor: Option<ClaimCursor>,
    /// Who asks, for the record of what is claimed.
    pub worker: Option<WorkerName>,
}

impl ClaimDue {
    /// A request by a process that has nothing in flight.
    pub const fn new(limit: usize, lease: Duration) -> Self {
        Self {
            limit,
            lease,
            max_bytes: usize::MAX,
            in_flight: BTreeMap::new(),
            tenants: TenantLimits::NONE,
            cursor: None,
            worker: None,
        }
    }

    /// Sets what the process has in flight.
    #[must_use]
    pub fn in_flight(mut self, in_flight: BTreeMap<EndpointId, u32>) -> Self {
        self.in_flight = in_flight;
        self
    }

    /// Sets the maximum size of the claimed events' bodies in total, in bytes.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the limits of tenants.
    #[must_use]
    pub const fn tenants(mut self, limits: TenantLimits) -> Self {
        self.tenants = limits;
        self
    }

    /// Sets who asks.
    #[must_use]
    pub fn worker(mut self, worker: Option<WorkerName>) -> Self {
        self.worker = worker;
        self
    }

    /// Sets the place at which the claim begins.
    #[must_use]
    pub fn cursor(mut self, cursor: Option<ClaimCursor>) -> Self {
        self.cursor = cursor;
        self
    }
}

/// Limits of tenants in a claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TenantLimits {
    /// Maximum number of attempts that a tenant may have in flight, in the process of the caller,
    /// while another tenant has due work that could be claimed.
    pub max_in_flight: u32,
}

impl TenantLimits {
    /// No limit.
    pub const NONE: Self = Self { max_in_flight: u32::MAX };

    /// Creates limits by the maximum number of attempts in flight of each tenant.
    pub const fn new(max_in_flight: u32) -> Self {
        Self { max_in_flight }
    }
}

/// Place at which a claim goes on. Only the store that returned it can read it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClaimCursor(Vec<u8>);

impl ClaimCursor {
    /// Creates a cursor from bytes of the store.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Bytes of the store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Work, claimed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Claimed {
    /// The claims.
    pub claims: Vec<Claim>,
    /// Place at which the next claim should begin.
    pub cursor: Option<ClaimCursor>,
    /// How long until the earliest work left of an active endpoint is due, or its lease runs out.
    /// Zero when something due was left behind; absent when nothing is left. Endpoints that have no
    /// free slot after this claim do not count: the caller knows when they have one again. Those
    /// that cool down, or have used up their rate, count from when that has ended.
    pub next_due: Option<Duration>,
}

impl Claimed {
    /// Creates a result from these claims, the next place, and the next due time.
    pub const fn new(
        claims: Vec<Claim>,
        cursor: Option<ClaimCursor>,
        next_due: Option<Duration>,
    ) -> Self {
        Self { claims, cursor, next_due }
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
    /// What began the delivery's present budget of attempts.
    pub cause: Trigger,
    /// Attempts on record. Those between this number and the present one were lost with their
    /// workers: whoever finishes this claim records them as unknown, so that numbers have no gaps.
    pub recorded: u32,
    /// When the attempt before this one was claimed, by the store's clock, if there was one.
    pub previous_claim_at: Option<Timestamp>,
    /// True if the endpoint was not [healthy](crate::Health::is_healthy) at the claim: a success
    /// then changes its health.
    pub unhealthy: bool,
}

impl Claim {
    /// A claim of a first attempt.
    pub const fn new(lease: Lease, event: Arc<Event>, endpoint_revision: Revision) -> Self {
        let progress = Progress::of_attempt(1);
        Self {
            lease,
            event,
            endpoint_revision,
            progress,
            cause: Trigger::First,
            recorded: 0,
            previous_claim_at: None,
            unhealthy: false,
        }
    }

    /// Why its attempt is made.
    pub const fn trigger(&self) -> Trigger {
        self.trigger_of(self.progress.attempt)
    }

    /// Why the attempt of this number is made, or was, if it was lost.
    pub(crate) const fn trigger_of(&self, number: u32) -> Trigger {
        self.cause.of_attempt(number, self.progress.budget_from)
    }

    /// Sets what began the delivery's present budget.
    #[must_use]
    pub const fn with_cause(mut self, cause: Trigger) -> Self {
        self.cause = cause;
        self
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

    /// Sets whether the endpoint was not healthy at the claim.
    #[must_use]
    pub const fn with_unhealthy(mut self, unhealthy: bool) -> Self {
        self.unhealthy = unhealthy;
        self
    }
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
    /// Effect of the attempt on the health of the endpoint, and the policy that applies.
    pub health_signal: (HealthSignal, HealthPolicy),
    /// What somebody has to be told, and of which tenant.
    pub notice: Option<(TenantId, NoticeKind)>,
    /// Whether the event has an ordering key: if so, others may wait for this delivery. Without it
    /// a store need not look for any, so whoever finishes a claim says it.
    pub ordered: bool,
}

impl Finish {
    /// Under `lease`, after `attempts_made` attempts, the delivery becomes `settle`.
    pub const fn new(
        lease: Lease,
        attempts: Vec<Attempt>,
        attempts_made: u32,
        settle: Settle,
    ) -> Self {
        Self {
            lease,
            attempts,
            attempts_made,
            forgiven: 0,
            settle,
            disable_endpoint: None,
            health_signal: (HealthSignal::None, HealthPolicy::new()),
            notice: None,
            ordered: false,
        }
    }

    /// A released claim, which does not affect the health of its endpoint: if it was the probe,
    /// another one may be made.
    pub const fn void(lease: Lease) -> Self {
        let settle = Settle::Retry(Duration::ZERO);
        Self::new(lease, Vec::new(), 0, settle)
            .with_health_signal(HealthSignal::Void, HealthPolicy::new())
    }

    /// Sets how many attempts do not count.
    #[must_use]
    pub const fn with_forgiven(mut self, forgiven: u32) -> Self {
        self.forgiven = forgiven;
        self
    }

    /// Sets the reason for which the endpoint is disabled as well.
    #[must_use]
    pub const fn with_disabled_endpoint(mut self, reason: Option<DisabledReason>) -> Self {
        self.disable_endpoint = reason;
        self
    }

    /// Sets the effect of the attempt on the health of the endpoint, and the policy that applies.
    #[must_use]
    pub const fn with_health_signal(mut self, signal: HealthSignal, policy: HealthPolicy) -> Self {
        self.health_signal = (signal, policy);
        self
    }

    /// Sets what somebody has to be told.
    #[must_use]
    pub fn with_notice(mut self, notice: Option<(TenantId, NoticeKind)>) -> Self {
        self.notice = notice;
        self
    }

    /// What went wrong in the last attempt.
    pub fn last_error(&self) -> Option<&str> {
        self.attempts.last()?.failure.as_ref().map(|failure| failure.text.as_str())
    }
    /// Sets whether the event has an ordering key.
    #[must_use]
    pub const fn with_ordered(mut self, ordered: bool) -> Self {
        self.ordered = ordered;
        self
    }
}

/// What becomes of a delivery after an attempt.
///
/// Closed: a store carries out each decision.
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
///
/// Closed: a store returns each result, and each caller handles it.
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
    /// Time until the earliest pending delivery of an active endpoint is due; not before the end of
    /// its endpoint's cool-down.
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
