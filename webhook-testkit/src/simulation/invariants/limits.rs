use super::{Action, Actor, Invariant, Model, Pid, TraceEvent, Verdict};

// Catches `no limit for each endpoint` in webhook-core/src/engine/admission/slots.rs:
// - } else if self.is_full(endpoint) {
// + } else if false {
/// A process never has more sends in flight than its limits allow, in total and for each endpoint.
#[derive(Debug, Default)]
pub(super) struct Limits;

impl Invariant for Limits {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let (Action::SendStarted(start), Actor::Worker(pid)) = (&traced.action, traced.by) else {
            return Verdict::NotApplicable;
        };
        let id = start.delivery;
        let (Some(worker), Some(endpoint)) = (before.workers.get(&pid), before.endpoint(id)) else {
            return Verdict::NotApplicable;
        };
        let its = |of: &Pid| *of == pid;
        let in_flight = before.sends_in_flight.values().filter(|(_, of)| its(of));
        let to_endpoint =
            in_flight.clone().filter(|(other, _)| other.endpoint == id.endpoint).count() + 1;
        let in_all = in_flight.count() + 1;
        let claim = before.deliveries.get(&id).and_then(|entry| entry.claim_of(pid));
        let oldest = claim.map(|claim| claim.claim.endpoint_revision).unwrap_or_default();
        let known =
            endpoint.revisions.range(oldest..).map(|(_, endpoint)| endpoint.max_in_flight as usize);
        let most = known.max().unwrap_or_default();
        let fits = in_all <= worker.settings.concurrency && to_endpoint <= most;
        Verdict::of(fits, id, || {
            let all = worker.settings.concurrency;
            format!("{in_all} of {all} in flight, {to_endpoint} of {most} to its endpoint")
        })
    }
}
