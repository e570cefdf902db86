use webhook_core::TransportErrorKind;

use super::{Judgement, Law};
use crate::simulation::{
    model::{Ledger, SendBook},
    trace::{Actor, Came, Happening, What},
};

// Catches `attempts counted as they are finished` in webhook-testkit/src/memory/row.rs:
// - self.attempts += 1;
// + self.attempts = u32::try_from(self.records.len()).unwrap_or(0) + 1;
// Catches `an exhausted delivery is sent` in webhook-core/src/engine/dispatcher/attempt.rs:
// - if !claim.progress.is_allowed(&endpoint.retry) {
// + if claim.progress.attempt == 0 {
/// Since it was published or redelivered, a delivery is sent no more often than its policy allows; our
/// own faults do not count.
#[derive(Debug)]
pub(super) struct Budget;

impl Law for Budget {
    fn text(&self) -> (&'static str, &'static str) {
        let law = "since it was published or redelivered, a delivery is sent no more often than its policy allows";
        ("budget", law)
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let (What::SendStarted(start), Actor::Worker(pid)) = (&it.what, it.by) else {
            return Judgement::Silent;
        };
        let (Some(book), Some(endpoint)) =
            (before.deliveries.get(&start.delivery), before.endpoint(start.delivery))
        else {
            return Judgement::Silent;
        };
        let stale = book.claim_of(pid).is_none_or(|it| it.claim.lease.epoch <= book.reopened_epoch);
        if stale {
            return Judgement::Silent;
        }
        let counted = |send: &&SendBook| {
            let own = matches!(send.came, Some((_, Came::Fault(TransportErrorKind::Local))));
            send.epoch > Some(book.reopened_epoch) && !own
        };
        let sent = book.sends.iter().filter(counted).count() + 1;
        let most = endpoint.now.retry.max_attempts() as usize;
        Judgement::of(sent <= most, start.delivery, || format!("send {sent} of {most}"))
    }
}
