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
        let left = self.in_flight(endpoint).saturating_sub(1);
        if left == 0 {
            self.in_flight.remove(&endpoint);
        } else {
            self.in_flight.insert(endpoint, left);
        }
    }

    /// Attempts in flight at an endpoint.
    pub(super) fn in_flight(&self, endpoint: EndpointId) -> u32 {
        self.in_flight.get(&endpoint).copied().unwrap_or_default()
    }

    /// A batch is written down: slots are free, and a retry may be due before the next poll. An
    /// endpoint that `was_full` may have more.
    pub(super) fn recorded(&mut self, finishes: &[Finish], was_full: bool, now: Duration) {
        self.failures = 0;
        for finish in finishes {
            self.let_go(finish.lease);
            if let Settle::Retry(wait) = finish.settle {
                self.claim_at = self.claim_at.min(now.saturating_add(wait));
            }
        }
        if self.left_behind || was_full {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::Event,
        id::{DeliveryId, EventId, LeaseEpoch, Revision},
        time::Timestamp,
    };
    use std::sync::Arc;
    use uuid::Uuid;

    const SECOND: Duration = Duration::from_secs(1);

    fn claim(number: u128) -> Claim {
        let id = EventId::from_uuid(Uuid::from_u128(number));
        let event = Event::new(id, "a".parse().unwrap(), Timestamp::default(), "{}");
        let endpoint = EndpointId::from_uuid(Uuid::from_u128(number % 2));
        let epoch = LeaseEpoch::default().next();
        let lease = Lease { delivery: DeliveryId::new(id, endpoint), epoch };
        Claim::new(lease, Arc::new(event), Revision::default())
    }

    fn claims(count: u128) -> Vec<Claim> {
        (0..count).map(claim).collect()
    }

    fn finish(claim: &Claim, settle: Settle) -> Finish {
        Finish::new(claim.lease, Vec::new(), 1, settle)
    }

    /// A desk with room for four.
    fn desk() -> Desk {
        Desk::new(DispatcherConfig::new().concurrency(4))
    }

    #[test]
    fn no_more_is_claimed_than_there_are_slots() {
        let mut desk = desk();
        assert_eq!(desk.next_claim(SECOND).unwrap().limit, 4);
        desk.take(&claims(3), None, Some(Duration::ZERO), SECOND, SECOND);
        let next = desk.next_claim(SECOND).unwrap();
        assert_eq!(next.limit, 1);
        assert_eq!(next.in_flight.values().copied().collect::<Vec<_>>(), [2, 1]);
        desk.take(&[claim(3)], None, Some(Duration::ZERO), SECOND, SECOND);
        assert!(desk.next_claim(SECOND).is_none());
    }

    #[test]
    fn a_slot_is_free_again_when_its_attempt_is_recorded() {
        let mut desk = desk();
        let held = claims(4);
        desk.take(&held, None, Some(Duration::ZERO), SECOND, SECOND);
        desk.recorded(&[finish(&held[0], Settle::Success)], false, SECOND);
        assert_eq!(desk.next_claim(SECOND).unwrap().limit, 1);
        assert_eq!(desk.held(), 3);
    }

    #[test]
    fn work_left_for_want_of_slots_is_looked_for_when_one_is_free_and_not_in_a_loop() {
        let mut desk = desk();
        let held = claims(1);
        desk.take(&held, None, Some(Duration::ZERO), SECOND, SECOND);
        desk.take(&[], None, Some(Duration::ZERO), SECOND, SECOND);
        assert!(desk.next_claim(SECOND).is_none(), "an empty claim is not repeated at once");
        desk.recorded(&[finish(&held[0], Settle::Success)], false, SECOND);
        assert!(desk.next_claim(SECOND).is_some());
    }

    #[test]
    fn an_endpoint_that_was_full_may_have_more() {
        let mut desk = desk();
        let held = claims(1);
        desk.take(&held, None, None, SECOND, SECOND);
        desk.recorded(&[finish(&held[0], Settle::Success)], true, SECOND);
        assert!(desk.next_claim(SECOND).is_some());
    }

    #[test]
    fn a_retry_is_claimed_when_it_is_due_not_at_the_next_poll() {
        let mut desk = desk();
        let held = claims(1);
        desk.take(&held, None, None, SECOND, SECOND);
        desk.recorded(&[finish(&held[0], Settle::Retry(SECOND / 10))], false, SECOND);
        assert!(desk.next_claim(SECOND + SECOND / 11).is_none());
        assert!(desk.next_claim(SECOND + SECOND / 10).is_some());
    }

    #[test]
    fn polls_are_spread_by_a_tenth() {
        let mut desk = desk();
        let polls: Vec<_> = (0..1000).map(|_| desk.next_poll()).collect();
        let (least, most) = (polls.iter().min().unwrap(), polls.iter().max().unwrap());
        assert!(*least >= Duration::from_millis(900) && *least < Duration::from_millis(910));
        assert!(*most <= Duration::from_millis(1100) && *most > Duration::from_millis(1090));
    }

    #[test]
    fn a_failing_store_is_left_alone_longer_each_time_and_never_for_long() {
        let mut desk = desk();
        desk.finish_later(finish(&claim(0), Settle::Success));
        desk.take(&claims(1), None, None, SECOND, SECOND);
        for pause in [1, 2, 4, 5, 5, 5] {
            desk.store_failed(SECOND);
            let until = SECOND + Duration::from_secs(pause);
            assert!(desk.next_finishes(until - Duration::from_millis(1)).is_none());
            assert!(desk.next_claim(until - Duration::from_millis(1)).is_none());
            assert_eq!(desk.idle_for(SECOND), Duration::from_secs(pause));
        }
        assert!(desk.next_finishes(Duration::from_secs(6)).is_some());
    }

    #[test]
    fn what_could_not_be_recorded_before_its_lease_ended_is_let_go() {
        let mut desk = desk();
        desk.take(&claims(2), None, None, SECOND, SECOND);
        desk.finish_later(finish(&claim(0), Settle::Success));
        let ended = SECOND + DispatcherConfig::LEASE;
        assert!(desk.next_finishes(ended).is_none());
        assert_eq!(desk.held(), 1);
    }

    #[test]
    fn an_attempt_begins_only_if_it_can_end_and_be_recorded_under_its_lease() {
        let start_by = desk().start_by(SECOND, Duration::from_secs(30));
        assert_eq!(start_by, Duration::from_secs(1 + 45 - 30 - 10));
    }

    #[test]
    fn a_drain_takes_nothing_more_and_ends_when_all_is_written_down() {
        let mut desk = desk();
        desk.take(&claims(1), None, Some(Duration::ZERO), SECOND, SECOND);
        desk.drain(SECOND);
        assert!(desk.next_claim(SECOND).is_none() && !desk.is_routing_due(SECOND));
        assert!(!desk.is_done(SECOND, false), "an attempt is in flight");
        desk.recorded(&[finish(&claim(0), Settle::Success)], false, SECOND);
        assert!(!desk.is_done(SECOND, true), "the store is still writing");
        assert!(desk.is_done(SECOND, false));
    }

    #[test]
    fn a_drain_cuts_what_takes_too_long_but_not_what_waits_to_be_written_down() {
        let mut desk = desk();
        desk.take(&claims(2), None, None, SECOND, SECOND);
        desk.drain(SECOND);
        let until = SECOND + DispatcherConfig::DRAIN;
        assert!(!desk.is_done(until - Duration::from_millis(1), false));
        assert!(desk.is_done(until, false));
        desk.finish_later(finish(&claim(0), Settle::Success));
        assert!(!desk.is_done(until, false), "an outcome waits for the store");
        assert!(
            desk.is_done(until + DispatcherConfig::RECORDING_BUDGET, false),
            "but not for ever"
        );
    }
}
