use async_trait::async_trait;
use webhook_registry::{
    Cancelled, DeliveryId, DeliveryStatus, Redeliver, Redelivered, StoreError, Timestamp, Upkeep,
};

use super::{SmallStore, state::State};

#[async_trait]
impl Upkeep for SmallStore {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(batch.into_iter().map(|item| state.redeliver(item, now)).collect())
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        let mut state = self.state();
        Ok(batch.into_iter().map(|id| state.cancel(id)).collect())
    }
}

impl State {
    fn redeliver(&mut self, item: Redeliver, now: Timestamp) -> Redelivered {
        let has_endpoint = self.endpoints.contains_key(&item.delivery.endpoint);
        let Some(row) = self.deliveries.get_mut(&item.delivery) else {
            return Redelivered::NotFound;
        };
        let status = row.delivery.status;
        match item.only {
            _ if row.tracked => Redelivered::Tracked,
            _ if !status.is_final() => Redelivered::Unchanged(status),
            Some(only) if only != status => Redelivered::Unchanged(status),
            _ if !has_endpoint => Redelivered::EndpointGone,
            _ => {
                // Whoever still has an attempt of it in flight comes too late.
                row.epoch = row.epoch.next();
                row.held = false;
                (row.budget_from, row.forgiven) = (row.delivery.attempts, 0);
                row.set(DeliveryStatus::Pending, Some(now));
                Redelivered::Done
            }
        }
    }

    fn cancel(&mut self, id: DeliveryId) -> Cancelled {
        let Some(row) = self.deliveries.get_mut(&id) else { return Cancelled::NotFound };
        let status = row.delivery.status;
        if row.tracked {
            return Cancelled::Tracked;
        }
        if status.is_final() {
            return Cancelled::Unchanged(status);
        }
        row.set(DeliveryStatus::Cancelled, None);
        if status == DeliveryStatus::InFlight { Cancelled::InFlight } else { Cancelled::Done }
    }
}
