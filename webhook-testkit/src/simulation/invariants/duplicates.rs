use super::{Judgement, Law};
use crate::simulation::{
    model::{Ledger, SendBook},
    trace::{Happening, What},
};

/// After a 2xx nothing more is sent, unless its lease was lost by some fault, or somebody asked for it.
#[derive(Debug)]
pub(super) struct Duplicates;

impl Law for Duplicates {
    fn text(&self) -> (&'static str, &'static str) {
        let law = "after a 2xx nothing more is sent, unless a fault lost its lease or somebody asked for it";
        ("duplicates", law)
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let What::SendStarted(start) = &it.what else { return Judgement::Silent };
        let Some(book) = before.deliveries.get(&start.delivery) else { return Judgement::Silent };
        let accepted = |send: &&SendBook| {
            let since = send.epoch > Some(book.reopened_epoch);
            since && send.came.as_ref().is_some_and(|(_, came)| came.is_success())
        };
        match book.sends.iter().find(accepted) {
            None if before.calm => Judgement::Held(1),
            None => Judgement::Silent,
            Some(send) => Judgement::of(book.lost > 0 && !before.calm, start.delivery, || {
                format!("send {} was accepted, and no lease was lost", send.id.0)
            }),
        }
    }
}
