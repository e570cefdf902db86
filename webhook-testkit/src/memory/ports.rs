//! The store port, and its optional traits, by the state behind the lock.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, Endpoint, EndpointId, EndpointStats, Event,
    EventId, Notice, NoticeId, StoreError, TenantId,
    store::{
        Backlog, Cancelled, Capabilities, Capability, ClaimDue, Claimed, ClaimedUnrouted,
        DeliveryLog, DeliveryOperations, DeliveryQuery, EndpointDirectory, Enqueue, Enqueued,
        Finish, Finished, Lease, Maintenance, NoticeQueue, Page, Prune, Pruned, Redeliver,
        Redelivered, ReplayPage, Replayed, Route, Routed, RoutingUpdate, Skipped, Store,
        StoreStatus, TenantVersion, TrackedDeliveries, Updated,
    },
};

use super::{MemoryStore, State};

#[async_trait]
impl Store for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        self.state().add_endpoint(endpoint)
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        Ok(self.state().update_endpoint(endpoint, self.now()))
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        Ok(self.state().remove_endpoint(tenant, id, self.now()))
    }

    async fn endpoints(
        &self,
        ids: &[EndpointId],
    ) -> Result<Vec<Result<Option<Endpoint>, StoreError>>, StoreError> {
        let state = self.state();
        let found = ids.iter().map(|&id| state.endpoint(id).map(|found| (**found).clone()));
        Ok(found.map(Ok).collect())
    }

    async fn routing(
        &self,
        tenant: &TenantId,
        known: Option<TenantVersion>,
    ) -> Result<RoutingUpdate, StoreError> {
        Ok(self.state().routing(tenant, known))
    }

    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        Ok(self.each(batch, State::enqueue))
    }

    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError> {
        Ok(self.state().claim_unrouted(limit, lease, self.now()))
    }

    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError> {
        Ok(self.each(batch, State::route))
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError> {
        Ok(self.state().claim_due(&claim, self.now()))
    }

    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        Ok(self.each(batch, State::finish))
    }

    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        Ok(self.each(batch, State::release))
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        Ok(self.state().backlog(self.now()))
    }

    fn directory(&self) -> Option<&dyn EndpointDirectory> {
        self.has(Capability::Directory).then_some(self as _)
    }

    fn log(&self) -> Option<&dyn DeliveryLog> {
        self.has(Capability::Log).then_some(self as _)
    }

    fn tracked(&self) -> Option<&dyn TrackedDeliveries> {
        self.has(Capability::Tracking).then_some(self as _)
    }

    fn operations(&self) -> Option<&dyn DeliveryOperations> {
        self.has(Capability::Operations).then_some(self as _)
    }

    fn maintenance(&self) -> Option<&dyn Maintenance> {
        self.has(Capability::Maintenance).then_some(self as _)
    }

    fn notice_queue(&self) -> Option<&dyn NoticeQueue> {
        self.has(Capability::Notices).then_some(self as _)
    }
}

#[async_trait]
impl EndpointDirectory for MemoryStore {
    async fn tenants(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, StoreError> {
        let tenants: BTreeSet<_> = self.state().present().map(|it| it.tenant.clone()).collect();
        let behind = tenants.into_iter().filter(|tenant| after.is_none_or(|after| tenant > after));
        Ok(behind.take(limit).collect())
    }

    async fn tenant_endpoints(
        &self,
        tenant: &TenantId,
        after: Option<EndpointId>,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError> {
        let state = self.state();
        let its = state.present().filter(|endpoint| endpoint.tenant == *tenant);
        let behind = its.filter(|endpoint| after.is_none_or(|after| endpoint.id > after));
        Ok(behind.take(limit).map(|endpoint| (**endpoint).clone()).collect())
    }
}

#[async_trait]
impl DeliveryLog for MemoryStore {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        Ok(self.state().events.get(&id).map(|row| Arc::clone(&row.event)))
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let state = self.state();
        Ok(state.deliveries.get(&id).and_then(|row| state.to_delivery(id, row)))
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        Ok(self.state().page(&query))
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        let state = self.state();
        let row = state.deliveries.get(&id);
        Ok(row.into_iter().flat_map(|row| row.records.values().cloned()).collect())
    }

    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError> {
        Ok(self.state().stats(endpoint, window, self.now()))
    }

    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let state = self.state();
        let first = state.first_in_line(id);
        Ok(first.and_then(|id| state.to_delivery(id, state.deliveries.get(&id)?)))
    }
}

#[async_trait]
impl TrackedDeliveries for MemoryStore {
    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError> {
        self.state().open_tracked(event, delivery, self.now())
    }

    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError> {
        self.state().record_tracked(id, attempt, status, self.now())
    }
}

#[async_trait]
impl DeliveryOperations for MemoryStore {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        let now = self.now();
        Ok(self.state().redeliver_all(&batch, now))
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        Ok(self.state().replay(&page, self.now()))
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        Ok(self.each(batch, State::cancel))
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        Ok(self.each(batch, State::skip))
    }
}

#[async_trait]
impl Maintenance for MemoryStore {
    async fn status(&self) -> Result<StoreStatus, StoreError> {
        Ok(self.state().status(self.now()))
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        let cut = self.now().before(prune.older_than);
        Ok(self.state().prune(&prune, cut))
    }
}

#[async_trait]
impl NoticeQueue for MemoryStore {
    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        Ok(self.state().notices.values().take(limit).cloned().collect())
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.state().notices.retain(|(_, id), _| !ids.contains(id));
        Ok(())
    }
}
