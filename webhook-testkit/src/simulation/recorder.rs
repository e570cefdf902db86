//! Notes what happens, and lets the laws judge it.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    fault::FaultKind,
    invariants::{Breach, Ending, Laws},
    model::Ledger,
    trace::{Actor, Happening, SendId, What},
};
use crate::{
    ManualClock,
    observed::{Effect, Observer},
};
use webhook_core::{Clock, EndpointId};

/// Clones are the same recorder.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    clock: ManualClock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    ledger: Ledger,
    laws: Laws,
    hasher: DefaultHasher,
    breach: Option<Breach>,
    counts: BTreeMap<FaultKind, u64>,
    sends: u64,
    events: u64,
    /// The last things that have happened, if somebody wants the story.
    story: Option<VecDeque<Happening>>,
}

/// So much of a story is kept.
const STORY: usize = 20_000;

/// What a recorder has counted.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) trace: u64,
    pub(super) sends: u64,
    pub(super) happenings: u64,
    pub(super) faults: BTreeMap<FaultKind, u64>,
    pub(super) premises: BTreeMap<&'static str, u64>,
}

impl Recorder {
    pub(super) fn new(
        clock: ManualClock,
        calm: bool,
        silent: Option<EndpointId>,
        with_story: bool,
    ) -> Self {
        let state = State {
            ledger: Ledger { calm, silent, ..Ledger::default() },
            laws: Laws::all(),
            hasher: DefaultHasher::new(),
            breach: None,
            counts: BTreeMap::new(),
            sends: 0,
            events: 0,
            story: with_story.then(VecDeque::new),
        };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    /// Notes that this has happened now.
    pub(super) fn tell(&self, by: Actor, what: What) {
        let it = Happening { at: self.clock.monotonic(), by, what };
        self.state().tell(it);
    }

    /// How long it has been going on.
    pub(super) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Counts a fault.
    pub(super) fn count(&self, kind: FaultKind) {
        *self.state().counts.entry(kind).or_default() += 1;
    }

    /// A number for a new send.
    pub(super) fn new_send(&self) -> SendId {
        let mut state = self.state();
        state.sends += 1;
        SendId(state.sends)
    }

    /// Reads in what is known.
    pub(super) fn ledger<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&self.state().ledger)
    }

    /// The first law that was broken, if one was.
    pub(super) fn breach(&self) -> Option<Breach> {
        self.state().breach.clone()
    }

    /// Lets the laws judge how it has ended.
    pub(super) fn judge(&self, ending: &Ending) {
        let mut state = self.state();
        let State { ledger, laws, breach, .. } = &mut *state;
        if breach.is_none() {
            *breach = laws.judge(ending, ledger);
        }
    }

    /// It cannot go on, and no law has said so before.
    pub(super) fn break_off(&self, law: &'static str, sentence: &'static str, why: String) {
        let breach = Breach { law, sentence, delivery: None, why };
        self.state().breach.get_or_insert(breach);
    }

    pub(super) fn counted(&self) -> Counted {
        let state = self.state();
        Counted {
            trace: state.hasher.finish(),
            sends: state.sends,
            happenings: state.events,
            faults: state.counts.clone(),
            premises: state.laws.premises(),
        }
    }

    /// The last things that have happened around a breach.
    pub(super) fn story(&self, breach: &Breach) -> Vec<String> {
        let state = self.state();
        let all = state.story.iter().flatten();
        let related = all.filter(|it| breach.delivery.is_none_or(|id| it.concerns(id)));
        let mut lines: Vec<_> = related.map(ToString::to_string).collect();
        lines.split_off(lines.len().saturating_sub(60))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&mut self, it: Happening) {
        if self.breach.is_some() {
            return;
        }
        self.events += 1;
        it.add_to(&mut self.hasher);
        self.breach = self.laws.see(&it, &self.ledger);
        self.ledger.note(&it);
        if let Some(story) = &mut self.story {
            if story.len() == STORY {
                story.pop_front();
            }
            story.push_back(it);
        }
    }
}

/// Tells a recorder what has taken effect by somebody's hand.
#[derive(Clone, Debug)]
pub(super) struct Hand {
    pub(super) recorder: Recorder,
    pub(super) by: Actor,
}

impl Observer for Hand {
    fn see(&self, effect: Effect) {
        self.recorder.tell(self.by, What::Effect(effect));
    }
}
