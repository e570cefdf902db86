use std::time::Duration;

use crate::{
    engine::admission::slots::Slots,
    model::{endpoint::Timeout, health::HealthPolicy, worker::WorkerName},
    port::{Capability, Store},
};

/// How a dispatcher works.
///
/// ```
/// use webhook_core::DispatcherConfig;
///
/// let config = DispatcherConfig::new().concurrency(64);
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct DispatcherConfig {
    pub(in crate::engine) concurrency: usize,
    pub(in crate::engine) batch: usize,
    pub(in crate::engine) lease: Duration,
    pub(in crate::engine) poll: Duration,
    pub(in crate::engine) drain: Duration,
    pub(in crate::engine) max_timeout: Duration,
    pub(in crate::engine) recording_budget: Duration,
    pub(in crate::engine) claim_budget: Duration,
    pub(in crate::engine) seed: u64,
    pub(in crate::engine) health: HealthPolicy,
    pub(in crate::engine) tenant_share: Option<usize>,
    pub(in crate::engine) name: Option<WorkerName>,
}

impl DispatcherConfig {
    /// Attempts in flight at once: enough to fill a fast network, few enough for small machines.
    pub const CONCURRENCY: usize = 256;

    /// The lease of a claim: as short as the longest attempt and its recording allow, because work
    /// of a worker that died lies still for so long.
    pub const LEASE: Duration = Duration::from_secs(45);

    /// The longest wait between two looks at the store.
    pub const POLL: Duration = Duration::from_secs(1);

    /// How long a shutdown waits for attempts in flight: as long as the longest may take.
    pub const DRAIN: Duration = Duration::from_secs(30);

    /// The longest attempt: as long as any endpoint may ask for.
    pub const MAX_TIMEOUT: Duration = Timeout::MAX.as_duration();

    /// What a lease must leave for writing down an attempt that took its whole time: as long as a
    /// store may take to answer.
    pub const RECORDING_BUDGET: Duration = Duration::from_secs(10);

    /// What a lease must leave for the claim itself, and for loading what it needs.
    pub const CLAIM_BUDGET: Duration = Duration::from_secs(5);

    /// Deliveries claimed or recorded in one transaction.
    const BATCH: usize = 100;

    /// The defaults.
    pub const fn new() -> Self {
        Self {
            concurrency: Self::CONCURRENCY,
            batch: Self::BATCH,
            lease: Self::LEASE,
            poll: Self::POLL,
            drain: Self::DRAIN,
            max_timeout: Self::MAX_TIMEOUT,
            recording_budget: Self::RECORDING_BUDGET,
            claim_budget: Self::CLAIM_BUDGET,
            seed: 0,
            health: HealthPolicy::new(),
            tenant_share: None,
            name: None,
        }
    }

    /// Sets how many attempts are in flight at once. A quarter of them is kept for claims: what
    /// this process sends as soon as it is published never takes more than the other three. While
    /// it publishes, a quarter is kept for that as well, so that a backlog does not hold up what is
    /// new.
    #[must_use]
    pub const fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets the lease of a claim: at least the longest attempt, and the budgets for its claim and
    /// its record. Work of a worker that died lies still for so long.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets the longest wait between two looks at the store.
    #[must_use]
    pub const fn poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// Sets how long a shutdown waits for attempts in flight. Recording what has ended by then may
    /// take up to the [`recording_budget`](Self::recording_budget) more.
    #[must_use]
    pub const fn drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// Sets the longest attempt of this worker: endpoints that ask for a longer timeout get this
    /// one. A shorter one permits a shorter lease.
    #[must_use]
    pub const fn max_timeout(mut self, timeout: Duration) -> Self {
        self.max_timeout = timeout;
        self
    }

    /// Sets how long before the end of its lease an attempt must be over, so that it can be
    /// recorded; best no shorter than the store may take to answer.
    #[must_use]
    pub const fn recording_budget(mut self, budget: Duration) -> Self {
        self.recording_budget = budget;
        self
    }

    /// Sets what a lease must leave for the claim itself, and for loading what it needs.
    #[must_use]
    pub const fn claim_budget(mut self, budget: Duration) -> Self {
        self.claim_budget = budget;
        self
    }

    /// Sets what the polls of this dispatcher are spread by, so that many workers do not poll in
    /// step. Any number that differs between them serves.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the policy that decides when endpoints count as failing, cool down and are disabled.
    #[must_use]
    pub const fn health(mut self, policy: HealthPolicy) -> Self {
        self.health = policy;
        self
    }

    /// Sets the most attempts that one tenant may have in flight while another has work: half of
    /// all, unless set. However much one tenant publishes, the others then have the other half
    /// among them. Alone, a tenant may use everything.
    #[must_use]
    pub const fn tenant_share(mut self, max_in_flight: usize) -> Self {
        self.tenant_share = Some(max_in_flight);
        self
    }

    /// Sets the name that stands with what this worker has claimed; none, unless set.
    #[must_use]
    pub fn name(mut self, name: WorkerName) -> Self {
        self.name = Some(name);
        self
    }

    /// The name that stands with what this worker has claimed.
    pub const fn worker_name(&self) -> Option<&WorkerName> {
        self.name.as_ref()
    }

    /// What a tenant may have in flight while another has work.
    pub(in crate::engine) fn share(&self) -> usize {
        self.tenant_share.unwrap_or(self.concurrency.div_ceil(2)).clamp(1, self.concurrency.max(1))
    }

    /// All slots, none taken.
    pub(in crate::engine) fn slots(&self) -> Slots {
        Slots::new(self.concurrency, self.share())
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    ///
    /// [`InvalidDispatcherConfig`] says which does not fit.
    pub fn validate(&self) -> Result<(), InvalidDispatcherConfig> {
        if self.concurrency == 0 {
            return Err(InvalidDispatcherConfig::Concurrency);
        }
        if self.poll.is_zero() {
            return Err(InvalidDispatcherConfig::Poll);
        }
        if self.max_timeout.is_zero() {
            return Err(InvalidDispatcherConfig::MaxTimeout);
        }
        // A lease that ends while its attempt is still allowed to run lets a second worker send
        // too.
        let needed = self.shortest_lease();
        if self.lease < needed { Err(InvalidDispatcherConfig::Lease { needed }) } else { Ok(()) }
    }

    /// Checks that a store has the capabilities that these settings need.
    ///
    /// # Errors
    ///
    /// [`InvalidDispatcherConfig::Unsupported`] names the first one that is missing.
    pub fn validate_for(&self, store: &dyn Store) -> Result<(), InvalidDispatcherConfig> {
        match self.needs().find(|capability| !store.supports(*capability)) {
            Some(capability) => Err(InvalidDispatcherConfig::Unsupported(capability)),
            None => Ok(()),
        }
    }

    fn needs(&self) -> impl Iterator<Item = Capability> {
        let has_health = self.health != HealthPolicy::off();
        let has_shares = self.share() < self.concurrency;
        let health = has_health.then_some(Capability::SharedHealth);
        let shares = has_shares.then_some(Capability::TenantShares);
        health.into_iter().chain(shares)
    }

    fn shortest_lease(&self) -> Duration {
        let longest = self.max_timeout.min(Self::MAX_TIMEOUT);
        longest.saturating_add(self.recording_budget).saturating_add(self.claim_budget)
    }
}

impl Default for DispatcherConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// The settings of a dispatcher do not fit together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDispatcherConfig {
    /// Nothing could ever be sent.
    #[error("the concurrency must be at least 1")]
    Concurrency,
    /// The store would be asked without a pause.
    #[error("the poll interval must be longer than zero")]
    Poll,
    /// No attempt could ever succeed.
    #[error("the longest attempt must take more than no time")]
    MaxTimeout,
    /// The lease could end before an attempt does.
    #[error(
        "the lease must last at least {needed:?}: the longest attempt, and the time to claim and record it; a shorter longest attempt permits a shorter lease"
    )]
    Lease {
        /// The shortest lease that does.
        needed: Duration,
    },
    /// The store lacks a capability that these settings need.
    #[error("the store does not support {0}; {advice}", advice = without(*.0))]
    Unsupported(Capability),
}

/// Setting that does without a capability.
const fn without(capability: Capability) -> &'static str {
    match capability {
        Capability::SharedHealth => "set the health policy to `HealthPolicy::off()`",
        Capability::TenantShares => "set the tenant share to the concurrency",
        _ => "use a store that does",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_gets_half_unless_told_otherwise_and_never_nothing_or_more_than_all() {
        let share = |concurrency, max_in_flight: Option<usize>| {
            let config = DispatcherConfig::new().concurrency(concurrency);
            max_in_flight
                .map_or(config.clone(), |max_in_flight| config.tenant_share(max_in_flight))
                .share()
        };
        let table =
            [(10, None, 5), (9, None, 5), (10, Some(3), 3), (10, Some(0), 1), (10, Some(11), 10)];
        for (concurrency, max_in_flight, expected) in table {
            assert_eq!(
                share(concurrency, max_in_flight),
                expected,
                "{concurrency} {max_in_flight:?}"
            );
        }
    }

    #[test]
    fn a_shorter_longest_attempt_permits_a_shorter_lease() {
        let secs = Duration::from_secs;
        let config = DispatcherConfig::default()
            .max_timeout(secs(5))
            .recording_budget(secs(2))
            .claim_budget(secs(1));
        assert_eq!(config.clone().lease(secs(8)).validate(), Ok(()));
        assert_eq!(
            config.lease(secs(7)).validate(),
            Err(InvalidDispatcherConfig::Lease { needed: secs(8) })
        );
        let nothing = DispatcherConfig::default().max_timeout(Duration::ZERO);
        assert_eq!(nothing.validate(), Err(InvalidDispatcherConfig::MaxTimeout));
    }
}
