use super::{Judgement, Law};
use crate::simulation::{
    model::Ledger,
    trace::{Actor, Happening, What},
};

// Catches `a lease shorter than the deadline` in webhook-core/src/engine/dispatcher/schedule.rs:
// - ends.saturating_sub(longest).saturating_sub(self.config.recording_budget)
// + ends.saturating_sub(longest / 1_000_000)
/// A send starts only while its lease leaves time for the whole of it, and for its record.
#[derive(Debug)]
pub(super) struct StartInTime;

impl Law for StartInTime {
    fn text(&self) -> (&'static str, &'static str) {
        (
            "start-in-time",
            "a send starts only while its lease leaves time for all of it and its record",
        )
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let (What::SendStarted(start), Actor::Worker(pid)) = (&it.what, it.by) else {
            return Judgement::Silent;
        };
        let claim = before.deliveries.get(&start.delivery).and_then(|book| book.claim_of(pid));
        let (Some(claim), Some(worker)) = (claim, before.workers.get(&pid)) else {
            return Judgement::Silent;
        };
        let needed = start.request.timeout + worker.facts.recording_budget;
        let ends = claim.asked_at + worker.facts.lease;
        Judgement::of(it.at + needed <= ends, start.delivery, || {
            format!("{:?} are left of the lease, {needed:?} are needed", ends.saturating_sub(it.at))
        })
    }
}
