//! The dispatcher's desk: what it holds, what waits to be written down, and when to look again.
//!
//! Bookkeeping only. Every method takes the time as an argument; nothing here does I/O. Each kind of
//! store call runs once at a time: while it does, the next batch gathers.

use std::{sync::Arc, time::Duration};

use crate::{
    health::Sign,
    id::EndpointId,
    port::store::deliveries::{Claim, ClaimDue, Finish, Lease, Settle},
};

use super::{config::DispatcherConfig, lane::Bay, routing::Routing, slots::Look};

/// The longest pause after the store has failed, and so the longest until work goes on after it has
/// come back.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Not before something happens.
const NEVER: Duration = Duration::MAX;

/// All times are on the monotonic clock.
#[derive(Debug)]
pub(super) struct Desk {
    config: DispatcherConfig,
    /// Its slots, shared with the publishers of this process.
    bay: Arc<Bay>,
    finishes: Vec<Finish>,
    releases: Vec<Lease>,
    resume_at: Option<EndpointId>,
    /// Due work was left in the store for want of a slot.
    left_behind: bool,
    /// When to claim, and to route; never, while that is under way.
    claim_at: Duration,
    route_at: Duration,
    claiming: bool,
    routing: bool,
    recording: bool,
    releasing: bool,
    /// Nothing is asked of the store before.
    store_at: Duration,
    failures: u32,
    polls: u64,
    drain_until: Option<Duration>,
}

impl Desk {
    pub(super) fn new(config: DispatcherConfig, bay: Arc<Bay>) -> Self {
        Self {
            config,
            bay,
            finishes: Vec::new(),
            releases: Vec::new(),
            resume_at: None,
            left_behind: false,
            claim_at: Duration::ZERO,
            route_at: Duration::ZERO,
            claiming: false,
            routing: false,
            recording: false,
            releasing: false,
            store_at: Duration::ZERO,
            failures: 0,
            polls: 0,
            drain_until: None,
        }
    }

    /// There may be work: look at once, or once more when the look under way is over.
    pub(super) fn wake(&mut self, now: Duration) {
        self.claim_at = self.claim_at.min(now);
        self.route_at = self.route_at.min(now);
    }

    /// No new work from now on.
    pub(super) fn drain(&mut self, now: Duration) {
        self.bay.close();
        self.drain_until.get_or_insert(now.saturating_add(self.config.drain));
    }

    pub(super) const fn is_draining(&self) -> bool {
        self.drain_until.is_some()
    }

    /// Claims held: being sent, or waiting to be written down.
    pub(super) fn held(&self) -> usize {
        self.bay.slots(|slots| slots.held())
    }

    /// Whether the drain is over: nothing is held or about to be handed over, or its time is up and
    /// all that has ended is written down, or the store does not answer either.
    pub(super) fn is_done(&self, now: Duration) -> bool {
        let Some(until) = self.drain_until else { return false };
        let store_busy = self.claiming || self.routing || self.recording || self.releasing;
        let unwritten = store_busy || !self.finishes.is_empty() || !self.releases.is_empty();
        let in_use = self.bay.slots(|slots| slots.held() + slots.reserved());
        now >= self.last_moment(until) || !unwritten && (in_use == 0 || now >= until)
    }

    /// What has ended by then is written down by this moment, or not by this process.
    const fn last_moment(&self, drained: Duration) -> Duration {
        drained.saturating_add(self.config.recording_budget)
    }

    /// Begins a claim, if it is time and there are free slots.
    pub(super) fn begin_claim(&mut self, now: Duration) -> Option<ClaimDue> {
        let due = !self.is_draining() && now >= self.claim_at.max(self.store_at);
        if self.claiming || !due {
            return None;
        }
        let (limit, in_flight) = self.bay.slots(|slots| slots.ask(self.config.batch))?;
        (self.claiming, self.claim_at) = (true, NEVER);
        let claim = ClaimDue::new(limit, self.config.lease).worker(self.config.name.clone());
        let share = u32::try_from(self.config.share()).unwrap_or(u32::MAX);
        Some(claim.in_flight(in_flight).resume_at(self.resume_at).tenant_share(share))
    }

    /// Begins to route, if it is time.
    pub(super) fn begin_routing(&mut self, now: Duration) -> bool {
        let due = !self.is_draining() && now >= self.route_at.max(self.store_at);
        if self.routing || !due {
            return false;
        }
        (self.routing, self.route_at) = (true, NEVER);
        true
    }

    /// Begins to write down a batch, if the store may be asked.
    pub(super) fn begin_recording(&mut self, now: Duration) -> Option<Vec<Finish>> {
        let may = !self.recording && now >= self.store_at;
        let batch = batch(&mut self.finishes, self.config.batch, may);
        self.recording |= batch.is_some();
        batch
    }

    /// Begins to give claims back, if the store may be asked.
    pub(super) fn begin_releasing(&mut self, now: Duration) -> Option<Vec<Lease>> {
        let may = !self.releasing && now >= self.store_at;
        let batch = batch(&mut self.releases, self.config.batch, may);
        self.releasing |= batch.is_some();
        batch
    }

    /// Takes claims that were asked for at `asked_at`, and notes when to ask again.
    pub(super) fn claimed(
        &mut self,
        claims: &[Claim],
        resume_at: Option<EndpointId>,
        next_due: Option<Duration>,
        asked_at: Duration,
        now: Duration,
    ) -> Look {
        self.claiming = false;
        self.failures = 0;
        self.resume_at = resume_at;
        self.left_behind = next_due == Some(Duration::ZERO);
        let ends = asked_at.saturating_add(self.config.lease);
        let look = self.bay.slots(|slots| slots.claimed(claims, ends, self.left_behind));
        // An empty answer that says "at once" is not believed: it would be asked for in a loop.
        let next_due = next_due.filter(|due| !due.is_zero() || !claims.is_empty());
        let poll = self.next_poll();
        let next = now.saturating_add(next_due.map_or(poll, |due| due.min(poll)));
        self.claim_at = self.claim_at.min(next);
        look
    }

    /// There is due work, and a slot for it: claim at once.
    pub(super) fn claim_again(&mut self, now: Duration) {
        self.claim_at = self.claim_at.min(now);
    }

    /// Notes what a round of routing came to.
    pub(super) fn routed(&mut self, routing: Routing, now: Duration) {
        self.routing = false;
        self.failures = 0;
        let wait = if routing.more { Some(Duration::ZERO) } else { routing.next_due };
        let wait = wait.filter(|wait| !wait.is_zero() || routing.routed > 0);
        let poll = self.next_poll();
        let next = now.saturating_add(wait.map_or(poll, |wait| wait.min(poll)));
        self.route_at = self.route_at.min(next);
        if routing.routed > 0 {
            self.claim_again(now);
        }
    }

    /// A claim has failed.
    pub(super) fn claim_failed(&mut self, now: Duration) {
        (self.claiming, self.claim_at) = (false, now);
        self.bay.slots(|slots| slots.claim_failed());
        self.store_failed(now);
    }

    /// A round of routing has failed.
    pub(super) fn routing_failed(&mut self, now: Duration) {
        (self.routing, self.route_at) = (false, now);
        self.store_failed(now);
    }

    /// By when an attempt under a lease asked for at `asked_at` must have begun, so that it can end
    /// and be recorded before the lease does.
    pub(super) fn start_by(&self, asked_at: Duration, timeout: Duration) -> Duration {
        let ends = asked_at.saturating_add(self.config.lease);
        let longest = timeout.min(self.config.max_timeout);
        ends.saturating_sub(longest).saturating_sub(self.config.recording_budget)
    }

    /// An attempt is over. Puts its outcome among those to be written down. However long that takes:
    /// the fence makes a late one safe, and what is known is worth more than an attempt recorded as
    /// unknown.
    ///
    /// An endpoint that `was_full`, or is behind, may have more. After a failure, not before that is
    /// recorded: the store may find then that it has to rest.
    pub(super) fn finish_later(&mut self, mut finish: Finish, was_full: bool, now: Duration) {
        let lease = finish.lease;
        let is_behind = self.bay.slots(|slots| {
            finish.sign.0 = slots.marks.judge(lease.delivery.endpoint, finish.sign.0);
            if !matches!(finish.sign.0, Sign::Bad | Sign::Busy(_)) {
                slots.ended(lease);
            }
            slots.is_behind(lease.delivery.endpoint)
        });
        if was_full || is_behind {
            self.claim_again(now);
        }
        self.finishes.push(finish);
    }

    /// Puts a claim among those to be given back, unless it has come back by itself.
    pub(super) fn release_later(&mut self, lease: Lease, now: Duration) {
        if self.bay.slots(|slots| slots.put_aside(lease, now)) {
            self.releases.push(lease);
        }
    }

    /// Frees the slot of a claim that is written down or given back.
    pub(super) fn let_go(&mut self, lease: Lease) {
        self.bay.slots(|slots| slots.let_go(lease));
    }

    /// A batch has been handed over. These are written down: slots are free, and a retry may be due
    /// before the next poll.
    pub(super) fn recorded<'f>(
        &mut self,
        finishes: impl IntoIterator<Item = &'f Finish>,
        now: Duration,
    ) {
        self.recording = false;
        for finish in finishes {
            self.failures = 0;
            self.let_go(finish.lease);
            match finish.settle {
                Settle::Retry(wait) => {
                    self.claim_at = self.claim_at.min(now.saturating_add(wait));
                }
                // The next one of its line is due.
                Settle::Success | Settle::Failed if finish.ordered => self.claim_again(now),
                Settle::Success | Settle::Failed => {}
            }
            if finish.sign.0 == Sign::Good {
                self.bay.slots(|slots| slots.marks.recorded(finish.lease.delivery.endpoint));
            }
            if finish.sign.0 != Sign::None {
                // There may be room for more of its endpoint now.
                self.claim_again(now);
            }
        }
        if self.left_behind {
            self.claim_again(now);
        }
    }

    /// Claims have been given back, or could not be.
    pub(super) const fn released(&mut self) {
        self.releasing = false;
    }

    /// The store has failed: leave it alone for a while, longer each time.
    pub(super) fn store_failed(&mut self, now: Duration) {
        let pause = Duration::from_secs(1).saturating_mul(1 << self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        self.store_at = now.saturating_add(pause.min(MAX_PAUSE));
    }

    /// How long nothing needs doing, unless something happens.
    pub(super) fn idle_for(&self, now: Duration) -> Duration {
        let draining = self.is_draining();
        let claim = !draining && !self.claiming && self.bay.slots(|slots| slots.claimable()) > 0;
        let write = !self.finishes.is_empty() && !self.recording;
        let give_back = !self.releases.is_empty() && !self.releasing;
        let times = [
            claim.then(|| self.claim_at.max(self.store_at)),
            (!draining && !self.routing).then(|| self.route_at.max(self.store_at)),
            (write || give_back).then_some(self.store_at),
            self.drain_until.map(
                |until| {
                    if now >= until { self.last_moment(until) } else { until }
                },
            ),
        ];
        times.into_iter().flatten().min().unwrap_or(NEVER).saturating_sub(now)
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
        endpoint::Endpoint,
        event::Event,
        id::{DeliveryId, EventId, LeaseEpoch, Revision},
        port::Clock,
        time::Timestamp,
    };
    use std::sync::Arc;
    use uuid::Uuid;

    const SECOND: Duration = Duration::from_secs(1);
    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

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

    fn desk(config: DispatcherConfig) -> Desk {
        let bay = Bay::new(Arc::new(Stopped), &config);
        Desk::new(config, Arc::new(bay))
    }

    /// A clock that nobody asks.
    #[derive(Debug)]
    struct Stopped;

    #[async_trait::async_trait]
    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }

        fn monotonic(&self) -> Duration {
            SECOND
        }

        async fn sleep(&self, _: Duration) {}
    }

    /// A desk with room for four that holds so many claims, made at one second, and has just routed.
    fn holding(count: u128, next_due: Option<Duration>) -> (Desk, Vec<Claim>) {
        let mut desk = desk(DispatcherConfig::new().concurrency(4));
        assert_eq!(limit(&mut desk, SECOND), Some(4));
        assert!(desk.begin_routing(SECOND));
        desk.routed(Routing { routed: 0, more: false, next_due: None }, SECOND);
        let held = claims(count);
        desk.claimed(&held, None, next_due, SECOND, SECOND);
        (desk, held)
    }

    /// The limit of the claim that begins now.
    fn limit(desk: &mut Desk, now: Duration) -> Option<usize> {
        desk.begin_claim(now).map(|claim| claim.limit)
    }

    fn record(desk: &mut Desk, claim: &Claim, settle: Settle, was_full: bool) {
        desk.finish_later(finish(claim, settle), was_full, SECOND);
        let batch = desk.begin_recording(SECOND).unwrap();
        desk.recorded(&batch, SECOND);
    }

    #[test]
    fn no_more_is_claimed_than_there_are_slots() {
        let (mut desk, _) = holding(3, AT_ONCE);
        let next = desk.begin_claim(SECOND).unwrap();
        assert_eq!(next.limit, 1);
        assert_eq!(next.in_flight.values().copied().collect::<Vec<_>>(), [2, 1]);
        desk.claimed(&[claim(3)], None, AT_ONCE, SECOND, SECOND);
        assert_eq!(limit(&mut desk, SECOND), None);
        assert!(desk.idle_for(SECOND) > SECOND / 2, "and nothing is looked for meanwhile");
    }

    #[test]
    fn a_slot_is_free_again_when_its_attempt_is_recorded() {
        let (mut desk, held) = holding(4, AT_ONCE);
        record(&mut desk, &held[0], Settle::Success, false);
        assert_eq!(limit(&mut desk, SECOND), Some(1));
        assert_eq!(desk.held(), 3);
    }

    #[test]
    fn one_claim_is_under_way_at_a_time() {
        let mut desk = desk(DispatcherConfig::new());
        assert!(desk.begin_claim(SECOND).is_some());
        desk.wake(SECOND);
        assert!(desk.begin_claim(SECOND).is_none());
    }

    #[test]
    fn a_hint_that_comes_during_a_claim_or_a_routing_is_not_lost() {
        let mut desk = desk(DispatcherConfig::new());
        assert!(desk.begin_claim(SECOND).is_some() && desk.begin_routing(SECOND));
        desk.wake(SECOND);
        desk.claimed(&[], None, None, SECOND, SECOND * 2);
        let none = Routing { routed: 0, more: false, next_due: None };
        desk.routed(none, SECOND * 2);
        assert!(desk.begin_claim(SECOND * 2).is_some() && desk.begin_routing(SECOND * 2));
    }

    #[test]
    fn work_left_for_want_of_slots_is_looked_for_when_one_is_free_and_not_in_a_loop() {
        let (mut desk, held) = holding(1, AT_ONCE);
        assert_eq!(limit(&mut desk, SECOND), Some(3));
        desk.claimed(&[], None, AT_ONCE, SECOND, SECOND);
        assert_eq!(limit(&mut desk, SECOND), None, "an empty claim is not repeated at once");
        record(&mut desk, &held[0], Settle::Success, false);
        assert_eq!(limit(&mut desk, SECOND), Some(4));
    }

    #[test]
    fn an_endpoint_that_was_full_may_have_more() {
        let (mut desk, held) = holding(1, None);
        record(&mut desk, &held[0], Settle::Success, true);
        assert_eq!(limit(&mut desk, SECOND), Some(4));
    }

    #[test]
    fn slots_of_an_endpoint_that_is_behind_are_filled_as_soon_as_they_come_free() {
        let (mut desk, held) = holding(2, None);
        let endpoint = held[0].lease.delivery.endpoint;
        let url = "https://a.example/".parse().unwrap();
        desk.bay.slots(|slots| slots.note_behind(&Endpoint::new(endpoint, url)));
        record(&mut desk, &held[1], Settle::Success, false);
        assert_eq!(limit(&mut desk, SECOND), None, "another endpoint's slot");
        record(&mut desk, &held[0], Settle::Success, false);
        assert_eq!(limit(&mut desk, SECOND), Some(4));
    }

    #[test]
    fn a_hint_during_a_claim_or_a_routing_is_no_reason_to_go_round_in_circles() {
        let mut desk = desk(DispatcherConfig::new());
        assert!(desk.begin_claim(SECOND).is_some() && desk.begin_routing(SECOND));
        desk.wake(SECOND);
        assert_eq!(desk.idle_for(SECOND), NEVER - SECOND);
    }

    #[test]
    fn what_ends_in_order_lets_the_next_one_be_claimed_at_once() {
        for (settle, ordered, expected) in [
            (Settle::Success, true, Some(3)),
            (Settle::Failed, true, Some(3)),
            (Settle::Retry(SECOND), true, None),
            (Settle::Success, false, None),
        ] {
            let (mut desk, held) = holding(2, None);
            desk.finish_later(finish(&held[0], settle).with_ordered(ordered), false, SECOND);
            let batch = desk.begin_recording(SECOND).unwrap();
            desk.recorded(&batch, SECOND);
            assert_eq!(limit(&mut desk, SECOND), expected, "{settle:?}, ordered: {ordered}");
        }
    }

    #[test]
    fn a_retry_is_claimed_when_it_is_due_not_at_the_next_poll() {
        let (mut desk, held) = holding(1, None);
        record(&mut desk, &held[0], Settle::Retry(SECOND / 10), false);
        assert_eq!(limit(&mut desk, SECOND + SECOND / 11), None);
        assert_eq!(limit(&mut desk, SECOND + SECOND / 10), Some(4));
    }

    #[test]
    fn polls_are_spread_by_a_tenth() {
        let mut desk = desk(DispatcherConfig::new());
        let polls: Vec<_> = (0..1000).map(|_| desk.next_poll()).collect();
        let (least, most) = (polls.iter().min().unwrap(), polls.iter().max().unwrap());
        assert!(*least >= Duration::from_millis(900) && *least < Duration::from_millis(910));
        assert!(*most <= Duration::from_millis(1100) && *most > Duration::from_millis(1090));
    }

    #[test]
    fn a_failing_store_is_left_alone_longer_each_time_and_never_for_long() {
        let (mut desk, held) = holding(1, AT_ONCE);
        desk.finish_later(finish(&held[0], Settle::Success), false, SECOND);
        for pause in [1, 2, 4, 5, 5, 5] {
            desk.store_failed(SECOND);
            let until = SECOND + Duration::from_secs(pause);
            let before = until - Duration::from_millis(1);
            assert!(desk.begin_recording(before).is_none());
            assert!(desk.begin_claim(before).is_none() && !desk.begin_routing(before));
            assert_eq!(desk.idle_for(SECOND), Duration::from_secs(pause));
        }
        assert!(desk.begin_recording(Duration::from_secs(6)).is_some());
    }

    #[test]
    fn what_is_known_is_recorded_however_late() {
        let (mut desk, held) = holding(2, None);
        desk.finish_later(finish(&held[0], Settle::Success), false, SECOND);
        let ended = SECOND + DispatcherConfig::LEASE * 2;
        assert_eq!(desk.begin_recording(ended).map(|batch| batch.len()), Some(1));
    }

    #[test]
    fn a_claim_is_given_back_until_it_comes_back_by_itself() {
        let (mut desk, held) = holding(2, None);
        desk.release_later(held[0].lease, SECOND);
        assert_eq!(desk.begin_releasing(SECOND), Some(vec![held[0].lease]));
        desk.released();
        desk.release_later(held[0].lease, SECOND + DispatcherConfig::LEASE);
        assert_eq!(desk.begin_releasing(SECOND + DispatcherConfig::LEASE), None);
        assert_eq!(desk.held(), 1, "its slot is free");
    }

    #[test]
    fn an_attempt_begins_only_if_it_can_end_and_be_recorded_under_its_lease() {
        let (desk, _) = holding(0, None);
        let start_by = desk.start_by(SECOND, Duration::from_secs(30));
        assert_eq!(start_by, SECOND + DispatcherConfig::CLAIM_BUDGET);
    }

    #[test]
    fn a_drain_takes_nothing_more_and_ends_when_all_is_written_down() {
        let (mut desk, held) = holding(1, AT_ONCE);
        desk.drain(SECOND);
        assert!(desk.begin_claim(SECOND).is_none() && !desk.begin_routing(SECOND * 9));
        assert!(!desk.is_done(SECOND), "an attempt is in flight");
        desk.finish_later(finish(&held[0], Settle::Success), false, SECOND);
        let batch = desk.begin_recording(SECOND).unwrap();
        assert!(!desk.is_done(SECOND), "the store is still writing");
        desk.recorded(&batch, SECOND);
        assert!(desk.is_done(SECOND));
    }

    #[test]
    fn a_drain_cuts_what_takes_too_long_but_not_what_waits_to_be_written_down() {
        let (mut desk, held) = holding(2, None);
        desk.drain(SECOND);
        let until = SECOND + DispatcherConfig::DRAIN;
        assert!(!desk.is_done(until - Duration::from_millis(1)));
        assert!(desk.is_done(until));
        desk.finish_later(finish(&held[0], Settle::Success), false, SECOND);
        assert!(!desk.is_done(until), "an outcome waits for the store");
        assert!(desk.is_done(until + DispatcherConfig::RECORDING_BUDGET), "but not for ever");
    }
}
