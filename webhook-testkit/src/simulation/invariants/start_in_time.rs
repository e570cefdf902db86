use super::{Action, Actor, Invariant, Model, TraceEvent, Verdict};

// Catches `a lease shorter than the deadline` in webhook-core/src/engine/dispatcher/schedule.rs:
// - ends.saturating_sub(longest).saturating_sub(self.config.recording_budget)
// + ends.saturating_sub(longest / 1_000_000)
/// A send starts only if its lease leaves time for its timeout and for recording the outcome.
#[derive(Debug, Default)]
pub(super) struct StartInTime;

impl Invariant for StartInTime {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let (Action::SendStarted(start), Actor::Worker(pid)) = (&traced.action, traced.by) else {
            return Verdict::NotApplicable;
        };
        let claim = before.deliveries.get(&start.delivery).and_then(|entry| entry.claim_of(pid));
        let (Some(claim), Some(worker)) = (claim, before.workers.get(&pid)) else {
            return Verdict::NotApplicable;
        };
        let needed = start.request.timeout + worker.settings.recording_budget;
        let ends = claim.asked_at + worker.settings.lease;
        Verdict::of(traced.at + needed <= ends, start.delivery, || {
            format!(
                "{:?} are left of the lease, {needed:?} are needed",
                ends.saturating_sub(traced.at)
            )
        })
    }
}
