//! What simulations come to.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{fault::FaultKind, invariants::Breach, rng::FaultList, run::Played};

/// What one simulation has shown, or many.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Survey {
    /// Runs.
    pub runs: u64,
    /// A hash of everything that has happened, in order; of several runs, the sum.
    pub trace: u64,
    /// Time that went by in them.
    pub virtual_time: Duration,
    /// Calls of transports.
    pub sends: u64,
    /// Things that the laws have seen.
    pub happenings: u64,
    /// How often each fault has happened.
    pub faults: BTreeMap<FaultKind, u64>,
    /// How often each law was put to the test, by its name.
    pub premises: BTreeMap<&'static str, u64>,
}

impl Survey {
    pub(super) fn of(played: &Played) -> Self {
        let counted = &played.counted;
        Self {
            runs: 1,
            trace: counted.trace,
            virtual_time: played.lasted,
            sends: counted.sends,
            happenings: counted.happenings,
            faults: counted.faults.clone(),
            premises: counted.premises.clone(),
        }
    }

    /// Adds what another has shown.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.runs += other.runs;
        self.trace = self.trace.wrapping_add(other.trace);
        self.virtual_time += other.virtual_time;
        self.sends += other.sends;
        self.happenings += other.happenings;
        add(&mut self.faults, &other.faults);
        add(&mut self.premises, &other.premises);
        self
    }
}

fn add<K: Clone + Ord>(counts: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    more.iter().for_each(|(key, count)| *counts.entry(key.clone()).or_default() += count);
}

/// A law does not hold.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Broken {
    /// The seed it shows with.
    pub seed: u64,
    /// The name of the law.
    pub law: &'static str,
    /// What it says.
    pub sentence: &'static str,
    /// In which way it is broken.
    pub why: String,
    /// The faults that it takes.
    pub faults: FaultList,
    /// What happened around it, a line each.
    pub story: Vec<String>,
}

impl Broken {
    pub(super) fn new(seed: u64, breach: Breach, faults: FaultList, story: Vec<String>) -> Self {
        let Breach { law, sentence, why, .. } = breach;
        Self { seed, law, sentence, why, faults, story }
    }

    pub(super) fn differs(seed: u64, faults: FaultList) -> Self {
        let sentence = "the same seed is the same run";
        let why = "a second run with it went another way".to_owned();
        Self { seed, law: "deterministic", sentence, why, faults, story: Vec::new() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, law, sentence, why, faults, story } = self;
        writeln!(f, "seed {seed} breaks the law `{law}`: {sentence}")?;
        writeln!(f, "  {why}")?;
        writeln!(f, "  with {} faults: {faults}", faults.len())?;
        story.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for Broken {}
