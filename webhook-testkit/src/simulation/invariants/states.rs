use webhook_core::{Delivery, DeliveryStatus};

use super::{Action, Effect, Invariant, Model, TraceEvent, Verdict};

// Catches `a final state is left` in webhook-testkit/src/memory/finish.rs:
// - let Transition { result, change } = row.state.finished(&item, now);
// + if row.state.held {
// +     row.state.status = webhook_core::DeliveryStatus::InFlight;
// + }
// + let Transition { result, change } = row.state.finished(&item, now);
/// Only a redelivery leaves a final state. A delivery in flight becomes pending or final.
#[derive(Debug, Default)]
pub(super) struct States;

impl Invariant for States {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Action::Effect(effect) = &traced.action else { return Verdict::NotApplicable };
        match effect {
            Effect::Finished { change, .. } | Effect::Released { change, .. } => {
                match (&change.before, &change.after) {
                    (Some(was), Some(is)) => follows(was, is),
                    _ => Verdict::NotApplicable,
                }
            }
            Effect::Claimed { claimed, .. } => Verdict::all(claimed.claims.iter().map(|claim| {
                let id = claim.lease.delivery;
                let status = before.deliveries.get(&id).map(|entry| entry.status);
                let open = status.is_some_and(|status| !status.is_final());
                Verdict::of(open, id, || format!("{status:?} was claimed"))
            })),
            Effect::Redelivered { delivery, .. } => {
                let status = before.deliveries.get(delivery).map(|entry| entry.status);
                let over = status.is_some_and(DeliveryStatus::is_final);
                Verdict::of(over, *delivery, || format!("{status:?} was redelivered"))
            }
            _ => Verdict::NotApplicable,
        }
    }
}

fn follows(was: &Delivery, is: &Delivery) -> Verdict {
    let holds = was.status == is.status || was.status == DeliveryStatus::InFlight;
    Verdict::of(holds, is.id, || format!("{} became {}", was.status, is.status))
}
