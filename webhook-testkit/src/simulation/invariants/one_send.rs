use super::{Action, Actor, Invariant, Model, TraceEvent, Verdict};

// Catches `the transport tries twice` in webhook-core/src/engine/exchanger.rs:
// - let sent = self.transport.send(request.with_timeout(timeout));
// + let request = request.with_timeout(timeout);
// + let _ = self.transport.send(request.clone()).await;
// + let sent = self.transport.send(request);
/// A process sends only what it has claimed, once for each claim.
#[derive(Debug, Default)]
pub(super) struct OneSend;

impl Invariant for OneSend {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let (Action::SendStarted(start), Actor::Worker(pid)) = (&traced.action, traced.by) else {
            return Verdict::NotApplicable;
        };
        let claim = before.deliveries.get(&start.delivery).and_then(|entry| entry.claim_of(pid));
        Verdict::of(claim.is_some_and(|claim| claim.send.is_none()), start.delivery, || {
            format!("its claim: {claim:?}")
        })
    }
}
