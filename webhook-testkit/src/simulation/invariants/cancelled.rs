use super::{Judgement, Law};
use crate::{
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Actor, Happening, What},
    },
};

// Catches `a paused endpoint gets work` in webhook-testkit/src/memory/claim.rs:
// - self.endpoint(endpoint).is_some_and(|endpoint| endpoint.state.is_active())
// + self.endpoint(endpoint).is_some()
/// Of what is cancelled, and of endpoints that are paused, disabled or removed, nothing is claimed; what
/// was claimed before may still be sent.
#[derive(Debug)]
pub(super) struct Cancelled;

impl Law for Cancelled {
    fn text(&self) -> (&'static str, &'static str) {
        let law = "of what is cancelled, paused, disabled or removed nothing is claimed; what was claimed \
                   before may still be sent";
        ("cancelled", law)
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        match (&it.what, it.by) {
            (What::Effect(Effect::Claimed { claimed, .. }), _) => {
                Judgement::all(claimed.claims.iter().map(|claim| {
                    let id = claim.lease.delivery;
                    let endpoint = before.endpoint(id);
                    let open = endpoint.is_some_and(|it| !it.removed && it.now.state.is_active());
                    Judgement::of(open, id, || "its endpoint gets nothing at present".to_owned())
                }))
            }
            (What::SendStarted(start), Actor::Worker(pid)) => {
                let Some(book) = before.deliveries.get(&start.delivery) else {
                    return Judgement::Silent;
                };
                let Some(cancelled_at) = book.cancelled_at else { return Judgement::Silent };
                let claimed = book.claim_of(pid).is_some_and(|claim| claim.at <= cancelled_at);
                Judgement::of(claimed, start.delivery, || "it was cancelled before".to_owned())
            }
            _ => Judgement::Silent,
        }
    }
}
