use std::time::Duration;

use super::{Judgement, Law};
use crate::{
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Happening, What},
    },
};

// Catches `the same epoch again` in webhook-testkit/src/memory/row.rs:
// - self.epoch = self.epoch.next();
// +         self.epoch = self.epoch.max(LeaseEpoch::default().next());
// Catches `taken over before the lease has ended` in webhook-testkit/src/memory/row.rs:
// - self.due_at = now.after(lease);
// + self.due_at = now.after(lease / 4);
// Catches `two workers hold one lease` in webhook-testkit/src/memory/row.rs:
// - self.due_at = now.after(lease);
// + self.due_at = now;
/// Each claim of a delivery has a higher epoch than all before, and is made when no other lease holds.
#[derive(Debug)]
pub(super) struct Epochs;

impl Law for Epochs {
    fn text(&self) -> (&'static str, &'static str) {
        let law = "each claim of a delivery has a higher epoch than all before, and no other lease holds then";
        ("epochs", law)
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let What::Effect(Effect::Claimed { claimed, .. }) = &it.what else {
            return Judgement::Silent;
        };
        Judgement::all(claimed.claims.iter().map(|claim| {
            let id = claim.lease.delivery;
            let Some(book) = before.deliveries.get(&id) else { return Judgement::Silent };
            let Some(last) = book.claims.last() else { return Judgement::Silent };
            // Stores reckon by the millisecond.
            let holds = !last.over && it.at + Duration::from_millis(1) < last.ends;
            let rises = claim.lease.epoch > book.epoch;
            Judgement::of(rises && !holds, id, || {
                format!("epoch {} after {}, lease holds: {holds}", claim.lease.epoch, book.epoch)
            })
        }))
    }
}
