//! Schedule of a dispatcher: the claims it holds, the outcomes it has to record, and when to call
//! the store again.
//!
//! This is bookkeeping only. Every method takes the time as an argument, and nothing here does I/O.
//! Each kind of store call runs once at a time, while the next batch is collected. Only outcomes
//! may be recorded in two batches at the same time, if there are enough of them.

use std::{sync::Arc, time::Duration};

use super::{config::DispatcherConfig, unrouted::Routing};
use crate::{
    engine::admission::{Admission, slots::ClaimView},
    model::{delivery::Lease, health::HealthSignal},
    port::store::work::{Claim, ClaimCursor, ClaimDue, Finish, Settle, TenantLimits},
};

/// Maximum pause after a store failure, and so the maximum time until work continues after it.
const MAX_STORE_PAUSE: Duration = Duration::from_secs(5);

/// Minimum pause between two claims that are made because an endpoint was full. Publishers may keep
/// it full, while other work of it becomes due without a notification.
const FULL_ENDPOINT_CLAIM_PAUSE: Duration = Duration::from_millis(20);

/// Pause before the next routing after events were routed, because unrouted events rarely come
/// alone. The pause doubles with each routing that finds nothing, up to the poll interval.
const FIRST_ROUTE_PAUSE: Duration = Duration::from_millis(4);

/// Minimum number of outcomes for a second batch while the first one is being recorded.
const SECOND_BATCH_MIN_OUTCOMES: usize = 64;

/// Maximum size of the bodies that one claim reads, in bytes.
const MAX_CLAIM_BYTES: usize = 64 * 1024 * 1024;

/// Time that is never reached.
const NEVER: Duration = Duration::MAX;

/// Decides when a dispatcher makes its store calls. All times are on the monotonic clock.
#[derive(Debug)]
pub(super) struct Schedule {
    config: DispatcherConfig,
    /// Slots, shared with the publishers of this process.
    admission: Arc<Admission>,
    finishes: Vec<Finish>,
    releases: Vec<Lease>,
    cursor: Option<ClaimCursor>,
    /// True if the last claim left due work in the store, for lack of slots.
    due_work_left: bool,
    /// Times of the next claim and the next routing; `NEVER` while one is in progress.
    claim_at: Duration,
    route_at: Duration,
    /// Pause after a routing that finds nothing; the poll interval, if that is shorter.
    route_pause: Duration,
    claiming: bool,
    /// Start of the last claim.
    claimed_at: Duration,
    routing: bool,
    /// Number of batches that are being recorded.
    recording: usize,
    releasing: bool,
    /// No store call begins earlier, after a failure.
    store_retry_at: Duration,
    failures: u32,
    polls: u64,
    drain_until: Option<Duration>,
}

impl Schedule {
    pub(super) fn new(config: DispatcherConfig, admission: Arc<Admission>) -> Self {
        Self {
            config,
            admission,
            finishes: Vec::new(),
            releases: Vec::new(),
            cursor: None,
            due_work_left: false,
            claim_at: Duration::ZERO,
            route_at: Duration::ZERO,
            route_pause: NEVER,
            claiming: false,
            claimed_at: Duration::ZERO,
            routing: false,
            recording: 0,
            releasing: false,
            store_retry_at: Duration::ZERO,
            failures: 0,
            polls: 0,
            drain_until: None,
        }
    }

    /// Makes the next claim and the next routing due now: after the current ones, if they are in
    /// progress.
    pub(super) fn wake(&mut self, now: Duration) {
        self.claim_at = self.claim_at.min(now);
        self.route_at = self.route_at.min(now);
    }

    /// Starts the shutdown: no more work is claimed or routed.
    pub(super) fn drain(&mut self, now: Duration) {
        self.admission.close();
        self.drain_until.get_or_insert(now.saturating_add(self.config.drain));
    }

    pub(super) const fn is_draining(&self) -> bool {
        self.drain_until.is_some()
    }

    /// Number of claims that are being sent, or wait to be recorded or released.
    pub(super) fn held(&self) -> usize {
        self.admission.with_slots(|slots| slots.held())
    }

    /// Returns true if the shutdown has ended: no slot is in use; or its time is up and all
    /// outcomes are recorded; or the time for recording them is up as well.
    pub(super) fn is_done(&self, now: Duration) -> bool {
        let Some(until) = self.drain_until else { return false };
        let store_busy = self.claiming || self.routing || self.recording > 0 || self.releasing;
        let unrecorded = store_busy || !self.finishes.is_empty() || !self.releases.is_empty();
        let in_use = self.admission.with_slots(|slots| slots.held() + slots.reserved());
        now >= self.drain_deadline(until) || !unrecorded && (in_use == 0 || now >= until)
    }

    /// Time by which outcomes must be recorded after a shutdown whose time is up at `drained`.
    const fn drain_deadline(&self, drained: Duration) -> Duration {
        drained.saturating_add(self.config.recording_budget)
    }

    /// Begins a claim, if one is due and slots are free.
    pub(super) fn begin_claim(&mut self, now: Duration) -> Option<ClaimDue> {
        let due = !self.is_draining() && now >= self.claim_at.max(self.store_retry_at);
        if self.claiming || !due {
            return None;
        }
        let (limit, in_flight) =
            self.admission.with_slots(|slots| slots.begin_claim(self.config.batch))?;
        (self.claiming, self.claim_at, self.claimed_at) = (true, NEVER, now);
        let claim = ClaimDue::new(limit, self.config.lease).max_bytes(MAX_CLAIM_BYTES);
        let claim = claim.in_flight(in_flight).worker(self.config.name.clone());
        let share = u32::try_from(self.config.share()).unwrap_or(u32::MAX);
        Some(claim.tenants(TenantLimits::new(share)).cursor(self.cursor.clone()))
    }

    /// Begins a routing, if one is due.
    pub(super) fn begin_routing(&mut self, now: Duration) -> bool {
        let due = !self.is_draining() && now >= self.route_at.max(self.store_retry_at);
        if self.routing || !due {
            return false;
        }
        (self.routing, self.route_at) = (true, NEVER);
        true
    }

    /// Begins to record a batch of outcomes, if there is one and the store may be called.
    pub(super) fn begin_recording(&mut self, now: Duration) -> Option<Vec<Finish>> {
        let may = self.may_record() && now >= self.store_retry_at;
        let batch = batch(&mut self.finishes, self.config.batch, may);
        self.recording += usize::from(batch.is_some());
        batch
    }

    fn may_record(&self) -> bool {
        self.recording == 0
            || self.recording == 1 && self.finishes.len() >= SECOND_BATCH_MIN_OUTCOMES
    }

    /// Begins to release a batch of claims, if there is one and the store may be called.
    pub(super) fn begin_releasing(&mut self, now: Duration) -> Option<Vec<Lease>> {
        let may = !self.releasing && now >= self.store_retry_at;
        let batch = batch(&mut self.releases, self.config.batch, may);
        self.releasing |= batch.is_some();
        batch
    }

    /// Takes the result of a claim that was requested at `requested_at`, and schedules the next
    /// one.
    pub(super) fn claimed(
        &mut self,
        claims: &[Claim],
        cursor: Option<ClaimCursor>,
        next_due: Option<Duration>,
        requested_at: Duration,
        now: Duration,
    ) -> ClaimView {
        self.claiming = false;
        self.failures = 0;
        self.cursor = cursor;
        self.due_work_left = next_due == Some(Duration::ZERO);
        let ends = requested_at.saturating_add(self.config.lease);
        let view =
            self.admission.with_slots(|slots| slots.claimed(claims, ends, self.due_work_left));
        // "Due now" is ignored if nothing was claimed: it would cause a loop of claims.
        let next_due = next_due.filter(|due| !due.is_zero() || !claims.is_empty());
        let poll = self.next_poll();
        let next = now.saturating_add(next_due.map_or(poll, |due| due.min(poll)));
        self.claim_at = self.claim_at.min(next);
        view
    }

    /// Schedules a claim no later than `at`.
    pub(super) fn claim_by(&mut self, at: Duration) {
        self.claim_at = self.claim_at.min(at);
    }

    /// Takes the result of a routing, and schedules the next one.
    pub(super) fn routed(&mut self, routing: Routing, now: Duration) {
        self.routing = false;
        self.failures = 0;
        let wait = if routing.more { Some(Duration::ZERO) } else { routing.next_due };
        let wait = wait.filter(|wait| !wait.is_zero() || routing.routed > 0);
        self.route_pause =
            if routing.routed > 0 { FIRST_ROUTE_PAUSE } else { self.route_pause.saturating_mul(2) };
        let poll = self.next_poll().min(self.route_pause);
        let next = now.saturating_add(wait.map_or(poll, |wait| wait.min(poll)));
        self.route_at = self.route_at.min(next);
        if routing.routed > 0 {
            self.claim_by(now);
        }
    }

    /// Schedules another claim after a failed one.
    pub(super) fn claim_failed(&mut self, now: Duration) {
        (self.claiming, self.claim_at) = (false, now);
        self.admission.with_slots(|slots| slots.claim_failed());
        self.store_failed(now);
    }

    /// Schedules another routing after a failed one.
    pub(super) fn routing_failed(&mut self, now: Duration) {
        (self.routing, self.route_at) = (false, now);
        self.store_failed(now);
    }

    /// Latest start of an attempt whose lease was requested at `requested_at`, so that it can end
    /// and be recorded before the lease expires.
    pub(super) fn start_by(&self, requested_at: Duration, timeout: Duration) -> Duration {
        let ends = requested_at.saturating_add(self.config.lease);
        let longest = timeout.min(self.config.max_timeout);
        ends.saturating_sub(longest).saturating_sub(self.config.recording_budget)
    }

    /// Queues the outcome of an attempt to be recorded, regardless of how long that takes: the
    /// fence makes a late record safe, and it is worth more than an attempt recorded as unknown.
    ///
    /// Schedules a claim if the endpoint is backlogged, or `was_full` and so may have more work.
    /// After a failure its slot is kept until that is recorded, because the endpoint may have to
    /// cool down then.
    pub(super) fn finish_later(
        &mut self,
        finish: Finish,
        signal: HealthSignal,
        was_full: bool,
        now: Duration,
    ) {
        let lease = finish.lease;
        let (signal, is_backlogged) = self.admission.with_slots(|slots| {
            let signal = slots.health_cache.filter(lease.delivery.endpoint, signal);
            if !matches!(signal, HealthSignal::Bad | HealthSignal::Busy(_)) {
                slots.attempt_ended(lease);
            }
            (signal, slots.is_backlogged(lease.delivery.endpoint))
        });
        if is_backlogged {
            self.claim_by(now);
        } else if was_full {
            self.claim_by(now.max(self.claimed_at.saturating_add(FULL_ENDPOINT_CLAIM_PAUSE)));
        }
        self.finishes.push(finish.with_health_signal(signal, self.config.health));
    }

    /// Queues outcomes again that could not be recorded.
    pub(super) fn finish_again(&mut self, finishes: Vec<Finish>) {
        self.finishes.extend(finishes);
    }

    /// Queues a claim to be released, unless its lease has expired.
    pub(super) fn release_later(&mut self, lease: Lease, now: Duration) {
        if self.admission.with_slots(|slots| slots.begin_release(lease, now)) {
            self.releases.push(lease);
        }
    }

    /// Frees the slot of a claim that is recorded or released.
    pub(super) fn free_slot(&mut self, lease: Lease) {
        self.admission.with_slots(|slots| slots.free_slot(lease));
    }

    /// Takes the result of recording a batch. The slots of these outcomes are free, and their
    /// retries may be due before the next poll.
    pub(super) fn recorded<'f>(
        &mut self,
        finishes: impl IntoIterator<Item = &'f Finish>,
        now: Duration,
    ) {
        self.recording = self.recording.saturating_sub(1);
        for finish in finishes {
            self.failures = 0;
            self.free_slot(finish.lease);
            match finish.settle {
                Settle::Retry(wait) => {
                    self.claim_at = self.claim_at.min(now.saturating_add(wait));
                }
                // The next delivery of its order queue is due.
                Settle::Success | Settle::Failed if finish.ordered => self.claim_by(now),
                Settle::Success | Settle::Failed => {}
            }
            if finish.health_signal.0 == HealthSignal::Good {
                self.admission.with_slots(|slots| {
                    slots.health_cache.success_stored(finish.lease.delivery.endpoint);
                });
            }
            if finish.health_signal.0 != HealthSignal::None {
                // The endpoint may accept more attempts now.
                self.claim_by(now);
            }
        }
        if self.due_work_left {
            self.claim_by(now);
        }
    }

    /// Ends the release of a batch, whether or not it has failed.
    pub(super) const fn released(&mut self) {
        self.releasing = false;
    }

    /// Pauses store calls after a failure, longer each time.
    pub(super) fn store_failed(&mut self, now: Duration) {
        let pause = Duration::from_secs(1).saturating_mul(1 << self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        self.store_retry_at = now.saturating_add(pause.min(MAX_STORE_PAUSE));
    }

    /// Time until the next store call is due, unless something happens earlier.
    pub(super) fn idle_for(&self, now: Duration) -> Duration {
        let draining = self.is_draining();
        let claim =
            !draining && !self.claiming && self.admission.with_slots(|slots| slots.claimable()) > 0;
        let write = !self.finishes.is_empty() && self.may_record();
        let give_back = !self.releases.is_empty() && !self.releasing;
        let times = [
            claim.then(|| self.claim_at.max(self.store_retry_at)),
            (!draining && !self.routing).then(|| self.route_at.max(self.store_retry_at)),
            (write || give_back).then_some(self.store_retry_at),
            self.drain_until.map(
                |until| {
                    if now >= until { self.drain_deadline(until) } else { until }
                },
            ),
        ];
        times.into_iter().flatten().min().unwrap_or(NEVER).saturating_sub(now)
    }

    /// Poll interval, randomly up to a tenth shorter or longer, so that workers do not poll in
    /// step.
    fn next_poll(&mut self) -> Duration {
        self.polls = self.polls.wrapping_add(1);
        let tenth = self.config.poll / 10;
        let spread = crate::model::retry::mix(self.config.seed ^ self.polls) % 2001;
        let spread = u32::try_from(spread).unwrap_or_default();
        self.config.poll.saturating_sub(tenth).saturating_add(tenth.saturating_mul(spread) / 1000)
    }
}

fn batch<T>(items: &mut Vec<T>, limit: usize, may: bool) -> Option<Vec<T>> {
    (may && !items.is_empty()).then(|| items.drain(..items.len().min(limit)).collect())
}

#[cfg(test)]
mod tests;
