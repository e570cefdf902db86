use webhook_core::transport::TransportErrorKind;

use super::{Action, Actor, Invariant, Model, SendEntry, SendOutcome, TraceEvent, Verdict};

// Catches `attempts counted as they are finished` in webhook-testkit/src/memory/claim.rs:
// - row.state = row.state.claimed(ask.lease, ask.worker.as_ref(), now);
// + row.state = row.state.claimed(ask.lease, ask.worker.as_ref(), now);
// + row.state.attempts = u32::try_from(row.records.len()).unwrap_or(0) + 1;
// Catches `an exhausted delivery is sent` in webhook-core/src/engine/dispatcher/make_attempt.rs:
// - if !claim.progress.is_allowed(&endpoint.retry) {
// + if claim.progress.attempt == 0 {
/// Since its publish or last redelivery, a delivery is sent at most as often as its retry policy
/// allows. Local faults do not count.
#[derive(Debug, Default)]
pub(super) struct Budget;

impl Invariant for Budget {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let (Action::SendStarted(start), Actor::Worker(pid)) = (&traced.action, traced.by) else {
            return Verdict::NotApplicable;
        };
        let (Some(entry), Some(endpoint)) =
            (before.deliveries.get(&start.delivery), before.endpoint(start.delivery))
        else {
            return Verdict::NotApplicable;
        };
        let stale =
            entry.claim_of(pid).is_none_or(|claim| claim.claim.lease.epoch <= entry.reopened_epoch);
        if stale {
            return Verdict::NotApplicable;
        }
        let counted = |send: &&SendEntry| {
            let own =
                matches!(send.outcome, Some((_, SendOutcome::Fault(TransportErrorKind::Local))));
            send.epoch > Some(entry.reopened_epoch) && !own
        };
        let sent = entry.sends.iter().filter(counted).count() + 1;
        let most = endpoint.now.retry.max_attempts() as usize;
        Verdict::of(sent <= most, start.delivery, || format!("send {sent} of {most}"))
    }
}
