use webhook_core::{Attempt, Delivery, DeliveryStatus};

use super::{DeliveryEntry, EndState, Invariant, Model, Verdict};

// Catches `a release keeps its number` in webhook-testkit/src/memory/finish.rs:
// - let Transition { result, change } = row.state.released(lease, now);
// + let Transition { result, mut change } = row.state.released(lease, now);
// + change.iter_mut().for_each(|change| change.state.attempts += 1);
// Catches `an outcome without its attempt` in webhook-testkit/src/memory/finish.rs:
// - item.attempts.iter().for_each(|attempt| row.record(attempt.clone()));
// + item.attempts.iter().skip(1).for_each(|attempt| row.record(attempt.clone()));
// Catches `lost attempts are not recorded` in webhook-core/src/engine/dispatcher/make_attempt.rs:
// - let mut attempts = lost_attempts(claim);
// + let mut attempts = Vec::new();
/// Recorded attempts are numbered 1, 2, 3 without gaps and match the delivery's count. There are no
/// more sends than claims, and released claims do not count.
#[derive(Debug, Default)]
pub(super) struct Attempts;

impl Invariant for Attempts {
    fn check_end(&mut self, end: &EndState, model: &Model) -> Verdict {
        Verdict::all(end.deliveries.iter().map(|(id, (delivery, attempts))| {
            match model.deliveries.get(id) {
                Some(entry) => judge(delivery, attempts, entry),
                None => Verdict::NotApplicable,
            }
        }))
    }
}

fn judge(delivery: &Delivery, attempts: &[Attempt], entry: &DeliveryEntry) -> Verdict {
    let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
    let without_gaps = (1..).zip(&numbers).all(|(expected, number)| expected == *number);
    let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    // A cancelled delivery whose worker died gets no record of its last attempt.
    let complete = match delivery.status {
        DeliveryStatus::Cancelled => count <= delivery.attempts,
        status => !status.is_final() || count == delivery.attempts,
    };
    // A released claim returns its attempt number.
    let fits = entry.sends.len() <= entry.claims.len()
        && delivery.attempts as usize + entry.released <= entry.claims.len();
    Verdict::of(without_gaps && complete && fits, delivery.id, || {
        format!(
            "attempts {numbers:?} recorded, {} counted, {} claims, {} released, {} sends, {}",
            delivery.attempts,
            entry.claims.len(),
            entry.released,
            entry.sends.len(),
            delivery.status
        )
    })
}
