use webhook_core::{DeliveryId, EndpointId, OrderingKey};

use super::{Action, Invariant, Model, TraceEvent, Verdict};

// Catches `nothing waits for its turn` in webhook-testkit/src/memory/order.rs:
// - row.state = row.state.blocked();
/// Of the deliveries with one key to an ordered endpoint, only the first in line is sent, and only
/// after the one before has ended.
#[derive(Debug, Default)]
pub(super) struct Order;

impl Invariant for Order {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Action::SendStarted(start) = &traced.action else { return Verdict::NotApplicable };
        let id = start.delivery;
        let Some(key) = key_of(id, before) else { return Verdict::NotApplicable };
        let Some(line) = before.lines.get(&(id.endpoint, key.clone())) else {
            return Verdict::NotApplicable;
        };
        if line.len() < 2 || !line.contains(&id) {
            return Verdict::NotApplicable;
        }
        let first = line.first().copied();
        let beside = before.sends_in_flight.values().map(|(other, _)| *other).find(|other| {
            *other != id
                && other.endpoint == id.endpoint
                && key_of(*other, before).as_ref() == Some(&key)
                && is_leased(*other, traced, before)
        });
        Verdict::of(first == Some(id) && beside.is_none(), id, || {
            format!("first in its line is {first:?}, and {beside:?} is under way")
        })
    }
}

fn key_of(id: DeliveryId, model: &Model) -> Option<OrderingKey> {
    let orders = |endpoint: EndpointId| {
        model.endpoints.get(&endpoint).is_some_and(|entry| entry.now.order.is_some())
    };
    let event = model.events.get(&id.event)?.event.as_ref()?;
    event.ordering_key.clone().filter(|_| orders(id.endpoint))
}

/// Returns true if its lease is valid, so that it may be in flight.
fn is_leased(id: DeliveryId, traced: &TraceEvent, model: &Model) -> bool {
    let claim = model.deliveries.get(&id).and_then(|entry| entry.claims.last());
    claim.is_some_and(|claim| !claim.closed && traced.at < claim.ends)
}
