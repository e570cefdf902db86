//! Finds the few faults that a breach needs, by playing it again without the others.

use super::{Broken, Simulation, rng::FaultList, run::Played};

/// So often it is played again at most.
const MOST: usize = 400;

/// The breach with as few faults as can be found.
pub(super) fn shrink(simulation: &Simulation, first: Played) -> Broken {
    let Some(breach) = first.breach else {
        return Broken::differs(simulation.seed, first.happened);
    };
    let mut kept: Vec<_> = first.happened.0.into_iter().collect();
    let breaks = |faults: &[_]| {
        let faults = FaultList(faults.iter().copied().collect());
        let played = simulation.allowing(faults).play(false);
        played.breach.is_some_and(|it| it.law == breach.law)
    };
    let (mut part, mut plays) = (kept.len().div_ceil(2).max(1), 0);
    while plays < MOST && !kept.is_empty() {
        let mut at = 0;
        let before = kept.len();
        while at < kept.len() && plays < MOST {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + part).min(kept.len()));
            plays += 1;
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
    let told = simulation.allowing(faults.clone()).play(true);
    let breach = told.breach.clone().unwrap_or(breach);
    Broken::new(simulation.seed, breach, faults, told.story)
}
