use webhook_core::{Attempt, Delivery, DeliveryStatus};

use super::{Ending, Judgement, Law};
use crate::simulation::model::{DeliveryBook, Ledger};

// Catches `a release keeps its number` in webhook-testkit/src/memory/finish.rs:
// - row.count_attempts(row.attempts.saturating_sub(1));
// Catches `an outcome without its attempt` in webhook-testkit/src/memory/finish.rs:
// - item.attempts.iter().for_each(|attempt| row.record(attempt.clone()));
// + item.attempts.iter().skip(1).for_each(|attempt| row.record(attempt.clone()));
// Catches `lost attempts are not recorded` in webhook-core/src/engine/dispatcher/attempt.rs:
// - let mut attempts = lost_attempts(claim);
// + let mut attempts = Vec::new();
/// Attempts on record are numbered 1, 2, 3 without gaps, are as many as the delivery counts, and no fewer
/// than were sent and answered for.
#[derive(Debug)]
pub(super) struct Attempts;

impl Law for Attempts {
    fn text(&self) -> (&'static str, &'static str) {
        let law = "attempts on record are numbered without gaps, and as many as the delivery counts; sends are no more than claims";
        ("attempts", law)
    }

    fn judge(&mut self, ending: &Ending, ledger: &Ledger) -> Judgement {
        Judgement::all(ending.deliveries.iter().map(|(id, (delivery, attempts))| {
            match ledger.deliveries.get(id) {
                Some(book) => judge(delivery, attempts, book),
                None => Judgement::Silent,
            }
        }))
    }
}

fn judge(delivery: &Delivery, attempts: &[Attempt], book: &DeliveryBook) -> Judgement {
    let numbers: Vec<_> = attempts.iter().map(|it| it.number).collect();
    let without_gaps = (1..).zip(&numbers).all(|(expected, number)| expected == *number);
    let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    // Nobody records what was cancelled and whose worker died.
    let complete = match delivery.status {
        DeliveryStatus::Cancelled => count <= delivery.attempts,
        status => !status.is_final() || count == delivery.attempts,
    };
    // What is given back takes its number with it.
    let fits = book.sends.len() <= book.claims.len()
        && delivery.attempts as usize + book.released <= book.claims.len();
    Judgement::of(without_gaps && complete && fits, delivery.id, || {
        format!(
            "attempts {numbers:?} on record, {} counted, {} claims, {} given back, {} sends, {}",
            delivery.attempts,
            book.claims.len(),
            book.released,
            book.sends.len(),
            delivery.status
        )
    })
}
