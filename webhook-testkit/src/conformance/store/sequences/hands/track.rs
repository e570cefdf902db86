//! What is asked by those who send within a call.

use webhook_core::{DeliveryId, DeliveryLog as _, DeliveryStatus};

use super::{Call, Dice, Hands, make};

impl Hands {
    /// A record of sending within a call: new, opened again, or of what a dispatcher has to do with.
    pub(super) fn open_tracked(&self, dice: &Dice) -> Call {
        let known = dice.recent(&self.tracked).filter(|_| dice.percent(30));
        if let Some((event, delivery)) = known {
            return Call::OpenTracked(event.clone(), delivery.clone());
        }
        let event = dice.recent(&self.events).filter(|_| dice.percent(30)).cloned();
        let event = event.unwrap_or_else(|| self.event(dice));
        // Nobody sends to another tenant's endpoint.
        let endpoint = dice.pick(&self.endpoints).filter(|_| dice.percent(40));
        let endpoint = endpoint.filter(|endpoint| endpoint.tenant == event.tenant);
        let endpoint = endpoint.map_or_else(|| self.ids.endpoint(), |endpoint| endpoint.id);
        let delivery = make::tracked(dice, DeliveryId::new(event.id, endpoint), &event);
        Call::OpenTracked(event, delivery)
    }

    /// The next attempt, or one that is said again.
    pub(super) async fn record_tracked(&self, dice: &Dice) -> Option<Call> {
        let said = self.records.last().cloned();
        if let Some(said) = said.filter(|_| dice.percent(15)) {
            return Some(said);
        }
        let id = match dice.recent(&self.tracked).filter(|_| dice.percent(90)) {
            Some((_, delivery)) => delivery.id,
            None => *dice.pick(&self.deliveries)?,
        };
        let attempts = self.memory.delivery(id).await.unwrap().map_or(0, |it| it.attempts);
        let status =
            dice.one_of([DeliveryStatus::Pending, DeliveryStatus::Success, DeliveryStatus::Failed]);
        Some(Call::RecordTracked(id, make::attempt(dice, attempts + 1), status))
    }
}
