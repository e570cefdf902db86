use std::time::Duration;

use super::{Action, Effect, Invariant, Model, TraceEvent, Verdict};

// Catches `the same epoch again` in webhook-testkit/src/memory/claim.rs:
// - row.state = row.state.claimed(ask.lease, ask.worker.as_ref(), now);
// + let epoch = row.state.epoch.max(webhook_core::store::LeaseEpoch::default().next());
// + row.state = row.state.claimed(ask.lease, ask.worker.as_ref(), now);
// + row.state.epoch = epoch;
// Catches `taken over before the lease has ended` in webhook-testkit/src/memory/claim.rs:
// - .claimed(ask.lease, ask
// + .claimed(ask.lease / 4, ask
// Catches `two workers hold one lease` in webhook-testkit/src/memory/claim.rs:
// - .claimed(ask.lease, ask
// + .claimed(Duration::ZERO, ask
/// Each claim of a delivery has a higher epoch than all before, and no other lease is valid then.
#[derive(Debug, Default)]
pub(super) struct Epochs;

impl Invariant for Epochs {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Action::Effect(Effect::Claimed { claimed, .. }) = &traced.action else {
            return Verdict::NotApplicable;
        };
        Verdict::all(claimed.claims.iter().map(|claim| {
            let id = claim.lease.delivery;
            let Some(entry) = before.deliveries.get(&id) else { return Verdict::NotApplicable };
            let Some(last) = entry.claims.last() else { return Verdict::NotApplicable };
            // Stores count in milliseconds.
            let holds = !last.closed && traced.at + Duration::from_millis(1) < last.ends;
            let rises = claim.lease.epoch > entry.epoch;
            Verdict::of(rises && !holds, id, || {
                format!("epoch {} after {}, lease holds: {holds}", claim.lease.epoch, entry.epoch)
            })
        }))
    }
}
