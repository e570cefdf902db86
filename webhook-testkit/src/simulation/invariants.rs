//! Invariants that must hold under all faults, one in each file.
//!
//! An invariant checks each event of the trace against the model before that event. It also counts
//! how often its premise was true, because an invariant that is never tested proves nothing.

mod attempts;
mod budget;
mod cancelled;
mod cooling_down;
mod counts;
mod duplicates;
mod durable;
mod ends;
mod epochs;
mod fence;
mod fresh_snapshot;
mod idempotent;
mod joined;
mod limits;
mod lost_answer;
mod notices;
mod one_send;
mod order;
mod others;
mod outage;
mod overlap;
mod panics;
mod poison;
mod rates;
mod released;
mod shares;
mod shutdown;
mod signatures;
mod slot_wait;
mod start_in_time;
mod states;
mod success;
mod takeover;
mod waits;
mod woken;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use webhook_core::{Attempt, Delivery, DeliveryId, EventId, Notice};

use super::{model::Model, trace::TraceEvent};

/// A property that must hold in every run.
pub(super) trait Invariant: fmt::Debug + Send {
    /// Name and sentence of this invariant.
    fn describe(&self) -> (&'static str, &'static str);

    /// Checks an event of the trace against the model before the event.
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let _ = (traced, before);
        Verdict::NotApplicable
    }

    /// Checks the state of the store at the end of the run.
    fn check_end(&mut self, end: &EndState, model: &Model) -> Verdict {
        let _ = (end, model);
        Verdict::NotApplicable
    }
}

/// Result of one check.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// The premise is false.
    NotApplicable,
    /// The premise was true this many times, and the invariant held.
    Held(u64),
    /// The invariant is violated, for this delivery and reason.
    Violated(Option<DeliveryId>, String),
}

impl Verdict {
    /// Held once if `holds`; otherwise violated for this delivery.
    pub(super) fn of(holds: bool, delivery: DeliveryId, reason: impl FnOnce() -> String) -> Self {
        if holds { Self::Held(1) } else { Self::Violated(Some(delivery), reason()) }
    }

    /// Combines two verdicts. The first violation wins.
    pub(super) fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Violated(..) => self,
            Self::NotApplicable => other(),
            Self::Held(held) => match other() {
                Self::Held(more) => Self::Held(held + more),
                Self::NotApplicable => Self::Held(held),
                broken => broken,
            },
        }
    }

    /// Combines all verdicts. The first violation wins.
    pub(super) fn all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().fold(Self::NotApplicable, |all, one| all.and(|| one))
    }
}

/// State of the store at the end of a run.
#[derive(Debug, Default)]
pub(super) struct EndState {
    pub(super) deliveries: BTreeMap<DeliveryId, (Delivery, Vec<Attempt>)>,
    /// Number of deliveries that a listing returns.
    pub(super) listed: usize,
    /// Known events that are stored.
    pub(super) events: BTreeSet<EventId>,
    /// Notices that are not acknowledged.
    pub(super) notices: Vec<Notice>,
    pub(super) leases_lost: u64,
    /// True if all deliveries became final in time.
    pub(super) settled: bool,
}

/// A violated invariant.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) invariant: &'static str,
    pub(super) sentence: &'static str,
    pub(super) delivery: Option<DeliveryId>,
    pub(super) reason: String,
}

/// All invariants.
#[derive(Debug)]
pub(super) struct Invariants(Vec<(Box<dyn Invariant>, u64)>);

impl Invariants {
    pub(super) fn all() -> Self {
        let invariants: Vec<Box<dyn Invariant>> = vec![
            Box::new(durable::Durable),
            Box::new(joined::Joined),
            Box::new(idempotent::Idempotent::default()),
            Box::new(states::States),
            Box::new(success::Success),
            Box::new(epochs::Epochs),
            Box::new(fence::Fence::default()),
            Box::new(overlap::Overlap),
            Box::new(start_in_time::StartInTime),
            Box::new(budget::Budget),
            Box::new(attempts::Attempts),
            Box::new(waits::Waits::default()),
            Box::new(signatures::Signatures::default()),
            Box::new(one_send::OneSend),
            Box::new(limits::Limits),
            Box::new(duplicates::Duplicates),
            Box::new(cancelled::Cancelled),
            Box::new(counts::Counts),
            Box::new(panics::Panics),
            Box::new(ends::Ends),
            Box::new(takeover::Takeover::default()),
            Box::new(others::Others::default()),
            Box::new(shutdown::Shutdown),
            Box::new(outage::Outage::default()),
            Box::new(poison::Poison),
            Box::new(order::Order),
            Box::new(rates::Rates::default()),
            Box::new(shares::Shares),
            Box::new(notices::Notices::default()),
            Box::new(cooling_down::CoolingDown::default()),
            Box::new(slot_wait::SlotWait::default()),
            Box::new(lost_answer::LostAnswer::default()),
            Box::new(woken::Woken::default()),
            Box::new(released::Released::default()),
            Box::new(fresh_snapshot::FreshSnapshot::default()),
        ];
        Self(invariants.into_iter().map(|invariant| (invariant, 0)).collect())
    }

    /// Checks an event against all invariants. Returns the first violation.
    pub(super) fn check(&mut self, traced: &TraceEvent, before: &Model) -> Option<Violation> {
        self.ask(|invariant| invariant.check(traced, before))
    }

    /// Checks the end state against all invariants. Returns the first violation.
    pub(super) fn check_end(&mut self, end: &EndState, model: &Model) -> Option<Violation> {
        self.ask(|invariant| invariant.check_end(end, model))
    }

    fn ask(&mut self, mut say: impl FnMut(&mut dyn Invariant) -> Verdict) -> Option<Violation> {
        self.0.iter_mut().find_map(|(invariant, held)| match say(invariant.as_mut()) {
            Verdict::NotApplicable => None,
            Verdict::Held(times) => {
                *held += times;
                None
            }
            Verdict::Violated(delivery, reason) => {
                let (invariant, sentence) = invariant.describe();
                Some(Violation { invariant, sentence, delivery, reason })
            }
        })
    }

    /// How often the premise of each invariant was true, by name.
    pub(super) fn premises(&self) -> BTreeMap<&'static str, u64> {
        self.0.iter().map(|(invariant, held)| (invariant.describe().0, *held)).collect()
    }

    /// Name and sentence of each invariant.
    pub(super) fn descriptions() -> Vec<(&'static str, &'static str)> {
        Self::all().0.iter().map(|(invariant, _)| invariant.describe()).collect()
    }
}
