use webhook_core::{DeliveryId, EndpointId, OrderingKey};

use super::{Judgement, Law};
use crate::simulation::{
    model::Ledger,
    trace::{Happening, What},
};

// Catches `nothing waits for its turn` in webhook-testkit/src/memory/order.rs:
// - row.parked = line.front() != Some(&id);
// + row.parked = false;
/// Of the deliveries of one key to an endpoint that asks for order, only the first in line is sent, and
/// none while the one before may still be under way.
#[derive(Debug)]
pub(super) struct Order;

impl Law for Order {
    fn text(&self) -> (&'static str, &'static str) {
        let law =
            "of the deliveries of one key in order only the first in line is sent, one at a time";
        ("order", law)
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let What::SendStarted(start) = &it.what else { return Judgement::Silent };
        let id = start.delivery;
        let Some(key) = key_of(id, before) else { return Judgement::Silent };
        let Some(line) = before.lines.get(&(id.endpoint, key.clone())) else {
            return Judgement::Silent;
        };
        if line.len() < 2 || !line.contains(&id) {
            return Judgement::Silent;
        }
        let first = line.first().copied();
        let beside = before.flying.values().map(|(other, _)| *other).find(|other| {
            *other != id
                && other.endpoint == id.endpoint
                && key_of(*other, before).as_ref() == Some(&key)
                && is_leased(*other, it, before)
        });
        Judgement::of(first == Some(id) && beside.is_none(), id, || {
            format!("first in its line is {first:?}, and {beside:?} is under way")
        })
    }
}

fn key_of(id: DeliveryId, ledger: &Ledger) -> Option<OrderingKey> {
    let orders = |endpoint: EndpointId| {
        ledger.endpoints.get(&endpoint).is_some_and(|it| it.now.order.is_some())
    };
    let event = ledger.events.get(&id.event)?.event.as_ref()?;
    event.ordering_key.clone().filter(|_| orders(id.endpoint))
}

/// Whether its lease holds, so that it may be on its way.
fn is_leased(id: DeliveryId, it: &Happening, ledger: &Ledger) -> bool {
    let claim = ledger.deliveries.get(&id).and_then(|book| book.claims.last());
    claim.is_some_and(|claim| !claim.over && it.at < claim.ends)
}
