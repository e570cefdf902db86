//! Where publishers and one run of the dispatcher meet: the slots that they share, who waits for one, and
//! what was handed over.

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
            slots::{Refused, Slots},
            wait_queue::{Line, Turn, Waiting},
        },
        dispatcher::config::DispatcherConfig,
        wake::Wake,
    },
    model::{
        endpoint::Endpoint, event::Event, id::EndpointId, routing::Snapshot, time::Timestamp,
        worker::WorkerName,
    },
    port::{Clock, store::deliveries::Claim},
};

/// Whether an endpoint takes attempts now, as far as its publisher knows: the store would refuse to lease
/// to one that is paused, or rests.
pub(super) fn takes_attempts(endpoint: &Endpoint, now: Timestamp) -> bool {
    let rests = endpoint.health.rests_until().is_some_and(|until| until > now);
    endpoint.state.is_active() && !rests
}

/// A claim, with the endpoint as its publisher knew it.
#[derive(Debug)]
pub(super) struct Delivering {
    pub(super) claim: Claim,
    pub(super) endpoint: Arc<Endpoint>,
    /// When its lease was asked for, on the monotonic clock.
    pub(super) asked_at: Duration,
}

/// What the publishers of a process share with one run of its dispatcher.
pub(super) struct Bay {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lease: Duration,
    pub(super) worker: Option<WorkerName>,
    state: Mutex<State>,
    pub(super) news: Wake,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) slots: Slots,
    waiting: Waiting,
    pub(super) handed_over: Vec<Delivering>,
    /// Whether publishers may take slots.
    pub(super) open: bool,
    /// Whether nobody takes anything over any more.
    pub(super) ended: bool,
}

impl State {
    /// Where an event has to wait for a slot of this endpoint. Whoever comes stands behind those who
    /// wait already, even if there is a slot just now: it is theirs.
    fn line_of(&self, endpoint: &Endpoint, again: bool) -> Option<Line> {
        let taken = |line: &Line| !again && self.waiting.has(*line);
        match self.slots.refuses(endpoint) {
            Some(Refused::InTurn) => None,
            Some(Refused::ForNow(line)) => Some(line),
            None => [Line::Endpoint(endpoint.id), Line::All].into_iter().find(taken),
        }
    }

    /// What has come free is the turn of those who wait.
    fn call_next(&mut self, now: Duration) {
        for (line, all_free) in self.slots.freed() {
            self.waiting.freed(line, all_free, now);
        }
    }
}

impl Bay {
    pub(super) fn new(clock: Arc<dyn Clock>, config: &DispatcherConfig) -> Self {
        let slots = config.slots();
        let (waiting, handed_over) = (Waiting::default(), Vec::new());
        let state = State { slots, waiting, handed_over, open: true, ended: false };
        let (lease, worker) = (config.lease, config.name.clone());
        Self { clock, lease, worker, state: Mutex::new(state), news: Wake::default() }
    }

    /// Does something with the slots.
    pub(super) fn slots<T>(&self, act: impl FnOnce(&mut Slots) -> T) -> T {
        let mut state = self.state();
        let answer = act(&mut state.slots);
        state.call_next(self.clock.monotonic());
        answer
    }

    /// Takes a slot ahead for the endpoint of an event, or stands in line for one, if that does not take too
    /// long. An event for several endpoints does neither: while it waited for one, the others would wait
    /// with it.
    pub(super) fn take_or_line_up(
        &self,
        event: &Event,
        snapshot: &Snapshot,
        ahead: &mut Option<EndpointId>,
        again: bool,
    ) -> Option<Turn> {
        let mut endpoints = snapshot.wanting(&event.event_type);
        let (Some(endpoint), None) = (endpoints.next(), endpoints.next()) else { return None };
        let (mut state, now) = (self.state(), self.clock.now());
        let is_for_now = takes_attempts(endpoint, now) && !endpoint.keeps_order_of(event);
        if !state.open || !is_for_now || ahead.is_some() {
            return None;
        }
        if let Some(line) = state.line_of(endpoint, again) {
            return state.waiting.join(line, again, self.clock.monotonic());
        }
        if state.slots.refuses(endpoint).is_none() && state.slots.reserve(endpoint) {
            *ahead = Some(endpoint.id);
        }
        None
    }

    /// What was handed over since.
    pub(super) fn handed_over(&self) -> Vec<Delivering> {
        std::mem::take(&mut self.state().handed_over)
    }

    /// Waits until something is handed over, or given back.
    pub(super) async fn news(&self) {
        self.news.woken().await;
    }

    /// Lets publishers take no more slots.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.open = false;
        state.waiting.end();
    }

    /// Ends it, unless something was handed over since.
    pub(super) fn end(&self) -> bool {
        let mut state = self.state();
        state.ended = state.handed_over.is_empty();
        state.ended
    }

    /// Ends it, whatever was handed over.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        (state.open, state.ended) = (false, true);
        state.waiting.end();
        state.handed_over.clear();
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bay").field("state", &self.state).finish_non_exhaustive()
    }
}
