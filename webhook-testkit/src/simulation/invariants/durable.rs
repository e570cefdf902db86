use webhook_core::DeliveryId;

use super::{Ending, Judgement, Law};
use crate::simulation::model::Ledger;

// Catches `an event is forgotten when it is routed` in webhook-testkit/src/memory/enqueue.rs:
// - self.events.insert(event.id, EventRow { event: Arc::clone(event), unrouted_from });
// + if unrouted_from.is_none() {
// + self.events.remove(&event.id);
// + } else {
// + self.events.insert(event.id, EventRow { event: Arc::clone(event), unrouted_from });
// + }
// Catches `one of a fan-out is lost` in webhook-testkit/src/memory/enqueue.rs:
// - Enqueued::Routed(self.deliver(&event, fan_out.deliveries, now))
// + let some = fan_out.deliveries.into_iter().take(1).collect();
// + Enqueued::Routed(self.deliver(&event, some, now))
/// What was accepted is there to the end, and so is each of its deliveries.
#[derive(Debug)]
pub(super) struct Durable;

impl Law for Durable {
    fn text(&self) -> (&'static str, &'static str) {
        ("durable", "what was accepted is there to the end, and so is each of its deliveries")
    }

    fn judge(&mut self, ending: &Ending, ledger: &Ledger) -> Judgement {
        let accepted = ledger.events.iter().filter(|(_, it)| it.accepted);
        let events = accepted.map(|(id, _)| match ending.events.contains(id) {
            true => Judgement::Held(1),
            false => Judgement::Broken(None, format!("event {id} was accepted and is gone")),
        });
        let there = |id: &DeliveryId| ending.deliveries.contains_key(id);
        let deliveries = ledger
            .deliveries
            .keys()
            .map(|id| Judgement::of(there(id), *id, || format!("delivery {id} is gone")));
        Judgement::all(events.chain(deliveries))
    }
}
