//! Admission: the slots that publishers share with one run of the dispatcher, the publishers that
//! wait for one, and the claims queued for the dispatcher.

mod backlogged;
mod health_cache;
pub(crate) mod slots;
pub(crate) mod wait_queue;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    engine::{
        admission::{
            slots::{SlotRefusal, Slots},
            wait_queue::{QueueKey, WaitQueues, Waiter},
        },
        dispatcher::config::DispatcherConfig,
        routes::Routes,
        wake::Wake,
    },
    model::{
        endpoint::Endpoint, event::Event, id::EndpointId, time::Timestamp, worker::WorkerName,
    },
    port::{Clock, store::work::Claim},
};

/// Returns true if an endpoint accepts attempts now, as its publisher knows it. The store would
/// reject a lease for one that is paused, disabled or cooling down.
pub(super) fn accepts_attempts(endpoint: &Endpoint, now: Timestamp) -> bool {
    let cools_down = endpoint.health.cools_down_until().is_some_and(|until| until > now);
    endpoint.state.is_active() && !cools_down
}

/// Claim that was created by a publisher, with the endpoint as the publisher knew it.
#[derive(Debug)]
pub(super) struct ReservedClaim {
    pub(super) claim: Claim,
    pub(super) endpoint: Arc<Endpoint>,
    /// Time at which its lease was requested, on the monotonic clock.
    pub(super) requested_at: Duration,
}

/// State that the publishers of a process share with one run of its dispatcher.
pub(super) struct Admission {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lease: Duration,
    pub(super) worker: Option<WorkerName>,
    state: Mutex<AdmissionState>,
    /// Wakes the dispatcher after a claim was queued or a slot was released.
    pub(super) wake: Wake,
}

#[derive(Debug)]
pub(super) struct AdmissionState {
    pub(super) slots: Slots,
    wait_queues: WaitQueues,
    /// Claims queued for the dispatcher.
    pub(super) queued: Vec<ReservedClaim>,
    /// True if publishers may take slots.
    pub(super) open: bool,
    /// True if the dispatcher takes no more claims.
    pub(super) ended: bool,
}

impl AdmissionState {
    /// Queue in which a publisher must wait for a slot of this endpoint; `None` if it need not or
    /// must not wait. A free slot belongs to the publishers that already wait.
    fn queue_for(&self, endpoint: &Endpoint, overtaken: bool) -> Option<QueueKey> {
        let has_others = |key: &QueueKey| !overtaken && self.wait_queues.has_waiters(*key);
        match self.slots.refusal(endpoint) {
            Some(SlotRefusal::ClaimOnly) => None,
            Some(SlotRefusal::Full(key)) => Some(key),
            None => [QueueKey::Endpoint(endpoint.id), QueueKey::All].into_iter().find(has_others),
        }
    }

    /// Wakes a waiter for each slot that was released.
    fn wake_waiters(&mut self, now: Duration) {
        for (key, all_free) in self.slots.take_released() {
            self.wait_queues.slot_released(key, all_free, now);
        }
    }
}

impl Admission {
    pub(super) fn new(clock: Arc<dyn Clock>, config: &DispatcherConfig) -> Self {
        let slots = config.slots();
        let (wait_queues, queued) = (WaitQueues::default(), Vec::new());
        let state = AdmissionState { slots, wait_queues, queued, open: true, ended: false };
        let (lease, worker) = (config.lease, config.name.clone());
        Self { clock, lease, worker, state: Mutex::new(state), wake: Wake::default() }
    }

    /// Calls `change` with the slots, and wakes waiters for those that it has released.
    pub(super) fn with_slots<T>(&self, change: impl FnOnce(&mut Slots) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state.slots);
        state.wake_waiters(self.clock.monotonic());
        result
    }

    /// Takes a slot for the endpoint of an event, before the event is routed, and stores the
    /// endpoint in `early_slot`; or returns a waiter, if the estimated wait is short.
    ///
    /// Does neither for an event with several endpoints: all of them would wait for one.
    pub(super) fn reserve_or_wait(
        &self,
        event: &Event,
        routes: &Routes,
        early_slot: &mut Option<EndpointId>,
        overtaken: bool,
    ) -> Option<Waiter> {
        let mut entries = routes.snapshot().wanting(&event.event_type);
        let (Some(entry), None) = (entries.next(), entries.next()) else { return None };
        let loaded = routes.loaded();
        let endpoint = loaded.get(entry)?;
        let (mut state, now) = (self.state(), self.clock.now());
        let may_send = accepts_attempts(endpoint, now) && !endpoint.keeps_order_of(event);
        if !state.open || !may_send || early_slot.is_some() {
            return None;
        }
        if let Some(key) = state.queue_for(endpoint, overtaken) {
            return state.wait_queues.enqueue_waiter(key, overtaken, self.clock.monotonic());
        }
        if state.slots.refusal(endpoint).is_none() && state.slots.reserve(endpoint) {
            *early_slot = Some(endpoint.id);
        }
        None
    }

    /// Removes and returns the queued claims.
    pub(super) fn take_queued(&self) -> Vec<ReservedClaim> {
        std::mem::take(&mut self.state().queued)
    }

    /// Waits until a claim is queued or a slot is released.
    pub(super) async fn woken(&self) {
        self.wake.woken().await;
    }

    /// Ends the taking of slots by publishers.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.open = false;
        state.wait_queues.close();
    }

    /// Ends the queue. Returns false, and does nothing, if a claim is queued.
    pub(super) fn try_end(&self) -> bool {
        let mut state = self.state();
        state.ended = state.queued.is_empty();
        state.ended
    }

    /// Ends the queue and drops its claims.
    pub(super) fn abort(&self) {
        let mut state = self.state();
        (state.open, state.ended) = (false, true);
        state.wait_queues.close();
        state.queued.clear();
    }

    pub(super) fn state(&self) -> MutexGuard<'_, AdmissionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("state", &self.state).finish_non_exhaustive()
    }
}
