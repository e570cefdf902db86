//! Random sequences of calls, with equal results of two stores.
//!
//! A sequence is a list of seeds, one for each call. The call follows from its seed and from the
//! stored data, so that a sequence stays valid without some of its calls. A failure is reported as
//! the shortest list that still fails.

mod call;
mod call_result;
mod driver;
mod splitmix;
mod subject;

use std::{env, fmt::Write as _, sync::Arc};

use super::{super::contract::prepare, StoreHarness};
use crate::{ManualClock, MemoryStore};
use call::Call;
use driver::Driver;
use splitmix::SplitMix64;
use subject::Subject;

/// Number of sequences, unless the environment names a single one.
const SEQUENCE_COUNT: u64 = 4;

/// Number of calls in a sequence.
const CALLS_PER_SEQUENCE: usize = 250;

/// Environment variable with the seed of the only sequence.
const SEED_VARIABLE: &str = "WEBHOOK_SEQUENCE_SEED";

/// Environment variable with the number of calls.
const LENGTH_VARIABLE: &str = "WEBHOOK_SEQUENCE_CALLS";

/// Maximum number of shorter sequences that are tried after a failure.
const MAX_SHORTEN_TRIES: usize = 300;

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - left.in_flight = capped(open().filter(|(_, row)| row.state.is_leased(now)));
pub async fn random_sequences_give_the_same_answers_as_the_store_in_memory<H: StoreHarness>() {
    let calls = number_from_env(LENGTH_VARIABLE)
        .and_then(|calls| calls.try_into().ok())
        .unwrap_or(CALLS_PER_SEQUENCE);
    let seeds = match number_from_env(SEED_VARIABLE) {
        Some(seed) => seed..seed + 1,
        None => 1..SEQUENCE_COUNT + 1,
    };
    for seed in seeds {
        let rng = SplitMix64::new(seed);
        let sequence: Vec<u64> = (0..calls).map(|_| rng.next()).collect();
        if let Err(difference) = run_sequence::<H>(&sequence).await {
            let difference = shorten::<H>(&sequence[..difference.calls], difference).await;
            panic!(
                "sequence {seed} of {calls} calls ({SEED_VARIABLE}, {LENGTH_VARIABLE}), shortened:\n{difference}"
            );
        }
    }
}

fn number_from_env(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// The first call with different results, and the calls up to it.
struct Difference {
    calls: usize,
    calls_text: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.calls_text)
    }
}

/// Makes the calls on two fresh stores.
async fn run_sequence<H: StoreHarness>(sequence: &[u64]) -> Result<(), Difference> {
    let harness = prepare(H::fresh()).await;
    let clock = ManualClock::new();
    let memory = MemoryStore::new(Arc::new(clock.clone()));
    let expected = Subject::new(Arc::new(memory.clone())).await;
    let tested = Subject::new(harness.store()).await;
    let mut driver = Driver::new(memory);
    let mut calls_text = String::new();
    let compare = async |calls, call: &Call, calls_text: &str| {
        let answer = subject::compare(call, &expected, &tested).await;
        answer.map_err(|text| Difference { calls, calls_text: format!("{calls_text}{text}") })
    };
    for (at, seed) in sequence.iter().enumerate() {
        let call = driver.next_call(SplitMix64::new(*seed)).await;
        _ = writeln!(calls_text, "{:>4}. {call:?}", at + 1);
        if let Call::Advance(by) = call {
            clock.advance(by);
            harness.advance(by).await;
            continue;
        }
        let answer = compare(at + 1, &call, &calls_text).await?;
        _ = writeln!(calls_text, "      {}", answer.to_text());
        driver.learn(&call, answer);
    }
    for call in driver.final_calls() {
        _ = writeln!(calls_text, " end. {call:?}");
        compare(sequence.len(), &call, &calls_text).await?;
    }
    Ok(())
}

/// Leaves out calls that the difference does not need: halves first, then smaller parts.
async fn shorten<H: StoreHarness>(sequence: &[u64], mut difference: Difference) -> Difference {
    let mut sequence = sequence.to_vec();
    let mut tries = MAX_SHORTEN_TRIES;
    let mut part = sequence.len().div_ceil(2);
    while part > 0 {
        let mut from = 0;
        while from < sequence.len() && tries > 0 {
            let mut shorter = sequence.clone();
            shorter.drain(from..(from + part).min(sequence.len()));
            tries -= 1;
            match run_sequence::<H>(&shorter).await {
                Ok(()) => from += part,
                Err(still) => {
                    shorter.truncate(still.calls);
                    (sequence, difference) = (shorter, still);
                }
            }
        }
        part /= 2;
    }
    difference
}
