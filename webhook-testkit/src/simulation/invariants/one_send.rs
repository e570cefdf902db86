use super::{Judgement, Law};
use crate::simulation::{
    model::Ledger,
    trace::{Actor, Happening, What},
};

// Catches `the transport tries twice` in webhook-core/src/engine/exchanger.rs:
// - let sent = self.transport.send(request.with_timeout(timeout));
// + let request = request.with_timeout(timeout);
// + let _ = self.transport.send(request.clone()).await;
// + let sent = self.transport.send(request);
/// Whoever sends has claimed, and sends once for each claim.
#[derive(Debug)]
pub(super) struct OneSend;

impl Law for OneSend {
    fn text(&self) -> (&'static str, &'static str) {
        ("one-send", "whoever sends has claimed, and sends once for each claim")
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let (What::SendStarted(start), Actor::Worker(pid)) = (&it.what, it.by) else {
            return Judgement::Silent;
        };
        let claim = before.deliveries.get(&start.delivery).and_then(|book| book.claim_of(pid));
        Judgement::of(claim.is_some_and(|claim| claim.send.is_none()), start.delivery, || {
            format!("its claim: {claim:?}")
        })
    }
}
