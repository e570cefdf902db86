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

// The modules of the invariants take these from here.
use super::{
    model::{ClaimEntry, DeliveryEntry, EndpointEntry, Model, SendEntry, WorkerEntry, is_given_up},
    receivers::POISON_MARKER,
    trace::{Action, Actor, Pid, SendOutcome, SendStart, TraceEvent},
};
use crate::{
    ManualClock, PlainSigner, StoreCall,
    observed::{Change, Effect},
};

/// A property that must hold in every run.
pub(super) trait Invariant: fmt::Debug + Send {
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

/// An invariant with its name and its sentence.
#[derive(Debug)]
struct Stated {
    name: &'static str,
    sentence: &'static str,
    invariant: Box<dyn Invariant>,
    /// How often its premise was true.
    held: u64,
}

macro_rules! invariants {
    ($($module:ident::$type:ident: $name:literal, $sentence:literal;)*) => {
        /// Returns all invariants.
        fn stated() -> Vec<Stated> {
            vec![$(Stated {
                name: $name,
                sentence: $sentence,
                invariant: Box::new($module::$type::default()),
                held: 0,
            }),*]
        }
    };
}

invariants! {
    durable::Durable: "durable",
        "each accepted event and each of its deliveries is stored until the end";
    joined::Joined: "joined",
        "an event whose transaction was rolled back is never stored and never sent";
    idempotent::Idempotent: "idempotent",
        "a key identifies one event of a tenant; a repeat returns it, another event is refused";
    states::States: "states",
        "only a redelivery leaves a final state; a delivery in flight becomes pending or final";
    success::Success: "success",
        "a delivery succeeds only after a complete response head with a 2xx, under that lease";
    epochs::Epochs: "epochs",
        "each claim of a delivery has a higher epoch than all before, and no other lease is valid";
    fence::Fence: "fence",
        "a write under an older epoch changes nothing, returns LeaseLost, and is counted";
    overlap::Overlap: "overlap",
        "while a lease is valid, no other worker sends its delivery";
    start_in_time::StartInTime: "start-in-time",
        "a send starts only if its lease leaves time for the send and for recording it";
    budget::Budget: "budget",
        "a delivery is sent at most as often as its retry policy allows since its publish or redelivery";
    attempts::Attempts: "attempts",
        "recorded attempts are numbered without gaps and match the count; no more sends than claims";
    waits::Waits: "waits",
        "a wait is the policy's, extended by Retry-After up to its cap, and is kept";
    signatures::Signatures: "signatures",
        "each send is signed at its own time with exactly the active secrets; id and body never change";
    one_send::OneSend: "one-send",
        "a process sends only what it has claimed, once for each claim";
    limits::Limits: "limits",
        "sends in flight stay within the limits of the process and of each endpoint";
    duplicates::Duplicates: "duplicates",
        "after a 2xx nothing is sent again, unless a fault lost the lease or an operator redelivered";
    cancelled::Cancelled: "cancelled",
        "nothing cancelled, paused, disabled or removed is claimed; earlier claims may still be sent";
    counts::Counts: "counts",
        "at the end the store has each created delivery once, in its last known state";
    panics::Panics: "panics",
        "a panic of the transport ends the attempt, and never the worker";
    ends::Ends: "ends",
        "after the faults have ended, every delivery becomes final";
    takeover::Takeover: "takeover",
        "claims of a dead worker are claimed again soon after their leases have expired";
    others::Others: "others",
        "while one endpoint is silent, due deliveries to the others start in time";
    shutdown::Shutdown: "shutdown",
        "a worker that is asked to stop claims nothing, starts no send, and ends in time";
    outage::Outage: "outage",
        "after an outage of the store, a waiting worker claims again within seconds";
    poison::Poison: "poison",
        "an event that kills its worker each time exhausts its attempts and fails";
    order::Order: "order",
        "of the deliveries with one key in order only the first in line is sent, one at a time";
    rates::Rates: "rates",
        "in any time span, at most as many attempts start as the endpoint's burst and rate allow";
    shares::Shares: "shares",
        "if two tenants have work, neither gets more in flight than its share";
    notices::Notices: "notices",
        "each failed delivery and disabled endpoint has one notice, and no notice lacks a cause";
    cooling_down::CoolingDown: "cooling-down",
        "an endpoint that cools down gets no delivery, then one probe; publishers keep to that too";
    slot_wait::SlotWait: "slot-wait",
        "a publisher waits for a slot of a busy endpoint, at most 250 ms";
    lost_answer::LostAnswer: "lost-answer",
        "after a lost result nothing is sent from memory, and a repeat takes no leases";
    woken::Woken: "woken",
        "after a repeated publish the worker of the process polls immediately";
    released::Released: "released",
        "a publisher releases its leases if its dispatcher has ended in the meantime";
    fresh_snapshot::FreshSnapshot: "fresh-snapshot",
        "a publisher does not route twice by a version that the store refused";
}

/// All invariants.
#[derive(Debug)]
pub(super) struct Invariants(Vec<Stated>);

impl Invariants {
    pub(super) fn all() -> Self {
        Self(stated())
    }

    /// Checks an event against all invariants. Returns the first violation.
    pub(super) fn check(&mut self, traced: &TraceEvent, before: &Model) -> Option<Violation> {
        self.ask(|invariant| invariant.check(traced, before))
    }

    /// Checks the end state against all invariants. Returns the first violation.
    pub(super) fn check_end(&mut self, end: &EndState, model: &Model) -> Option<Violation> {
        self.ask(|invariant| invariant.check_end(end, model))
    }

    fn ask(&mut self, mut ask: impl FnMut(&mut dyn Invariant) -> Verdict) -> Option<Violation> {
        self.0.iter_mut().find_map(|stated| match ask(stated.invariant.as_mut()) {
            Verdict::NotApplicable => None,
            Verdict::Held(times) => {
                stated.held += times;
                None
            }
            Verdict::Violated(delivery, reason) => {
                let Stated { name, sentence, .. } = *stated;
                Some(Violation { invariant: name, sentence, delivery, reason })
            }
        })
    }

    /// How often the premise of each invariant was true, by name.
    pub(super) fn premises(&self) -> BTreeMap<&'static str, u64> {
        self.0.iter().map(|stated| (stated.name, stated.held)).collect()
    }

    /// Name and sentence of each invariant.
    pub(super) fn descriptions() -> Vec<(&'static str, &'static str)> {
        stated().iter().map(|stated| (stated.name, stated.sentence)).collect()
    }
}
