use super::{Judgement, Law};
use crate::simulation::{
    model::Ledger,
    trace::{Actor, Happening, Pid, What},
};

// Catches `no limit for each endpoint` in webhook-core/src/engine/admission/slots.rs:
// - } else if self.is_full(endpoint) {
// + } else if false {
/// A process never has more in flight than it may, in all and to each endpoint.
#[derive(Debug)]
pub(super) struct Limits;

impl Law for Limits {
    fn text(&self) -> (&'static str, &'static str) {
        ("limits", "a process never has more in flight than it may, in all and to each endpoint")
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let (What::SendStarted(start), Actor::Worker(pid)) = (&it.what, it.by) else {
            return Judgement::Silent;
        };
        let id = start.delivery;
        let (Some(worker), Some(endpoint)) = (before.workers.get(&pid), before.endpoint(id)) else {
            return Judgement::Silent;
        };
        let its = |of: &Pid| *of == pid;
        let flying = before.flying.values().filter(|(_, of)| its(of));
        let to_endpoint = flying.clone().filter(|(it, _)| it.endpoint == id.endpoint).count() + 1;
        let in_all = flying.count() + 1;
        let claim = before.deliveries.get(&id).and_then(|book| book.claim_of(pid));
        let oldest = claim.map(|claim| claim.claim.endpoint_revision).unwrap_or_default();
        let known = endpoint.revisions.range(oldest..).map(|(_, it)| it.max_in_flight as usize);
        let most = known.max().unwrap_or_default();
        let fits = in_all <= worker.facts.concurrency && to_endpoint <= most;
        Judgement::of(fits, id, || {
            let all = worker.facts.concurrency;
            format!("{in_all} of {all} in flight, {to_endpoint} of {most} to its endpoint")
        })
    }
}
