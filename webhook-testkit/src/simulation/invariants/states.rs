use webhook_core::{Delivery, DeliveryStatus};

use super::{Judgement, Law};
use crate::{
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Happening, What},
    },
};

// Catches `a final state is left` in webhook-testkit/src/memory/finish.rs:
// - let settles = row.status == DeliveryStatus::InFlight;
// + let settles = true;
/// A final state is left by a redelivery alone; otherwise pending, in flight, and from there on.
#[derive(Debug)]
pub(super) struct States;

impl Law for States {
    fn text(&self) -> (&'static str, &'static str) {
        let law = "a final state is left by a redelivery alone; what is in flight becomes pending or final";
        ("states", law)
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let What::Effect(effect) = &it.what else { return Judgement::Silent };
        match effect {
            Effect::Finished { change, .. } | Effect::Released { change, .. } => {
                match (&change.before, &change.after) {
                    (Some(was), Some(is)) => follows(was, is),
                    _ => Judgement::Silent,
                }
            }
            Effect::Claimed { claimed, .. } => Judgement::all(claimed.claims.iter().map(|claim| {
                let id = claim.lease.delivery;
                let status = before.deliveries.get(&id).map(|it| it.status);
                let open = status.is_some_and(|status| !status.is_final());
                Judgement::of(open, id, || format!("{status:?} was claimed"))
            })),
            Effect::Redelivered { delivery, .. } => {
                let status = before.deliveries.get(delivery).map(|it| it.status);
                let over = status.is_some_and(DeliveryStatus::is_final);
                Judgement::of(over, *delivery, || format!("{status:?} was redelivered"))
            }
            _ => Judgement::Silent,
        }
    }
}

fn follows(was: &Delivery, is: &Delivery) -> Judgement {
    let holds = was.status == is.status || was.status == DeliveryStatus::InFlight;
    Judgement::of(holds, is.id, || format!("{} became {}", was.status, is.status))
}
