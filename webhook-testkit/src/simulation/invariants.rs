//! What must hold, whatever happens: a law in each file, its sentence at the top.
//!
//! A law sees each thing that happens, with what was known before it. Of a law that is never put to the
//! test nothing is learnt, so each says how often its premise was true.

mod attempts;
mod budget;
mod cancelled;
mod cooling;
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

use super::{model::Ledger, trace::Happening};

/// A law.
pub(super) trait Law: fmt::Debug + Send {
    /// Its name, and its sentence.
    fn text(&self) -> (&'static str, &'static str);

    /// What it says of `it`, when `before` was known.
    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let _ = (it, before);
        Judgement::Silent
    }

    /// What it says at the end.
    fn judge(&mut self, ending: &Ending, ledger: &Ledger) -> Judgement {
        let _ = (ending, ledger);
        Judgement::Silent
    }
}

/// What a law says.
#[derive(Clone, Debug)]
pub(super) enum Judgement {
    /// It has nothing to do with this.
    Silent,
    /// It was put to the test, so often, and held.
    Held(u64),
    /// It is broken, in this delivery.
    Broken(Option<DeliveryId>, String),
}

impl Judgement {
    /// Held, or broken in this delivery for the reason given.
    pub(super) fn of(holds: bool, delivery: DeliveryId, why: impl FnOnce() -> String) -> Self {
        if holds { Self::Held(1) } else { Self::Broken(Some(delivery), why()) }
    }

    /// Both: the first breach counts.
    pub(super) fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Broken(..) => self,
            Self::Silent => other(),
            Self::Held(held) => match other() {
                Self::Held(more) => Self::Held(held + more),
                Self::Silent => Self::Held(held),
                broken => broken,
            },
        }
    }

    /// All of these.
    pub(super) fn all(judgements: impl IntoIterator<Item = Self>) -> Self {
        judgements.into_iter().fold(Self::Silent, |all, one| all.and(|| one))
    }
}

/// How a simulation has ended: what the store says.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) deliveries: BTreeMap<DeliveryId, (Delivery, Vec<Attempt>)>,
    /// How many deliveries a listing shows.
    pub(super) listed: usize,
    /// Of the events that were looked for, those that are there.
    pub(super) events: BTreeSet<EventId>,
    /// Notices that nobody has acknowledged.
    pub(super) notices: Vec<Notice>,
    pub(super) leases_lost: u64,
    /// Whether everything came to its end in time.
    pub(super) settled: bool,
}

/// A law that was broken.
#[derive(Clone, Debug)]
pub(super) struct Breach {
    pub(super) law: &'static str,
    pub(super) sentence: &'static str,
    pub(super) delivery: Option<DeliveryId>,
    pub(super) why: String,
}

/// All laws.
#[derive(Debug)]
pub(super) struct Laws(Vec<(Box<dyn Law>, u64)>);

impl Laws {
    pub(super) fn all() -> Self {
        let laws: Vec<Box<dyn Law>> = vec![
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
            Box::new(cooling::Cooling::default()),
            Box::new(slot_wait::SlotWait::default()),
            Box::new(lost_answer::LostAnswer::default()),
            Box::new(woken::Woken::default()),
            Box::new(released::Released::default()),
            Box::new(fresh_snapshot::FreshSnapshot::default()),
        ];
        Self(laws.into_iter().map(|law| (law, 0)).collect())
    }

    /// The first law that is broken by what happens.
    pub(super) fn see(&mut self, it: &Happening, before: &Ledger) -> Option<Breach> {
        self.ask(|law| law.see(it, before))
    }

    /// The first law that is broken at the end.
    pub(super) fn judge(&mut self, ending: &Ending, ledger: &Ledger) -> Option<Breach> {
        self.ask(|law| law.judge(ending, ledger))
    }

    fn ask(&mut self, mut say: impl FnMut(&mut dyn Law) -> Judgement) -> Option<Breach> {
        self.0.iter_mut().find_map(|(law, held)| match say(law.as_mut()) {
            Judgement::Silent => None,
            Judgement::Held(times) => {
                *held += times;
                None
            }
            Judgement::Broken(delivery, why) => {
                let (law, sentence) = law.text();
                Some(Breach { law, sentence, delivery, why })
            }
        })
    }

    /// How often each was put to the test.
    pub(super) fn premises(&self) -> BTreeMap<&'static str, u64> {
        self.0.iter().map(|(law, held)| (law.text().0, *held)).collect()
    }

    /// The name and the sentence of each.
    pub(super) fn texts() -> Vec<(&'static str, &'static str)> {
        Self::all().0.iter().map(|(law, _)| law.text()).collect()
    }
}
