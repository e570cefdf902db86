//! The dispatcher's desk: what it holds, what waits to be written down, and when to look again.
//!
//! Bookkeeping only. Every method takes the time as an argument; nothing here does I/O.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    id::EndpointId,
    port::store::deliveries::{Claim, ClaimDue, Finish, Lease, Settle},
};

use super::{config::DispatcherConfig, routing::Routing};

/// The longest pause after the store has failed, and so the longest until work goes on after it has
/// come back.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// All times are on the monotonic clock.
#[derive(Debug)]
pub(super) struct Desk {
    config: DispatcherConfig,
    /// Claims held, and when their leases end.
    held: BTreeMap<Lease, Duration>,
    in_flight: BTreeMap<EndpointId, u32>,
    finishes: Vec<Finish>,
    releases: Vec<Lease>,
    resume_at: Option<EndpointId>,
    /// Due work was left in the store for want of a slot.
    left_behind: bool,
    claim_at: Duration,
    route_at: Duration,
    /// Nothing is asked of the store before.
    store_at: Duration,
    failures: u32,
    polls: u64,
    drain_until: Option<Duration>,
}

impl Desk {
    pub(super) fn new(config: DispatcherConfig) -> Self {
        Self {
            config,
            held: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            finishes: Vec::new(),
            releases: Vec::new(),
            resume_at: None,
            left_behind: false,
            claim_at: Duration::ZERO,
            route_at: Duration::ZERO,
            store_at: Duration::ZERO,
            failures: 0,
            polls: 0,
            drain_until: None,
        }
    }

    /// There may be work: look at once.
    pub(super) fn wake(&mut self, now: Duration) {
        self.claim_at = self.claim_at.min(now);
        self.route_at = self.route_at.min(now);
    }

    /// No new work from now on.
    pub(super) fn drain(&mut self, now: Duration) {
        self.drain_until.get_or_insert(now.saturating_add(self.config.drain));
    }

    pub(super) const fn is_draining(&self) -> bool {
        self.drain_until.is_some()
    }

    /// Claims held: being sent, or waiting to be written down.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether the drain is over: nothing is held, or its time is up and all that has ended is
    /// written down, or the store does not answer either.
    pub(super) fn is_done(&self, now: Duration, store_busy: bool) -> bool {
        let Some(until) = self.drain_until else { return false };
        let unwritten = store_busy || !self.finishes.is_empty() || !self.releases.is_empty();
        let last = until.saturating_add(DispatcherConfig::RECORDING_BUDGET);
        now >= last || !unwritten && (self.held.is_empty() || now >= until)
    }

    /// The next claim, if it is time and there are free slots.
    pub(super) fn next_claim(&self, now: Duration) -> Option<ClaimDue> {
        let free = self.config.concurrency.saturating_sub(self.held.len());
        let due = !self.is_draining() && now >= self.claim_at.max(self.store_at);
        (due && free > 0).then(|| {
            ClaimDue::new(free.min(self.config.batch), self.config.lease)
                .in_flight(self.in_flight.clone())
                .resume_at(self.resume_at)
        })
    }

    /// Whether it is time to route.
    pub(super) fn is_routing_due(&self, now: Duration) -> bool {
        !self.is_draining() && now >= self.route_at.max(self.store_at)
    }

    /// Takes claims that were asked for at `asked_at`, and notes when to ask again.
    pub(super) fn take(
        &mut self,
        claims: &[Claim],
        resume_at: Option<EndpointId>,
        next_due: Option<Duration>,
        asked_at: Duration,
        now: Duration,
    ) {
        self.failures = 0;
        self.resume_at = resume_at;
        for claim in claims {
            self.held.insert(claim.lease, asked_at.saturating_add(self.config.lease));
            *self.in_flight.entry(claim.lease.delivery.endpoint).or_default() += 1;
        }
        self.left_behind = next_due == Some(Duration::ZERO);
        self.claim_at = match next_due {
            Some(Duration::ZERO) if claims.is_empty() => now.saturating_add(self.next_poll()),
            Some(due) => now.saturating_add(due.min(self.next_poll())),
            None => now.saturating_add(self.next_poll()),
        };
    }

    /// Notes what a round of routing came to.
    pub(super) fn routed(&mut self, routing: Routing, now: Duration) {
        self.failures = 0;
        let wait = if routing.more { Some(Duration::ZERO) } else { routing.next_due };
        let poll = self.next_poll();
        self.route_at = now.saturating_add(wait.map_or(poll, |wait| wait.min(poll)));
        if routing.routed > 0 {
            self.claim_at = now;
        }
    }

    /// By when an attempt under a lease asked for at `asked_at` must have begun, so that it can end
    /// and be recorded before the lease does.
    pub(super) fn start_by(&self, asked_at: Duration, timeout: Duration) -> Duration {
        let ends = asked_at.saturating_add(self.config.lease);
        ends.saturating_sub(timeout).saturating_sub(DispatcherConfig::RECORDING_BUDGET)
    }

    pub(super) fn finish_later(&mut self, finish: Finish) {
        self.finishes.push(finish);
    }

    pub(super) fn release_later(&mut self, lease: Lease) {
        self.releases.push(lease);
    }

    /// The next batch to write down, if the store may be asked.
    pub(super) fn next_finishes(&mut self, now: Duration) -> Option<Vec<Finish>> {
        self.drop_expired(now);
        batch(&mut self.finishes, self.config.batch, now >= self.store_at)
    }

    /// The next claims to give back, if the store may be asked.
    pub(super) fn next_releases(&mut self, now: Duration) -> Option<Vec<Lease>> {
        batch(&mut self.releases, self.config.batch, now >= self.store_at)
    }

    /// What the store did not take for so long that the leases have ended is nobody's any more: the
    /// next claim records those attempts as unknown.
    fn drop_expired(&mut self, now: Duration) {
        let held = &self.held;
        let ended = |lease: &Lease| held.get(lease).is_none_or(|ends| now >= *ends);
        let expired: Vec<_> =
            self.finishes.iter().map(|finish| finish.lease).filter(ended).collect();
        self.finishes.retain(|finish| !expired.contains(&finish.lease));
        for lease in expired {
            tracing::warn!(delivery = %lease.delivery, "the lease ended before the attempt could be recorded");
            self.let_go(lease);
        }
    }

    /// Frees the slot of a claim that is written down or given back.
    pub(super) fn let_go(&mut self, lease: Lease) {
        if self.held.remove(&lease).is_none() {
            return;
        }
        let endpoint = lease.delivery.endpoint;
        let left = self.in_flight.get(&endpoint).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            self.in_flight.remove(&endpoint);
        } else {
            self.in_flight.insert(endpoint, left);
        }
    }

    /// A batch is written down: slots are free, and a retry may be due before the next poll.
    pub(super) fn recorded(&mut self, finishes: &[Finish], now: Duration) {
        self.failures = 0;
        for finish in finishes {
            self.let_go(finish.lease);
            if let Settle::Retry(wait) = finish.settle {
                self.claim_at = self.claim_at.min(now.saturating_add(wait));
            }
        }
        if self.left_behind {
            self.claim_at = self.claim_at.min(now);
        }
    }

    /// The store has failed: leave it alone for a while, longer each time.
    pub(super) fn store_failed(&mut self, now: Duration) {
        let pause = Duration::from_secs(1).saturating_mul(1 << self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        self.store_at = now.saturating_add(pause.min(MAX_PAUSE));
    }

    /// How long nothing needs doing, unless something happens.
    pub(super) fn idle_for(&self, now: Duration) -> Duration {
        let look = self.claim_at.min(self.route_at).max(self.store_at);
        let write =
            (!self.finishes.is_empty() || !self.releases.is_empty()).then_some(self.store_at);
        let next = match self.drain_until {
            Some(until) if now >= until => until.saturating_add(DispatcherConfig::RECORDING_BUDGET),
            Some(until) => until,
            None => look,
        };
        let next = write.map_or(next, |write| next.min(write));
        // Never zero: what is due already is under way, and its end wakes the loop.
        next.saturating_sub(now).max(Duration::from_millis(1))
    }

    /// The poll interval, a tenth shorter or longer, so that workers do not poll in step.
    fn next_poll(&mut self) -> Duration {
        self.polls = self.polls.wrapping_add(1);
        let tenth = self.config.poll / 10;
        let spread = crate::retry::mix(self.config.seed ^ self.polls) % 2001;
        let spread = u32::try_from(spread).unwrap_or_default();
        self.config.poll.saturating_sub(tenth).saturating_add(tenth.saturating_mul(spread) / 1000)
    }
}

fn batch<T>(items: &mut Vec<T>, most: usize, may: bool) -> Option<Vec<T>> {
    (may && !items.is_empty()).then(|| items.drain(..items.len().min(most)).collect())
}
