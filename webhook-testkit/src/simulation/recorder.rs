//! Records the trace: updates the model and checks the invariants.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    fault::FaultKind,
    invariants::{EndState, Invariants, Violation},
    model::Model,
    trace::{Action, Actor, SendId, TraceEvent},
};
use crate::{
    ManualClock,
    observed::{Effect, Observer},
};
use webhook_core::{Clock, EndpointId};

/// Recorder of a run. Clones are the same recorder.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    clock: ManualClock,
    state: Arc<Mutex<RecorderState>>,
}

#[derive(Debug)]
struct RecorderState {
    model: Model,
    invariants: Invariants,
    hasher: DefaultHasher,
    violation: Option<Violation>,
    faults: BTreeMap<FaultKind, u64>,
    sends: u64,
    trace_events: u64,
    /// The most recent events; None if they are not kept.
    recent_events: Option<VecDeque<TraceEvent>>,
}

/// Number of recent events that are kept.
const MAX_RECENT_EVENTS: usize = 20_000;

/// Counters of a run.
#[derive(Clone, Debug)]
pub(super) struct RunCounts {
    pub(super) trace: u64,
    pub(super) sends: u64,
    pub(super) trace_events: u64,
    pub(super) faults: BTreeMap<FaultKind, u64>,
    pub(super) premises: BTreeMap<&'static str, u64>,
}

impl Recorder {
    pub(super) fn new(
        clock: ManualClock,
        calm: bool,
        silent: Option<EndpointId>,
        keep_events: bool,
    ) -> Self {
        let state = RecorderState {
            model: Model { calm, silent, ..Model::default() },
            invariants: Invariants::all(),
            hasher: DefaultHasher::new(),
            violation: None,
            faults: BTreeMap::new(),
            sends: 0,
            trace_events: 0,
            recent_events: keep_events.then(VecDeque::new),
        };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    /// Records that an actor performed this action now.
    pub(super) fn record(&self, by: Actor, action: Action) {
        let traced = TraceEvent { at: self.clock.monotonic(), by, action };
        self.state().record(traced);
    }

    /// Virtual time since the start.
    pub(super) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Counts a fault of this kind.
    pub(super) fn count(&self, kind: FaultKind) {
        *self.state().faults.entry(kind).or_default() += 1;
    }

    /// Returns the id of a new send.
    pub(super) fn new_send(&self) -> SendId {
        let mut state = self.state();
        state.sends += 1;
        SendId(state.sends)
    }

    /// Reads the model.
    pub(super) fn model<T>(&self, read: impl FnOnce(&Model) -> T) -> T {
        read(&self.state().model)
    }

    /// The first violation; None if all invariants hold.
    pub(super) fn violation(&self) -> Option<Violation> {
        self.state().violation.clone()
    }

    /// Checks the state of the store at the end.
    pub(super) fn check_end(&self, end: &EndState) {
        let mut state = self.state();
        let RecorderState { model, invariants, violation, .. } = &mut *state;
        if violation.is_none() {
            *violation = invariants.check_end(end, model);
        }
    }

    /// Aborts the run with a violation, unless there was one before.
    pub(super) fn abort(&self, invariant: &'static str, sentence: &'static str, reason: String) {
        let violation = Violation { invariant, sentence, delivery: None, reason };
        self.state().violation.get_or_insert(violation);
    }

    pub(super) fn counts(&self) -> RunCounts {
        let state = self.state();
        RunCounts {
            trace: state.hasher.finish(),
            sends: state.sends,
            trace_events: state.trace_events,
            faults: state.faults.clone(),
            premises: state.invariants.premises(),
        }
    }

    /// The most recent events that concern a violation.
    pub(super) fn recent_events(&self, violation: &Violation) -> Vec<String> {
        let state = self.state();
        let all = state.recent_events.iter().flatten();
        let related = all.filter(|event| violation.delivery.is_none_or(|id| event.concerns(id)));
        let mut lines: Vec<_> = related.map(ToString::to_string).collect();
        lines.split_off(lines.len().saturating_sub(60))
    }

    fn state(&self) -> MutexGuard<'_, RecorderState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecorderState {
    fn record(&mut self, traced: TraceEvent) {
        if self.violation.is_some() {
            return;
        }
        self.trace_events += 1;
        traced.hash_into(&mut self.hasher);
        self.violation = self.invariants.check(&traced, &self.model);
        self.model.apply(&traced);
        if let Some(recent_events) = &mut self.recent_events {
            if recent_events.len() == MAX_RECENT_EVENTS {
                recent_events.pop_front();
            }
            recent_events.push_back(traced);
        }
    }
}

/// Records the effects of one actor's store calls.
#[derive(Clone, Debug)]
pub(super) struct EffectRecorder {
    pub(super) recorder: Recorder,
    pub(super) by: Actor,
}

impl Observer for EffectRecorder {
    fn observe(&self, effect: Effect) {
        self.recorder.record(self.by, Action::Effect(effect));
    }
}
