use super::{Action, Invariant, Model, TraceEvent, Verdict};

/// While a lease is valid, no other worker sends its delivery.
#[derive(Debug, Default)]
pub(super) struct Overlap;

impl Invariant for Overlap {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Action::SendStarted(start) = &traced.action else { return Verdict::NotApplicable };
        let Some(entry) = before.deliveries.get(&start.delivery) else {
            return Verdict::NotApplicable;
        };
        if entry.claims.len() < 2 {
            return Verdict::NotApplicable;
        }
        let in_flight = entry.sends_in_flight();
        let allowed = entry.lost + entry.reopened;
        let held = entry.sends.iter().filter(|send| send.outcome.is_none()).any(|send| {
            let claim = send.epoch.and_then(|epoch| entry.claim_at(epoch));
            claim.is_some_and(|claim| !claim.closed && traced.at < claim.ends)
        });
        Verdict::of(in_flight <= allowed && !held, start.delivery, || {
            format!(
                "{in_flight} sends are under way, {allowed} leases were lost, one holds: {held}"
            )
        })
    }
}
