//! Finds a small set of faults that still causes a violation, by repeating the run without others.

use super::{BrokenInvariant, Simulation, rng::FaultList, run::RunOutcome};

/// Maximum number of repeated runs.
const MAX_SHRINK_RUNS: usize = 400;

/// Returns the violation with as few faults as possible.
pub(super) fn shrink(simulation: &Simulation, first: RunOutcome) -> BrokenInvariant {
    let Some(violation) = first.violation else {
        return BrokenInvariant::differs(simulation.seed, first.injected);
    };
    let mut kept: Vec<_> = first.injected.0.into_iter().collect();
    let breaks = |faults: &[_]| {
        let faults = FaultList(faults.iter().copied().collect());
        let outcome = simulation.allowing(faults).run_with(false);
        outcome.violation.is_some_and(|found| found.invariant == violation.invariant)
    };
    let (mut part, mut runs) = (kept.len().div_ceil(2).max(1), 0);
    while runs < MAX_SHRINK_RUNS && !kept.is_empty() {
        let mut at = 0;
        let before = kept.len();
        while at < kept.len() && runs < MAX_SHRINK_RUNS {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + part).min(kept.len()));
            runs += 1;
            if breaks(&fewer) {
                kept = fewer;
            } else {
                at += part;
            }
        }
        if part == 1 && kept.len() == before {
            break;
        }
        part = part.div_ceil(2);
    }
    let faults = FaultList(kept.into_iter().collect());
    let outcome = simulation.allowing(faults.clone()).run_with(true);
    let violation = outcome.violation.clone().unwrap_or(violation);
    BrokenInvariant::new(simulation.seed, violation, faults, outcome.recent_events)
}
