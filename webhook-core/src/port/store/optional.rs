//! The optional traits through `dyn Store`: each call is passed to the store's own implementation,
//! or fails by the name of the missing capability.

use std::{future::pending, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Capability, DeliveryLog, DeliveryOperations, EndpointDirectory, Maintenance, NoticeQueue,
    Store, StoreError, TrackedDeliveries, WorkSignal,
    maintenance::StoreStatus,
    operations::{Cancelled, Redeliver, Redelivered, Skipped},
    prune::{Prune, Pruned},
    query::{DeliveryQuery, Page},
    replay_page::{ReplayPage, Replayed},
};
use crate::model::{
    attempt::Attempt,
    delivery::{Delivery, DeliveryStatus},
    endpoint::Endpoint,
    event::Event,
    id::{DeliveryId, EndpointId, EventId, TenantId},
    notice::{Notice, NoticeId},
    stats::EndpointStats,
};

impl dyn Store {
    /// Returns true if the store has a capability: it declares it, or implements its trait.
    pub fn supports(&self, capability: Capability) -> bool {
        match capability {
            Capability::Directory => self.directory().is_some(),
            Capability::Log => self.log().is_some(),
            Capability::Tracking => self.tracked().is_some(),
            Capability::Operations => self.operations().is_some(),
            Capability::Maintenance => self.maintenance().is_some(),
            Capability::Notices => self.notice_queue().is_some(),
            Capability::WorkSignal => self.work_signal().is_some(),
            declared => self.capabilities().has(declared),
        }
    }

    /// Checks that the store has the capabilities that the settings of an endpoint need.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::StoreErrorKind::Unsupported) names the first one that is missing.
    pub fn require_for(&self, endpoint: &Endpoint) -> Result<(), StoreError> {
        needs_of(endpoint).try_for_each(|capability| self.require(capability))
    }

    /// Checks that the store has a capability.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::StoreErrorKind::Unsupported), if it has not.
    pub fn require(&self, capability: Capability) -> Result<(), StoreError> {
        if self.supports(capability) { Ok(()) } else { Err(StoreError::unsupported(capability)) }
    }
}

/// Capabilities that the settings of an endpoint need.
fn needs_of(endpoint: &Endpoint) -> impl Iterator<Item = Capability> {
    let order = endpoint.order.is_some().then_some(Capability::Ordering);
    let rate = endpoint.rate.is_some().then_some(Capability::RateLimits);
    order.into_iter().chain(rate)
}

/// Returns an optional trait of a store, or the error that names it.
fn required<T: ?Sized>(found: Option<&T>, capability: Capability) -> Result<&T, StoreError> {
    found.ok_or_else(|| StoreError::unsupported(capability))
}

#[async_trait]
impl EndpointDirectory for dyn Store {
    async fn tenants(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, StoreError> {
        required(self.directory(), Capability::Directory)?.tenants(after, limit).await
    }

    async fn tenant_endpoints(
        &self,
        tenant: &TenantId,
        after: Option<EndpointId>,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError> {
        let directory = required(self.directory(), Capability::Directory)?;
        directory.tenant_endpoints(tenant, after, limit).await
    }
}

#[async_trait]
impl DeliveryLog for dyn Store {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        required(self.log(), Capability::Log)?.event(id).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        required(self.log(), Capability::Log)?.delivery(id).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        required(self.log(), Capability::Log)?.deliveries(query).await
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        required(self.log(), Capability::Log)?.attempts(id).await
    }

    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError> {
        required(self.log(), Capability::Log)?.endpoint_stats(endpoint, window).await
    }

    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        required(self.log(), Capability::Log)?.first_in_line(id).await
    }
}

#[async_trait]
impl TrackedDeliveries for dyn Store {
    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError> {
        required(self.tracked(), Capability::Tracking)?.open_tracked(event, delivery).await
    }

    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError> {
        required(self.tracked(), Capability::Tracking)?.record_tracked(id, attempt, status).await
    }
}

#[async_trait]
impl DeliveryOperations for dyn Store {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        required(self.operations(), Capability::Operations)?.redeliver(batch).await
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        required(self.operations(), Capability::Operations)?.replay(page).await
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        required(self.operations(), Capability::Operations)?.cancel(batch).await
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        required(self.operations(), Capability::Operations)?.skip(batch).await
    }
}

#[async_trait]
impl Maintenance for dyn Store {
    async fn status(&self) -> Result<StoreStatus, StoreError> {
        required(self.maintenance(), Capability::Maintenance)?.status().await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        required(self.maintenance(), Capability::Maintenance)?.prune(prune).await
    }
}

#[async_trait]
impl NoticeQueue for dyn Store {
    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        required(self.notice_queue(), Capability::Notices)?.notices(limit).await
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        required(self.notice_queue(), Capability::Notices)?.acknowledge(ids).await
    }
}

/// A store without this trait wakes no other process, and its dispatchers only poll.
#[async_trait]
impl WorkSignal for dyn Store {
    async fn work_notified(&self) {
        match self.work_signal() {
            Some(signal) => signal.work_notified().await,
            None => pending().await,
        }
    }

    fn notify_work(&self) {
        if let Some(signal) = self.work_signal() {
            signal.notify_work();
        }
    }
}
