//! Arguments and results of claim, finish, release and backlog.

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
    /// Length of the leases.
    pub lease: Duration,
    /// Attempts that this process has in flight, by endpoint. They count against
    /// [`Endpoint::max_in_flight`](crate::Endpoint::max_in_flight).
    pub in_flight: BTreeMap<EndpointId, u32>,
    /// Limits of tenants.
    pub tenants: TenantLimits,
    /// Place at which the claim begins: the [`cursor`](Claimed::cursor) of the claim before.
    pub cursor: Option<ClaimCursor>,
    /// Name of the worker, for the record.
    pub worker: Option<WorkerName>,
}

impl ClaimDue {
    /// Creates a request of a process that has nothing in flight.
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

    /// Sets the attempts that the process has in flight.
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

    /// Sets the name of the worker.
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

/// Result of a claim.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Claimed {
    /// The claims.
    pub claims: Vec<Claim>,
    /// Place at which the next claim should begin.
    pub cursor: Option<ClaimCursor>,
    /// Time until the earliest remaining delivery of an active endpoint is due, or its lease ends:
    /// zero if due work remains, `None` if no work remains. Endpoints without a free slot after this
    /// claim do not count: the caller knows when they have one again. Those that cool down, or have
    /// used up their rate, count from the end of that.
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

/// Claim of a delivery: the right to make one attempt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Claim {
    /// Lease that every later write names.
    pub lease: Lease,
    /// Event to send.
    pub event: Arc<Event>,
    /// Revision of the endpoint at the claim. An older copy of it must be loaded again.
    pub endpoint_revision: Revision,
    /// Number of this attempt, and place of the delivery in its retry policy.
    pub progress: Progress,
    /// Trigger of the delivery's present budget of attempts.
    pub cause: Trigger,
    /// Number of recorded attempts. Those between it and the present one were lost with their
    /// workers: the worker that finishes this claim records them as unknown, so that numbers have
    /// no gaps.
    pub recorded: u32,
    /// Time at which the attempt before this one was claimed, by the store's clock.
    pub previous_claim_at: Option<Timestamp>,
    /// True if the endpoint was not [healthy](crate::Health::is_healthy) at the claim: a success
    /// then changes its health.
    pub unhealthy: bool,
}

impl Claim {
    /// Creates the claim of a first attempt.
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

    /// Trigger of its attempt.
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

/// Attempts of a claim, and their consequences.
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
    /// New state of the delivery.
    pub settle: Settle,
    /// Reason for which the endpoint is disabled as well.
    pub disable_endpoint: Option<DisabledReason>,
    /// Effect of the attempt on the health of the endpoint, and the policy that applies.
    pub health_signal: (HealthSignal, HealthPolicy),
    /// Notice to store, and its tenant.
    pub notice: Option<(TenantId, NoticeKind)>,
    /// True if the event has an ordering key, so that other deliveries may wait for this one. If
    /// not, a store need not look for any.
    pub ordered: bool,
}

impl Finish {
    /// Creates a finish under `lease`: after `attempts_made` attempts, the delivery becomes `settle`.
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

    /// Creates the finish of a released claim, which does not affect the health of its endpoint: if it was the probe,
    /// another one may be made.
    pub const fn void(lease: Lease) -> Self {
        let settle = Settle::Retry(Duration::ZERO);
        Self::new(lease, Vec::new(), 0, settle)
            .with_health_signal(HealthSignal::Void, HealthPolicy::new())
    }

    /// Sets the number of attempts that do not count.
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

    /// Sets the notice to store.
    #[must_use]
    pub fn with_notice(mut self, notice: Option<(TenantId, NoticeKind)>) -> Self {
        self.notice = notice;
        self
    }

    /// Failure of the last attempt.
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

/// New state of a delivery after an attempt.
///
/// Closed: a store carries out each decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settle {
    /// Delivered.
    Success,
    /// Pending, and due after this wait by the store's clock.
    Retry(Duration),
    /// Given up.
    Failed,
}

/// Result of a write under a lease.
///
/// Closed: a store returns each result, and each caller handles it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finished {
    /// The write is stored.
    Recorded,
    /// Another worker has claimed the delivery since; nothing is stored.
    LeaseLost,
}

/// Remaining work. No number exceeds [`CAP`](Self::CAP).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Backlog {
    /// Events that no dispatcher has routed yet.
    pub unrouted: u64,
    /// Deliveries under a lease that holds, of any worker. Those whose lease has ended are pending
    /// or waiting, and due.
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
    /// Maximum of each number.
    pub const CAP: u64 = 100_000;

    /// Creates a backlog of these numbers.
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
