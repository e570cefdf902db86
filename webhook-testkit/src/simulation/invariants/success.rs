use webhook_core::DeliveryStatus;

use super::{Action, Effect, Invariant, Model, TraceEvent, Verdict};

// Catches `a redirect is a success` in webhook-core/src/policy/classify.rs:
// - status if status.is_success() => Verdict::Accepted,
// + status if status.as_u16() < 400 => Verdict::Accepted,
/// A delivery succeeds only after a complete response head with a 2xx, under that lease.
#[derive(Debug, Default)]
pub(super) struct Success;

impl Invariant for Success {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Action::Effect(Effect::Finished { finish, change, .. }) = &traced.action else {
            return Verdict::NotApplicable;
        };
        let id = finish.lease.delivery;
        let status =
            |state: &Option<webhook_core::Delivery>| state.as_ref().map(|delivery| delivery.status);
        let succeeded = Some(DeliveryStatus::Success);
        if status(&change.after) != succeeded || status(&change.before) == succeeded {
            return Verdict::NotApplicable;
        }
        let send = before.deliveries.get(&id).and_then(|entry| entry.send_at(finish.lease.epoch));
        let outcome = send.and_then(|send| send.outcome.as_ref());
        Verdict::of(outcome.is_some_and(|(_, outcome)| outcome.is_success()), id, || {
            format!("it is a success after {outcome:?}")
        })
    }
}
