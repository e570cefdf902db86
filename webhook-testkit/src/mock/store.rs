//! A mock of a whole store.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mockall::mock;
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

mock! {
    /// Calls of a store, with an expectation for each method.
    #[derive(Debug)]
    pub StoreCalls {
        pub async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError>;
        pub async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError>;
        pub async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError>;
        pub async fn endpoints(&self, ids: &[EndpointId]) -> Result<Vec<Result<Option<Endpoint>, StoreError>>, StoreError>;
        pub async fn routing(&self, tenant: &TenantId, known: Option<TenantVersion>) -> Result<RoutingUpdate, StoreError>;
        pub async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError>;
        pub async fn claim_unrouted(&self, limit: usize, lease: Duration) -> Result<ClaimedUnrouted, StoreError>;
        pub async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError>;
        pub async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError>;
        pub async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError>;
        pub async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError>;
        pub async fn backlog(&self) -> Result<Backlog, StoreError>;
        pub async fn tenants<'a>(&self, after: Option<&'a TenantId>, limit: usize) -> Result<Vec<TenantId>, StoreError>;
        pub async fn tenant_endpoints(&self, tenant: &TenantId, after: Option<EndpointId>, limit: usize) -> Result<Vec<Endpoint>, StoreError>;
        pub async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError>;
        pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;
        pub async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError>;
        pub async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError>;
        pub async fn endpoint_stats(&self, endpoint: EndpointId, window: Duration) -> Result<EndpointStats, StoreError>;
        pub async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;
        pub async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError>;
        pub async fn record_tracked(&self, id: DeliveryId, attempt: Attempt, status: DeliveryStatus) -> Result<(), StoreError>;
        pub async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError>;
        pub async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError>;
        pub async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError>;
        pub async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError>;
        pub async fn status(&self) -> Result<StoreStatus, StoreError>;
        pub async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError>;
        pub async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError>;
        pub async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError>;
    }
}

/// A mock of a whole store: [`Store`] and every optional trait except
/// [`WorkSignal`](webhook_core::store::WorkSignal).
///
/// Expectations are set on the [calls](MockStoreCalls) that it dereferences to. It has every other
/// capability, except those that are removed by [`without`](Self::without).
///
/// ```
/// use webhook_core::{store::{Backlog, Store as _}};
/// use webhook_testkit::mock::MockStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut store = MockStore::new();
/// store.expect_backlog().returning(|| Ok(Backlog::default()));
/// assert_eq!(store.backlog().await.unwrap(), Backlog::default());
/// # }
/// ```
#[derive(Debug)]
pub struct MockStore {
    calls: MockStoreCalls,
    capabilities: Capabilities,
}

impl MockStore {
    /// Creates a mock that expects no call.
    pub fn new() -> Self {
        Self { calls: MockStoreCalls::new(), capabilities: Capabilities::ALL }
    }

    /// Removes a capability.
    #[must_use]
    pub fn without(mut self, capability: Capability) -> Self {
        self.capabilities = self.capabilities.without(capability);
        self
    }

    const fn has(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }
}

impl Default for MockStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for MockStore {
    type Target = MockStoreCalls;

    fn deref(&self) -> &MockStoreCalls {
        &self.calls
    }
}

impl DerefMut for MockStore {
    fn deref_mut(&mut self) -> &mut MockStoreCalls {
        &mut self.calls
    }
}

#[async_trait]
impl Store for MockStore {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        self.calls.add_endpoint(endpoint).await
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        self.calls.update_endpoint(endpoint).await
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        self.calls.remove_endpoint(tenant, id).await
    }

    async fn endpoints(
        &self,
        ids: &[EndpointId],
    ) -> Result<Vec<Result<Option<Endpoint>, StoreError>>, StoreError> {
        self.calls.endpoints(ids).await
    }

    async fn routing(
        &self,
        tenant: &TenantId,
        known: Option<TenantVersion>,
    ) -> Result<RoutingUpdate, StoreError> {
        self.calls.routing(tenant, known).await
    }

    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        self.calls.enqueue(batch).await
    }

    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError> {
        self.calls.claim_unrouted(limit, lease).await
    }

    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError> {
        self.calls.route(batch).await
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError> {
        self.calls.claim_due(claim).await
    }

    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        self.calls.finish(batch).await
    }

    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        self.calls.release(batch).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.calls.backlog().await
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
impl EndpointDirectory for MockStore {
    async fn tenants(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, StoreError> {
        self.calls.tenants(after, limit).await
    }

    async fn tenant_endpoints(
        &self,
        tenant: &TenantId,
        after: Option<EndpointId>,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError> {
        self.calls.tenant_endpoints(tenant, after, limit).await
    }
}

#[async_trait]
impl DeliveryLog for MockStore {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.calls.event(id).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.calls.delivery(id).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.calls.deliveries(query).await
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.calls.attempts(id).await
    }

    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError> {
        self.calls.endpoint_stats(endpoint, window).await
    }

    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.calls.first_in_line(id).await
    }
}

#[async_trait]
impl TrackedDeliveries for MockStore {
    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError> {
        self.calls.open_tracked(event, delivery).await
    }

    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError> {
        self.calls.record_tracked(id, attempt, status).await
    }
}

#[async_trait]
impl DeliveryOperations for MockStore {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        self.calls.redeliver(batch).await
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        self.calls.replay(page).await
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        self.calls.cancel(batch).await
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        self.calls.skip(batch).await
    }
}

#[async_trait]
impl Maintenance for MockStore {
    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.calls.status().await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        self.calls.prune(prune).await
    }
}

#[async_trait]
impl NoticeQueue for MockStore {
    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        self.calls.notices(limit).await
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.calls.acknowledge(ids).await
    }
}
