//! A store that remembers what was finished in it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use webhook_core::{
    Attempt, Backlog, Cancelled, ClaimDue, Claimed, ClaimedUnrouted, Clock, Delivery, DeliveryId,
    DeliveryLog, DeliveryQuery, DeliveryStatus, DeliveryStore, Endpoint, EndpointId, EndpointStats,
    EndpointStore, Enqueue, Enqueued, Event, EventId, Finish, Finished, Lease, Notice, NoticeId,
    Page, Prune, Pruned, Redeliver, Redelivered, ReplayPage, Replayed, Route, Routed, Skipped,
    Snapshot, StoreError, StoreStatus, TenantId, Timestamp, Updated, Upkeep,
};

use crate::{ManualClock, MemoryStore};

/// Hands every call on to a [`MemoryStore`], and remembers the attempts that were written down.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    store: MemoryStore,
    clock: ManualClock,
    finished: Arc<Mutex<Vec<Seen>>>,
}

/// A finish, and what the store knew then.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) at: Timestamp,
    pub(super) finish: Finish,
    pub(super) delivery: Delivery,
}

impl Witness {
    pub(super) fn new(store: MemoryStore, clock: ManualClock) -> Self {
        Self { store, clock, finished: Arc::default() }
    }

    pub(super) fn finished(&self) -> Vec<Seen> {
        self.seen().clone()
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn remember(&self, finish: Finish) -> Result<(), StoreError> {
        if let Some(delivery) = self.store.delivery(finish.lease.delivery).await? {
            self.seen().push(Seen { at: self.clock.now(), finish, delivery });
        }
        Ok(())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl DeliveryStore for Witness {
    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        self.store.enqueue(batch).await
    }

    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError> {
        self.store.claim_unrouted(limit, lease).await
    }

    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError> {
        self.store.route(batch).await
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError> {
        self.store.claim_due(claim).await
    }

    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        let answers = self.store.finish(batch.clone()).await?;
        for (finish, answer) in batch.into_iter().zip(&answers) {
            if *answer == Finished::Recorded {
                self.remember(finish).await?;
            }
        }
        Ok(answers)
    }

    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        self.store.release(batch).await
    }

    async fn work_hinted(&self) {
        self.store.work_hinted().await;
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.store.backlog().await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl EndpointStore for Witness {
    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        self.store.add_endpoint(endpoint).await
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        self.store.update_endpoint(endpoint).await
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        self.store.remove_endpoint(tenant, id).await
    }

    async fn endpoints(&self, ids: &[EndpointId]) -> Result<Vec<Endpoint>, StoreError> {
        self.store.endpoints(ids).await
    }

    async fn snapshot(&self, tenant: &TenantId) -> Result<Snapshot, StoreError> {
        self.store.snapshot(tenant).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.store.tenants().await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl DeliveryLog for Witness {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.store.event(id).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.store.delivery(id).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.store.deliveries(query).await
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.store.attempts(id).await
    }

    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError> {
        self.store.endpoint_stats(endpoint, window).await
    }

    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.store.first_in_line(id).await
    }

    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError> {
        self.store.open_tracked(event, delivery).await
    }

    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError> {
        self.store.record_tracked(id, attempt, status).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upkeep for Witness {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        self.store.redeliver(batch).await
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        self.store.replay(page).await
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        self.store.cancel(batch).await
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        self.store.skip(batch).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.store.status().await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        self.store.prune(prune).await
    }

    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        self.store.notices(limit).await
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.store.acknowledge(ids).await
    }
}
