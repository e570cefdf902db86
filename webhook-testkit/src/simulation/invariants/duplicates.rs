use super::{Action, Invariant, Model, SendEntry, TraceEvent, Verdict};

/// After a 2xx a delivery is not sent again, unless a fault lost its lease or an operator
/// redelivered it.
#[derive(Debug, Default)]
pub(super) struct Duplicates;

impl Invariant for Duplicates {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Action::SendStarted(start) = &traced.action else { return Verdict::NotApplicable };
        let Some(entry) = before.deliveries.get(&start.delivery) else {
            return Verdict::NotApplicable;
        };
        let accepted = |send: &&SendEntry| {
            let since = send.epoch > Some(entry.reopened_epoch);
            since && send.outcome.as_ref().is_some_and(|(_, outcome)| outcome.is_success())
        };
        match entry.sends.iter().find(accepted) {
            None if before.calm => Verdict::Held(1),
            None => Verdict::NotApplicable,
            Some(send) => Verdict::of(entry.lost > 0 && !before.calm, start.delivery, || {
                format!("send {} was accepted, and no lease was lost", send.id.0)
            }),
        }
    }
}
