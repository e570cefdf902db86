use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::select;
use tokio::sync::Notify;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, Endpoint, EndpointId, EndpointStats, Event,
    EventId, Notice, NoticeId, StoreError, StoreErrorKind, TenantId,
    store::{
        Backlog, Cancelled, Capabilities, ClaimDue, Claimed, ClaimedUnrouted, DeliveryLog,
        DeliveryOperations, DeliveryQuery, EndpointDirectory, Enqueue, Enqueued, Finish, Finished,
        Lease, Maintenance, NoticeQueue, Page, Prune, Pruned, Redeliver, Redelivered, ReplayPage,
        Replayed, Route, Routed, RoutingUpdate, Skipped, Store, StoreStatus, TenantVersion,
        TrackedDeliveries, Updated, WorkSignal,
    },
};

use super::{FAULT_MESSAGE, Fault, FaultScript, FaultSource, StoreCall};

/// A store with scripted faults, each for one call of one method.
///
/// A fault *after* the effect is a commit whose result is lost, as
/// [`Unknown`](StoreErrorKind::Unknown) says.
///
/// ```
/// use webhook_core::StoreErrorKind;
/// use webhook_testkit::{Fault, FaultyStore, MemoryStore, StoreCall};
///
/// let store = FaultyStore::new(MemoryStore::default());
/// store.fails(StoreCall::Finish, [Fault::None, Fault::After(StoreErrorKind::Unknown)]);
/// ```
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    faults: Mutex<BTreeMap<StoreCall, Arc<FaultScript<StoreErrorKind>>>>,
    damaged: Mutex<BTreeSet<EndpointId>>,
    source: Option<Arc<dyn FaultSource>>,
    hint: Notify,
}

impl<S> FaultyStore<S> {
    /// A store that passes every call to `inner`, without faults at first.
    pub fn new(inner: S) -> Self {
        let (faults, damaged) = (Mutex::default(), Mutex::default());
        Self { inner, faults, damaged, source: None, hint: Notify::new() }
    }

    /// A store that passes every call to `inner`, with the faults of `source`.
    pub(crate) fn with_fault_source(inner: S, source: Arc<dyn FaultSource>) -> Self {
        Self { source: Some(source), ..Self::new(inner) }
    }

    /// Appends to the script of faults of one method: one for each call.
    pub fn fails(&self, call: StoreCall, faults: impl IntoIterator<Item = Fault<StoreErrorKind>>) {
        self.faults(call).add(faults);
    }

    /// Makes an endpoint unreadable, as a damaged row is: it is an error of its own in the result of
    /// [`Store::endpoints`].
    pub fn damages(&self, endpoint: EndpointId) {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint);
    }

    fn is_damaged(&self, endpoint: EndpointId) -> bool {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).contains(&endpoint)
    }

    /// Hints that there may be work, as another process would.
    pub fn hint(&self) {
        self.hint.notify_one();
    }

    /// Number of calls of a method.
    pub fn calls(&self, call: StoreCall) -> usize {
        self.faults(call).calls()
    }

    /// Releases the [held](Fault::Held) results of a method.
    pub fn release_held(&self, call: StoreCall) {
        self.faults(call).release_held();
    }

    fn faults(&self, call: StoreCall) -> Arc<FaultScript<StoreErrorKind>> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(faults.entry(call).or_default())
    }

    async fn around<T>(
        &self,
        call: StoreCall,
        inner: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let failed = |kind| StoreError::because(kind, FAULT_MESSAGE);
        match &self.source {
            Some(source) => source.plan_call(call).around(inner, failed).await,
            None => self.faults(call).around(inner, failed).await,
        }
    }
}

impl<S: Store> FaultyStore<S> {
    /// The store itself; its missing traits fail by name.
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    /// Stores an event without deliveries, as a transaction of another program does.
    pub(crate) async fn insert_unrouted(&self, event: Event) -> Result<Enqueued, StoreError> {
        let answers = self.enqueue(vec![Enqueue::unrouted(event)]).await?;
        Ok(answers.into_iter().next().unwrap_or(Enqueued::Later))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for FaultyStore<S> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        self.around(StoreCall::AddEndpoint, self.inner().add_endpoint(endpoint)).await
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        self.around(StoreCall::UpdateEndpoint, self.inner().update_endpoint(endpoint)).await
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        self.around(StoreCall::RemoveEndpoint, self.inner().remove_endpoint(tenant, id)).await
    }

    async fn endpoints(
        &self,
        ids: &[EndpointId],
    ) -> Result<Vec<Result<Option<Endpoint>, StoreError>>, StoreError> {
        let mut found = self.around(StoreCall::Endpoints, self.inner().endpoints(ids)).await?;
        for (id, found) in ids.iter().zip(&mut found).filter(|(id, _)| self.is_damaged(**id)) {
            let reason = format!("{FAULT_MESSAGE}: endpoint {id} is damaged");
            *found = Err(StoreError::because(StoreErrorKind::Corrupt, reason));
        }
        Ok(found)
    }

    async fn routing(
        &self,
        tenant: &TenantId,
        known: Option<TenantVersion>,
    ) -> Result<RoutingUpdate, StoreError> {
        self.around(StoreCall::Routing, self.inner().routing(tenant, known)).await
    }

    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        self.around(StoreCall::Enqueue, self.inner().enqueue(batch)).await
    }

    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError> {
        self.around(StoreCall::ClaimUnrouted, self.inner().claim_unrouted(limit, lease)).await
    }

    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError> {
        self.around(StoreCall::Route, self.inner().route(batch)).await
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError> {
        self.around(StoreCall::ClaimDue, self.inner().claim_due(claim)).await
    }

    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        self.around(StoreCall::Finish, self.inner().finish(batch)).await
    }

    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        self.around(StoreCall::Release, self.inner().release(batch)).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.around(StoreCall::Backlog, self.inner().backlog()).await
    }

    fn directory(&self) -> Option<&dyn EndpointDirectory> {
        self.inner.directory().map(|_| self as _)
    }

    fn log(&self) -> Option<&dyn DeliveryLog> {
        self.inner.log().map(|_| self as _)
    }

    fn tracked(&self) -> Option<&dyn TrackedDeliveries> {
        self.inner.tracked().map(|_| self as _)
    }

    fn operations(&self) -> Option<&dyn DeliveryOperations> {
        self.inner.operations().map(|_| self as _)
    }

    fn maintenance(&self) -> Option<&dyn Maintenance> {
        self.inner.maintenance().map(|_| self as _)
    }

    fn notice_queue(&self) -> Option<&dyn NoticeQueue> {
        self.inner.notice_queue().map(|_| self as _)
    }

    fn work_signal(&self) -> Option<&dyn WorkSignal> {
        Some(self)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> EndpointDirectory for FaultyStore<S> {
    async fn tenants(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, StoreError> {
        self.around(StoreCall::Tenants, self.inner().tenants(after, limit)).await
    }

    async fn tenant_endpoints(
        &self,
        tenant: &TenantId,
        after: Option<EndpointId>,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError> {
        self.around(StoreCall::TenantEndpoints, self.inner().tenant_endpoints(tenant, after, limit))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> DeliveryLog for FaultyStore<S> {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.around(StoreCall::Event, self.inner().event(id)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.around(StoreCall::Delivery, self.inner().delivery(id)).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.around(StoreCall::Deliveries, self.inner().deliveries(query)).await
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.around(StoreCall::Attempts, self.inner().attempts(id)).await
    }

    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError> {
        self.around(StoreCall::EndpointStats, self.inner().endpoint_stats(endpoint, window)).await
    }

    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.around(StoreCall::FirstInLine, self.inner().first_in_line(id)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> TrackedDeliveries for FaultyStore<S> {
    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError> {
        self.around(StoreCall::OpenTracked, self.inner().open_tracked(event, delivery)).await
    }

    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError> {
        self.around(StoreCall::RecordTracked, self.inner().record_tracked(id, attempt, status))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> DeliveryOperations for FaultyStore<S> {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        self.around(StoreCall::Redeliver, self.inner().redeliver(batch)).await
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        self.around(StoreCall::Replay, self.inner().replay(page)).await
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        self.around(StoreCall::Cancel, self.inner().cancel(batch)).await
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        self.around(StoreCall::Skip, self.inner().skip(batch)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Maintenance for FaultyStore<S> {
    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.around(StoreCall::Status, self.inner().status()).await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        self.around(StoreCall::Prune, self.inner().prune(prune)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> NoticeQueue for FaultyStore<S> {
    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        self.around(StoreCall::Notices, self.inner().notices(limit)).await
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.around(StoreCall::Acknowledge, self.inner().acknowledge(ids)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> WorkSignal for FaultyStore<S> {
    async fn work_notified(&self) {
        let (inner, scripted) = (pin!(self.inner().work_notified()), pin!(self.hint.notified()));
        select(inner, scripted).await;
    }

    fn notify_work(&self) {
        self.inner().notify_work();
    }
}
