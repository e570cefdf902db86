use super::{Action, Actor, Effect, Invariant, Model, TraceEvent, Verdict};

// Catches `a paused endpoint gets work` in webhook-testkit/src/memory/claim.rs:
// - self.endpoint(endpoint).is_some_and(|endpoint| endpoint.state.is_active())
// + self.endpoint(endpoint).is_some()
/// Nothing is claimed of cancelled deliveries and of paused, disabled or removed endpoints. Earlier
/// claims may still be sent.
#[derive(Debug, Default)]
pub(super) struct Cancelled;

impl Invariant for Cancelled {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        match (&traced.action, traced.by) {
            (Action::Effect(Effect::Claimed { claimed, .. }), _) => {
                Verdict::all(claimed.claims.iter().map(|claim| {
                    let id = claim.lease.delivery;
                    let endpoint = before.endpoint(id);
                    let open = endpoint.is_some_and(|endpoint| {
                        !endpoint.removed && endpoint.now.state.is_active()
                    });
                    Verdict::of(open, id, || "its endpoint gets nothing at present".to_owned())
                }))
            }
            (Action::SendStarted(start), Actor::Worker(pid)) => {
                let Some(entry) = before.deliveries.get(&start.delivery) else {
                    return Verdict::NotApplicable;
                };
                let Some(cancelled_at) = entry.cancelled_at else { return Verdict::NotApplicable };
                let claimed = entry.claim_of(pid).is_some_and(|claim| claim.at <= cancelled_at);
                Verdict::of(claimed, start.delivery, || "it was cancelled before".to_owned())
            }
            _ => Verdict::NotApplicable,
        }
    }
}
