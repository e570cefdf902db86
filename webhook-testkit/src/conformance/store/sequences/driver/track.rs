//! Calls of senders that deliver within a call.

use webhook_core::{DeliveryId, DeliveryStatus, store::DeliveryLog as _};

use super::{Call, Driver, SplitMix64, make};

impl Driver {
    /// Opens a record of sending within a call: new, repeated, or for a dispatcher's event.
    pub(super) fn open_tracked(&self, rng: &SplitMix64) -> Call {
        let known = rng.recent(&self.tracked).filter(|_| rng.percent(30));
        if let Some((event, delivery)) = known {
            return Call::OpenTracked(event.clone(), delivery.clone());
        }
        let event = rng.recent(&self.events).filter(|_| rng.percent(30)).cloned();
        let event = event.unwrap_or_else(|| self.event(rng));
        // A tenant does not send to another tenant's endpoint.
        let endpoint = rng.pick(&self.endpoints).filter(|_| rng.percent(40));
        let endpoint = endpoint.filter(|endpoint| endpoint.tenant == event.tenant);
        let endpoint = endpoint.map_or_else(|| self.ids.endpoint(), |endpoint| endpoint.id);
        let delivery = make::tracked(rng, DeliveryId::new(event.id, endpoint), &event);
        Call::OpenTracked(event, delivery)
    }

    /// The next attempt, or a repeated one.
    pub(super) async fn record_tracked(&self, rng: &SplitMix64) -> Option<Call> {
        let said = self.records.last().cloned();
        if let Some(said) = said.filter(|_| rng.percent(15)) {
            return Some(said);
        }
        let id = match rng.recent(&self.tracked).filter(|_| rng.percent(90)) {
            Some((_, delivery)) => delivery.id,
            None => *rng.pick(&self.deliveries)?,
        };
        let attempts =
            self.memory.delivery(id).await.unwrap().map_or(0, |attempt| attempt.attempts);
        let status =
            rng.one_of([DeliveryStatus::Pending, DeliveryStatus::Success, DeliveryStatus::Failed]);
        Some(Call::RecordTracked(id, make::attempt(rng, attempts + 1), status))
    }
}
