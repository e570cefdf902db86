//! The store port and its optional traits, each method as a unit of work.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, Endpoint, EndpointId, EndpointStats, Event,
    EventId, Notice, NoticeId, StoreError, TenantId,
    store::{
        Backlog, Cancelled, Capabilities, ClaimDue, Claimed, ClaimedUnrouted, DeliveryLog,
        DeliveryOperations, DeliveryQuery, EndpointDirectory, Enqueue, Enqueued, Finish, Finished,
        Lease, Maintenance, NoticeQueue, Page, Prune, Pruned, Redeliver, Redelivered, ReplayPage,
        Replayed, Route, Routed, RoutingUpdate, Skipped, Store, StoreStatus, TenantVersion,
        TrackedDeliveries, Updated, WorkSignal,
    },
};

use super::SeaOrmStore;
use crate::work::{
    backlog::CountBacklog,
    cancel::{CancelBatch, SkipBatch},
    claim::ClaimDeliveries,
    endpoints::{
        AddEndpoint,
        reads::{ListEndpoints, ListTenants, LoadEndpoints, LoadRouting},
        remove, update,
    },
    finish::ReleaseDeliveries,
    log::{
        ListAttempts, ReadDelivery, ReadEvent, ReadFirstInLine, listing::ListDeliveries,
        stats::CountStats,
    },
    notices::{Acknowledge, ReadNotices},
    prune::PruneBatch,
    redeliver::RedeliverBatch,
    replay::ReplayBatch,
    route::{ClaimUnrouted, RouteEvents},
    store_status::ReadStoreStatus,
    tracked::{OpenTracked, RecordTracked},
    write::{WriteItem, Written},
};

#[async_trait]
impl Store for SeaOrmStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        self.perform(AddEndpoint(endpoint)).await
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        update(self.ready().await?, endpoint).await
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        remove(self.ready().await?, tenant, id).await
    }

    async fn endpoints(
        &self,
        ids: &[EndpointId],
    ) -> Result<Vec<Result<Option<Endpoint>, StoreError>>, StoreError> {
        self.perform(LoadEndpoints(ids.to_vec())).await
    }

    async fn routing(
        &self,
        tenant: &TenantId,
        known: Option<TenantVersion>,
    ) -> Result<RoutingUpdate, StoreError> {
        self.perform(LoadRouting { tenant: tenant.clone(), known }).await
    }

    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        self.inner.note_bodies(batch.iter().map(|item| item.event.body.len()));
        let batch = batch.into_iter().map(WriteItem::Enqueue).collect();
        let written = self.write(&self.inner.events, batch).await?.into_iter();
        let enqueued = |written| match written {
            Written::Enqueued(enqueued) => Some(enqueued),
            Written::Finished(_) => None,
        };
        Ok(written.filter_map(enqueued).collect())
    }

    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError> {
        self.perform(ClaimUnrouted { limit, lease }).await
    }

    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError> {
        self.perform(RouteEvents(batch)).await
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError> {
        let unreadable = Arc::clone(&self.inner.unreadable);
        let reads_sizes = self.inner.may_exceed(claim.limit, claim.max_bytes);
        let claimed = self.perform(ClaimDeliveries { ask: claim, reads_sizes, unreadable }).await?;
        self.inner.note_bodies(claimed.claims.iter().map(|claim| claim.event.body.len()));
        Ok(claimed)
    }

    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        let batch = batch.into_iter().map(WriteItem::Finish).collect();
        let written = self.write(&self.inner.outcomes, batch).await?.into_iter();
        let finished = |written| match written {
            Written::Finished(finished) => Some(finished),
            Written::Enqueued(_) => None,
        };
        Ok(written.filter_map(finished).collect())
    }

    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        self.perform(ReleaseDeliveries(batch)).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.perform(CountBacklog).await
    }

    fn directory(&self) -> Option<&dyn EndpointDirectory> {
        Some(self)
    }

    fn log(&self) -> Option<&dyn DeliveryLog> {
        Some(self)
    }

    fn tracked(&self) -> Option<&dyn TrackedDeliveries> {
        Some(self)
    }

    fn operations(&self) -> Option<&dyn DeliveryOperations> {
        Some(self)
    }

    fn maintenance(&self) -> Option<&dyn Maintenance> {
        Some(self)
    }

    fn notice_queue(&self) -> Option<&dyn NoticeQueue> {
        Some(self)
    }

    fn work_signal(&self) -> Option<&dyn WorkSignal> {
        Some(self)
    }
}

#[async_trait]
impl EndpointDirectory for SeaOrmStore {
    async fn tenants(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, StoreError> {
        self.perform(ListTenants { after: after.cloned(), limit }).await
    }

    async fn tenant_endpoints(
        &self,
        tenant: &TenantId,
        after: Option<EndpointId>,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError> {
        self.perform(ListEndpoints { tenant: tenant.clone(), after, limit }).await
    }
}

#[async_trait]
impl DeliveryLog for SeaOrmStore {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.perform(ReadEvent(id)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.perform(ReadDelivery(id)).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.perform(ListDeliveries(query)).await
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.perform(ListAttempts(id)).await
    }

    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError> {
        self.perform(CountStats { endpoint, window }).await
    }

    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.perform(ReadFirstInLine(id)).await
    }
}

#[async_trait]
impl TrackedDeliveries for SeaOrmStore {
    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError> {
        self.perform(OpenTracked { event: event.clone(), delivery }).await
    }

    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError> {
        self.perform(RecordTracked { id, attempt, status }).await
    }
}

#[async_trait]
impl DeliveryOperations for SeaOrmStore {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        self.perform(RedeliverBatch(batch)).await
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        if page.dry_run {
            return self.perform(ReplayBatch::<false>(page)).await;
        }
        self.perform(ReplayBatch::<true>(page)).await
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        self.perform(CancelBatch(batch)).await
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        self.perform(SkipBatch(batch)).await
    }
}

#[async_trait]
impl Maintenance for SeaOrmStore {
    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.perform(ReadStoreStatus).await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        if prune.dry_run {
            return self.perform(PruneBatch::<false>(prune)).await;
        }
        self.perform(PruneBatch::<true>(prune)).await
    }
}

#[async_trait]
impl NoticeQueue for SeaOrmStore {
    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        self.perform(ReadNotices(limit)).await
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.perform(Acknowledge(ids)).await
    }
}

#[async_trait]
impl WorkSignal for SeaOrmStore {
    async fn work_notified(&self) {
        self.inner.database.notifier.notified().await;
    }

    fn notify_work(&self) {
        self.inner.database.notifier.notify(self.inner.database.pools.writer());
    }
}
