//! Random sequences of calls, with equal answers from two stores.
//!
//! A sequence is a list of seeds, one for each call. Which call that is, and about what, follows from
//! its seed and from what is stored by then, so that a sequence stays one when calls are left out of it:
//! what fails is told as the shortest list that still does.

mod answer;
mod call;
mod dice;
mod hands;
mod side;

use std::{env, fmt::Write as _, sync::Arc};

use super::{super::contract::prepare, StoreHarness};
use crate::{ManualClock, MemoryStore};
use call::Call;
use dice::Dice;
use hands::Hands;
use side::Side;

/// Sequences of a run, unless the environment asks for a single one.
const SEQUENCES: u64 = 4;

/// Calls in a sequence.
const CALLS: usize = 250;

/// The seed of a sequence, from the environment.
const SEED: &str = "WEBHOOK_SEQUENCE_SEED";

/// How many calls it has, from the environment.
const LENGTH: &str = "WEBHOOK_SEQUENCE_CALLS";

/// How often a shorter sequence is tried, once one has failed.
const TRIES: usize = 300;

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - left.in_flight = capped(open().filter(|(_, row)| row.is_leased(now)));
pub async fn random_sequences_give_the_same_answers_as_the_store_in_memory<H: StoreHarness>() {
    let calls = asked(LENGTH).and_then(|calls| calls.try_into().ok()).unwrap_or(CALLS);
    let seeds = match asked(SEED) {
        Some(seed) => seed..seed + 1,
        None => 1..SEQUENCES + 1,
    };
    for seed in seeds {
        let dice = Dice::new(seed);
        let sequence: Vec<u64> = (0..calls).map(|_| dice.next()).collect();
        if let Err(played) = play::<H>(&sequence).await {
            let played = shorten::<H>(&sequence[..played.calls], played).await;
            panic!("sequence {seed} of {calls} calls ({SEED}, {LENGTH}), shortened:\n{played}");
        }
    }
}

fn asked(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// A sequence up to the call that was answered differently.
struct Played {
    calls: usize,
    story: String,
}

impl std::fmt::Display for Played {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.story)
    }
}

/// Makes the calls on two fresh stores.
async fn play<H: StoreHarness>(sequence: &[u64]) -> Result<(), Played> {
    let harness = prepare(H::fresh()).await;
    let clock = ManualClock::new();
    let memory = MemoryStore::new(Arc::new(clock.clone()));
    let expected = Side::new(Arc::new(memory.clone())).await;
    let tested = Side::new(harness.store()).await;
    let mut hands = Hands::new(memory);
    let mut story = String::new();
    let compare = async |calls, call: &Call, story: &str| {
        let answer = side::compare(call, &expected, &tested).await;
        answer.map_err(|difference| Played { calls, story: format!("{story}{difference}") })
    };
    for (at, seed) in sequence.iter().enumerate() {
        let call = hands.next_call(Dice::new(*seed)).await;
        _ = writeln!(story, "{:>4}. {call:?}", at + 1);
        if let Call::Advance(by) = call {
            clock.advance(by);
            harness.advance(by).await;
            continue;
        }
        let answer = compare(at + 1, &call, &story).await?;
        _ = writeln!(story, "      {}", answer.told());
        hands.learn(&call, answer);
    }
    for call in hands.last_look() {
        _ = writeln!(story, " end. {call:?}");
        compare(sequence.len(), &call, &story).await?;
    }
    Ok(())
}

/// Leaves out what is not needed for the difference: halves first, then ever smaller parts.
async fn shorten<H: StoreHarness>(sequence: &[u64], mut played: Played) -> Played {
    let mut sequence = sequence.to_vec();
    let mut tries = TRIES;
    let mut part = sequence.len().div_ceil(2);
    while part > 0 {
        let mut from = 0;
        while from < sequence.len() && tries > 0 {
            let mut shorter = sequence.clone();
            shorter.drain(from..(from + part).min(sequence.len()));
            tries -= 1;
            match play::<H>(&shorter).await {
                Ok(()) => from += part,
                Err(still) => {
                    shorter.truncate(still.calls);
                    (sequence, played) = (shorter, still);
                }
            }
        }
        part /= 2;
    }
    played
}
