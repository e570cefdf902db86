//! A store that passes every call to another one, except for its mutation.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, Endpoint, EndpointId, EndpointStats, Event,
    EventId, Notice, NoticeId, StoreError, TenantId,
    store::{
        Backlog, Cancelled, Capabilities, ClaimDue, Claimed, ClaimedUnrouted, DeliveryLog,
        DeliveryOperations, DeliveryQuery, EndpointDirectory, Enqueue, Enqueued, Finish, Finished,
        Lease, LeaseEpoch, Maintenance, NoticeQueue, Page, Prune, Pruned, Redeliver, Redelivered,
        ReplayPage, Replayed, Route, Routed, RoutingUpdate, Skipped, Store, StoreStatus,
        TenantVersion, TrackedDeliveries, Updated,
    },
};
use webhook_testkit::MemoryStore;

/// The fault of a [`MutantStore`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StoreMutation {
    None,
    /// Every writer counts as the holder of the lease.
    ForgetsEpochs,
    /// The last item of a batch is dropped, and gets the result of the item before it.
    LosesTheLastOfABatch,
    /// A finish returns and is not written.
    WritesNothing,
    /// All data is lost when the store is reopened.
    KeepsNothing,
}

#[derive(Clone, Debug)]
pub(crate) struct MutantStore {
    inner: MemoryStore,
    mutation: StoreMutation,
    /// The epoch of each delivery's last claim.
    epochs: Arc<Mutex<BTreeMap<DeliveryId, LeaseEpoch>>>,
}

impl MutantStore {
    pub(crate) fn new(inner: MemoryStore, mutation: StoreMutation) -> Self {
        Self { inner, mutation, epochs: Arc::default() }
    }

    fn remember(&self, claimed: &Claimed) {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        epochs.extend(claimed.claims.iter().map(|claim| (claim.lease.delivery, claim.lease.epoch)));
    }

    fn present(&self, lease: &mut Lease) {
        let epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        if self.mutation == StoreMutation::ForgetsEpochs
            && let Some(epoch) = epochs.get(&lease.delivery)
        {
            lease.epoch = *epoch;
        }
    }

    /// Removes the last item of a batch, if that is the mutation.
    fn shorten<T>(&self, batch: &mut Vec<T>) -> bool {
        let loses = self.mutation == StoreMutation::LosesTheLastOfABatch && batch.len() > 1;
        loses && batch.pop().is_some()
    }
}

/// Repeats the last result for a removed item.
fn pretend<T: Clone>(mut answers: Vec<T>, lost: bool) -> Vec<T> {
    answers.extend(answers.last().cloned().filter(|_| lost));
    answers
}

/// Implements a port by passing every call to the inner store.
macro_rules! delegate {
    ($port:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $port for MutantStore {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer, StoreError> {
                self.inner.$name($($arg),*).await
            })*
        }
    };
}

#[async_trait]
impl Store for MutantStore {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        self.inner.add_endpoint(endpoint).await
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        self.inner.update_endpoint(endpoint).await
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        self.inner.remove_endpoint(tenant, id).await
    }

    async fn endpoints(
        &self,
        ids: &[EndpointId],
    ) -> Result<Vec<Result<Option<Endpoint>, StoreError>>, StoreError> {
        self.inner.endpoints(ids).await
    }

    async fn routing(
        &self,
        tenant: &TenantId,
        known: Option<TenantVersion>,
    ) -> Result<RoutingUpdate, StoreError> {
        self.inner.routing(tenant, known).await
    }

    async fn enqueue(&self, mut batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        let lost = self.shorten(&mut batch);
        Ok(pretend(self.inner.enqueue(batch).await?, lost))
    }

    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError> {
        self.inner.claim_unrouted(limit, lease).await
    }

    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError> {
        self.inner.route(batch).await
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError> {
        let claimed = self.inner.claim_due(claim).await?;
        self.remember(&claimed);
        Ok(claimed)
    }

    async fn finish(&self, mut batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        if self.mutation == StoreMutation::WritesNothing {
            return Ok(vec![Finished::Recorded; batch.len()]);
        }
        let lost = self.shorten(&mut batch);
        batch.iter_mut().for_each(|item| self.present(&mut item.lease));
        Ok(pretend(self.inner.finish(batch).await?, lost))
    }

    async fn release(&self, mut batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        batch.iter_mut().for_each(|lease| self.present(lease));
        self.inner.release(batch).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.inner.backlog().await
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
}

delegate!(EndpointDirectory {
    fn tenants(after: Option<&TenantId>, limit: usize) -> Vec<TenantId>;
    fn tenant_endpoints(tenant: &TenantId, after: Option<EndpointId>, limit: usize) -> Vec<Endpoint>;
});

delegate!(DeliveryLog {
    fn event(id: EventId) -> Option<Arc<Event>>;
    fn delivery(id: DeliveryId) -> Option<Delivery>;
    fn deliveries(query: DeliveryQuery) -> Page<Delivery>;
    fn attempts(id: DeliveryId) -> Vec<Attempt>;
    fn endpoint_stats(endpoint: EndpointId, window: Duration) -> EndpointStats;
    fn first_in_line(id: DeliveryId) -> Option<Delivery>;
});

delegate!(TrackedDeliveries {
    fn open_tracked(event: &Event, delivery: Delivery) -> u32;
    fn record_tracked(id: DeliveryId, attempt: Attempt, status: DeliveryStatus) -> ();
});

delegate!(DeliveryOperations {
    fn redeliver(batch: Vec<Redeliver>) -> Vec<Redelivered>;
    fn replay(page: ReplayPage) -> Replayed;
    fn cancel(batch: Vec<DeliveryId>) -> Vec<Cancelled>;
    fn skip(batch: Vec<DeliveryId>) -> Vec<Skipped>;
});

delegate!(Maintenance {
    fn status() -> StoreStatus;
    fn prune(prune: Prune) -> Pruned;
});

delegate!(NoticeQueue {
    fn notices(limit: usize) -> Vec<Notice>;
    fn acknowledge(ids: Vec<NoticeId>) -> ();
});
