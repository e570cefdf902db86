//! What operators may do.

use async_trait::async_trait;
use webhook_core::{
    Cancelled, DeliveryId, DeliveryStatus, Redeliver, Redelivered, StoreError, Timestamp, Upkeep,
};

use super::{MemoryStore, State};

#[async_trait]
impl Upkeep for MemoryStore {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        Ok(self.each(batch, State::redeliver))
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        Ok(self.each(batch, State::cancel))
    }
}

impl State {
    fn redeliver(&mut self, item: Redeliver, now: Timestamp) -> Redelivered {
        let has_endpoint = self.endpoint(item.delivery.endpoint).is_some();
        let Some(row) = self.deliveries.get_mut(&item.delivery) else {
            return Redelivered::NotFound;
        };
        if row.tracked_url.is_some() {
            return Redelivered::Tracked;
        }
        if !row.status.is_final() || item.only.is_some_and(|only| only != row.status) {
            return Redelivered::Unchanged(row.status);
        }
        if !has_endpoint {
            return Redelivered::EndpointGone;
        }
        row.status = DeliveryStatus::Pending;
        row.epoch = row.epoch.next();
        row.held = false;
        (row.budget_from, row.forgiven) = (row.attempts, 0);
        row.due_at = now;
        Redelivered::Done
    }

    fn cancel(&mut self, id: DeliveryId, _: Timestamp) -> Cancelled {
        let Some(row) = self.deliveries.get_mut(&id) else { return Cancelled::NotFound };
        if row.tracked_url.is_some() {
            return Cancelled::Tracked;
        }
        if row.status.is_final() {
            return Cancelled::Unchanged(row.status);
        }
        let in_flight = row.status == DeliveryStatus::InFlight;
        row.status = DeliveryStatus::Cancelled;
        if in_flight { Cancelled::InFlight } else { Cancelled::Done }
    }
}
