use super::{Judgement, Law};
use crate::simulation::{
    model::Ledger,
    trace::{Happening, What},
};

/// While a lease holds, nobody else sends its delivery.
#[derive(Debug)]
pub(super) struct Overlap;

impl Law for Overlap {
    fn text(&self) -> (&'static str, &'static str) {
        ("overlap", "while a lease holds, nobody else sends its delivery")
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let What::SendStarted(start) = &it.what else { return Judgement::Silent };
        let Some(book) = before.deliveries.get(&start.delivery) else { return Judgement::Silent };
        if book.claims.len() < 2 {
            return Judgement::Silent;
        }
        let flying = book.flying();
        let allowed = book.lost + book.reopened;
        let held = book.sends.iter().filter(|send| send.came.is_none()).any(|send| {
            let claim = send.epoch.and_then(|epoch| book.claim_at(epoch));
            claim.is_some_and(|claim| !claim.over && it.at < claim.ends)
        });
        Judgement::of(flying <= allowed && !held, start.delivery, || {
            format!("{flying} sends are under way, {allowed} leases were lost, one holds: {held}")
        })
    }
}
