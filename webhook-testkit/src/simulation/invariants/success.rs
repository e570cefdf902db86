use webhook_core::DeliveryStatus;

use super::{Judgement, Law};
use crate::{
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Happening, What},
    },
};

// Catches `a redirect is a success` in webhook-core/src/policy/classify.rs:
// - status if status.is_success() => Verdict::Accepted,
// + status if status.as_u16() < 400 => Verdict::Accepted,
/// A delivery succeeds only after a whole head of a 2xx has come for it, under that lease.
#[derive(Debug)]
pub(super) struct Success;

impl Law for Success {
    fn text(&self) -> (&'static str, &'static str) {
        (
            "success",
            "a delivery succeeds only after the head of a 2xx has come for it, under that lease",
        )
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let What::Effect(Effect::Finished { finish, change, .. }) = &it.what else {
            return Judgement::Silent;
        };
        let id = finish.lease.delivery;
        let status = |it: &Option<webhook_core::Delivery>| it.as_ref().map(|it| it.status);
        let succeeded = Some(DeliveryStatus::Success);
        if status(&change.after) != succeeded || status(&change.before) == succeeded {
            return Judgement::Silent;
        }
        let send = before.deliveries.get(&id).and_then(|it| it.send_at(finish.lease.epoch));
        let came = send.and_then(|send| send.came.as_ref());
        Judgement::of(came.is_some_and(|(_, came)| came.is_success()), id, || {
            format!("it is a success after {came:?}")
        })
    }
}
