//! The dispatcher's desk: what it holds, what waits to be written down, and when to look again.
//!
//! Bookkeeping only. Every method takes the time as an argument; nothing here does I/O. Each kind of
//! store call runs once at a time: while it does, the next batch gathers. Only of what has to be written
//! down a second batch goes beside the first, when there is much of it.

use std::{sync::Arc, time::Duration};

use super::{config::DispatcherConfig, routing::Routing};
use crate::{
    engine::admission::{Bay, slots::Look},
    model::{delivery::Lease, health::Sign, id::EndpointId},
    port::store::deliveries::{Claim, ClaimDue, Finish, Settle},
};

/// The longest pause after the store has failed, and so the longest until work goes on after it has
/// come back.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How soon after a claim the next one looks for what nobody has told of: what comes to be due while its
/// endpoint is kept full by publishers.
const AGAIN: Duration = Duration::from_millis(20);

/// How soon after events were routed others are looked for. Events that nobody tells of seldom come alone:
/// the look after that waits twice as long, and so on, until it is a poll again.
const SOON: Duration = Duration::from_millis(4);

/// Outcomes that are worth a batch beside the one that is being written down.
const MUCH: usize = 64;

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
    /// How long after a round of routing that found nothing the next one begins, at most a poll.
    route_pause: Duration,
    claiming: bool,
    /// When the last claim began.
    claimed_at: Duration,
    routing: bool,
    /// Batches that are being written down.
    recording: usize,
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
            route_pause: NEVER,
            claiming: false,
            claimed_at: Duration::ZERO,
            routing: false,
            recording: 0,
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
        let store_busy = self.claiming || self.routing || self.recording > 0 || self.releasing;
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
        (self.claiming, self.claim_at, self.claimed_at) = (true, NEVER, now);
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
        let may = self.may_record() && now >= self.store_at;
        let batch = batch(&mut self.finishes, self.config.batch, may);
        self.recording += usize::from(batch.is_some());
        batch
    }

    fn may_record(&self) -> bool {
        self.recording == 0 || self.recording == 1 && self.finishes.len() >= MUCH
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

    /// There is due work, and a slot for it: claim at that time.
    pub(super) fn claim_again(&mut self, at: Duration) {
        self.claim_at = self.claim_at.min(at);
    }

    /// Notes what a round of routing came to.
    pub(super) fn routed(&mut self, routing: Routing, now: Duration) {
        self.routing = false;
        self.failures = 0;
        let wait = if routing.more { Some(Duration::ZERO) } else { routing.next_due };
        let wait = wait.filter(|wait| !wait.is_zero() || routing.routed > 0);
        self.route_pause =
            if routing.routed > 0 { SOON } else { self.route_pause.saturating_mul(2) };
        let poll = self.next_poll().min(self.route_pause);
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
    /// An endpoint that is behind has more, and one that `was_full` may have. After a failure, not before that is
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
        if is_behind {
            self.claim_again(now);
        } else if was_full {
            self.claim_again(now.max(self.claimed_at.saturating_add(AGAIN)));
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
        self.recording = self.recording.saturating_sub(1);
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
        let write = !self.finishes.is_empty() && self.may_record();
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
        let spread = crate::model::retry::mix(self.config.seed ^ self.polls) % 2001;
        let spread = u32::try_from(spread).unwrap_or_default();
        self.config.poll.saturating_sub(tenth).saturating_add(tenth.saturating_mul(spread) / 1000)
    }
}

fn batch<T>(items: &mut Vec<T>, most: usize, may: bool) -> Option<Vec<T>> {
    (may && !items.is_empty()).then(|| items.drain(..items.len().min(most)).collect())
}

#[cfg(test)]
mod tests;
