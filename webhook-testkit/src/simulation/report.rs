//! Results of simulations.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{fault::FaultKind, invariants::Violation, rng::FaultList, run::RunOutcome};

/// Result of one or more runs in which all invariants held.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SimulationReport {
    /// Number of runs.
    pub runs: u64,
    /// Hash of the trace; for several runs the sum.
    pub trace: u64,
    /// Virtual time.
    pub virtual_time: Duration,
    /// Number of sends.
    pub sends: u64,
    /// Number of events in the trace.
    pub trace_events: u64,
    /// Number of faults by kind.
    pub faults: BTreeMap<FaultKind, u64>,
    /// How often the premise of each invariant was true, by name.
    pub premises: BTreeMap<&'static str, u64>,
}

impl SimulationReport {
    pub(super) fn from_outcome(outcome: &RunOutcome) -> Self {
        let counts = &outcome.counts;
        Self {
            runs: 1,
            trace: counts.trace,
            virtual_time: outcome.lasted,
            sends: counts.sends,
            trace_events: counts.trace_events,
            faults: counts.faults.clone(),
            premises: counts.premises.clone(),
        }
    }

    /// Adds the result of other runs.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.runs += other.runs;
        self.trace = self.trace.wrapping_add(other.trace);
        self.virtual_time += other.virtual_time;
        self.sends += other.sends;
        self.trace_events += other.trace_events;
        add(&mut self.faults, &other.faults);
        add(&mut self.premises, &other.premises);
        self
    }
}

fn add<K: Clone + Ord>(counts: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    more.iter().for_each(|(key, count)| *counts.entry(key.clone()).or_default() += count);
}

/// A run in which an invariant was violated.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrokenInvariant {
    /// Seed of the run.
    pub seed: u64,
    /// Name of the invariant.
    pub invariant: &'static str,
    /// Sentence of the invariant.
    pub sentence: &'static str,
    /// Description of the violation.
    pub reason: String,
    /// Faults that are needed for the violation.
    pub faults: FaultList,
    /// Events before the violation, one line each.
    pub recent_events: Vec<String>,
}

impl BrokenInvariant {
    pub(super) fn new(
        seed: u64,
        violation: Violation,
        faults: FaultList,
        recent_events: Vec<String>,
    ) -> Self {
        let Violation { invariant, sentence, reason, .. } = violation;
        Self { seed, invariant, sentence, reason, faults, recent_events }
    }

    pub(super) fn differs(seed: u64, faults: FaultList) -> Self {
        let sentence = "the same seed gives the same run";
        let reason = "a second run of the seed had another trace".to_owned();
        Self {
            seed,
            invariant: "deterministic",
            sentence,
            reason,
            faults,
            recent_events: Vec::new(),
        }
    }
}

impl fmt::Display for BrokenInvariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, invariant, sentence, reason, faults, recent_events } = self;
        writeln!(f, "seed {seed} breaks the invariant `{invariant}`: {sentence}")?;
        writeln!(f, "  {reason}")?;
        writeln!(f, "  with {} faults: {faults}", faults.len())?;
        recent_events.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for BrokenInvariant {}
