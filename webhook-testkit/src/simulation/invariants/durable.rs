use webhook_core::DeliveryId;

use super::{EndState, Invariant, Model, Verdict};

// Catches `an event is forgotten when it is routed` in webhook-testkit/src/memory/enqueue.rs:
// - self.events.insert(event.id, EventRow { event: Arc::clone(event), unrouted_from });
// + if unrouted_from.is_none() {
// + self.events.remove(&event.id);
// + } else {
// + self.events.insert(event.id, EventRow { event: Arc::clone(event), unrouted_from });
// + }
// Catches `one of a fan-out is lost` in webhook-testkit/src/memory/enqueue.rs:
// - Enqueued::Routed(self.add_deliveries(&event, fan_out.deliveries, now))
// + let some = fan_out.deliveries.into_iter().take(1).collect();
// + Enqueued::Routed(self.add_deliveries(&event, some, now))
/// Each accepted event and each of its deliveries is stored until the end.
#[derive(Debug, Default)]
pub(super) struct Durable;

impl Invariant for Durable {
    fn check_end(&mut self, end: &EndState, model: &Model) -> Verdict {
        let accepted = model.events.iter().filter(|(_, entry)| entry.accepted);
        let events = accepted.map(|(id, _)| match end.events.contains(id) {
            true => Verdict::Held(1),
            false => Verdict::Violated(None, format!("event {id} was accepted and is gone")),
        });
        let there = |id: &DeliveryId| end.deliveries.contains_key(id);
        let deliveries = model
            .deliveries
            .keys()
            .map(|id| Verdict::of(there(id), *id, || format!("delivery {id} is gone")));
        Verdict::all(events.chain(deliveries))
    }
}
