//! A store that reports its effects to an observer.

mod effect;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, Endpoint, EndpointId, EndpointStats, Event,
    EventId, Notice, NoticeId, StoreError, TenantId, Trigger,
    policy::HealthSignal,
    store::{
        Backlog, Cancelled, Capabilities, ClaimDue, Claimed, ClaimedUnrouted, DeliveryLog,
        DeliveryOperations, DeliveryQuery, EndpointDirectory, Enqueue, Enqueued, Finish, Finished,
        Lease, Maintenance, NoticeQueue, Page, Prune, Pruned, Redeliver, Redelivered, ReplayPage,
        Replayed, Route, Routed, RoutingUpdate, Skipped, Store, StoreStatus, TenantVersion,
        TrackedDeliveries, Updated, WorkSignal,
    },
};

pub(crate) use effect::{Change, Effect, Observer};

/// Passes every call to a store, and reports the effects to an observer.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    store: Arc<dyn Store>,
    observer: Arc<dyn Observer>,
}

impl Observed {
    pub(crate) fn new(store: Arc<dyn Store>, observer: Arc<dyn Observer>) -> Self {
        Self { store, observer }
    }

    fn report(&self, effect: Effect) {
        self.observer.observe(effect);
    }

    async fn read_deliveries(
        &self,
        ids: &[DeliveryId],
    ) -> Result<Vec<Option<Delivery>>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.push(self.store.delivery(*id).await?);
        }
        Ok(found)
    }

    /// Reports the present state of these endpoints.
    async fn refresh(&self, mut ids: Vec<EndpointId>) -> Result<(), StoreError> {
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            let endpoints = self.store.endpoints(&ids).await?;
            let found = endpoints.into_iter().filter_map(|endpoint| endpoint.ok().flatten());
            found.for_each(|endpoint| self.report(Effect::Refreshed(endpoint)));
        }
        Ok(())
    }

    /// Returns the final deliveries of an endpoint.
    async fn final_deliveries(&self, endpoint: EndpointId) -> Result<Vec<DeliveryId>, StoreError> {
        let (mut found, mut query) = (Vec::new(), DeliveryQuery::new().endpoint(endpoint));
        loop {
            let page = self.store.deliveries(query.clone()).await?;
            let over = page.items.iter().filter(|delivery| delivery.status.is_final());
            found.extend(over.map(|delivery| delivery.id));
            let Some(next) = page.next else { return Ok(found) };
            query = query.after(next);
        }
    }
}

/// Pairs the deliveries before a call with those after it.
fn changes(before: Vec<Option<Delivery>>, after: Vec<Option<Delivery>>) -> Vec<Change> {
    before.into_iter().zip(after).map(|(before, after)| Change { before, after }).collect()
}

/// Returns true if a batch contains a delivery twice.
fn has_twice(ids: &[DeliveryId]) -> bool {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| matches!(pair, [one, other] if one == other))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Observed {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        self.store.add_endpoint(endpoint.clone()).await?;
        self.report(Effect::Added(endpoint));
        Ok(())
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        let id = endpoint.id;
        let answer = self.store.update_endpoint(endpoint).await?;
        if let Updated::Done(_) = answer {
            let now = self.store.endpoint(id).await?;
            now.into_iter().for_each(|endpoint| self.report(Effect::Edited(endpoint)));
        }
        Ok(answer)
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        let removed = self.store.remove_endpoint(tenant, id).await?;
        if removed {
            self.report(Effect::Removed(id));
        }
        Ok(removed)
    }

    async fn endpoints(
        &self,
        ids: &[EndpointId],
    ) -> Result<Vec<Result<Option<Endpoint>, StoreError>>, StoreError> {
        self.store.endpoints(ids).await
    }

    async fn routing(
        &self,
        tenant: &TenantId,
        known: Option<TenantVersion>,
    ) -> Result<RoutingUpdate, StoreError> {
        let update = self.store.routing(tenant, known).await?;
        let version = match &update {
            RoutingUpdate::Same => known.unwrap_or_default(),
            RoutingUpdate::Changed { version, .. } | RoutingUpdate::Whole { version, .. } => {
                *version
            }
        };
        self.report(Effect::Read { tenant: tenant.clone(), version });
        Ok(update)
    }

    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        let answers = self.store.enqueue(batch.clone()).await?;
        for (item, answer) in batch.into_iter().zip(&answers) {
            self.report(Effect::Enqueued { item, answer: *answer });
        }
        Ok(answers)
    }

    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError> {
        self.store.claim_unrouted(limit, lease).await
    }

    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError> {
        let answers = self.store.route(batch.clone()).await?;
        for (route, answer) in batch.into_iter().zip(&answers) {
            self.report(Effect::Routed { route, answer: *answer });
        }
        Ok(answers)
    }

    async fn claim_due(&self, ask: ClaimDue) -> Result<Claimed, StoreError> {
        let claimed = self.store.claim_due(ask.clone()).await?;
        let unhealthy = claimed.claims.iter().filter(|claim| claim.unhealthy);
        let unhealthy = unhealthy.map(|claim| claim.lease.delivery.endpoint).collect();
        self.report(Effect::Claimed { ask, claimed: claimed.clone() });
        self.refresh(unhealthy).await?;
        Ok(claimed)
    }

    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        let ids: Vec<_> = batch.iter().map(|finish| finish.lease.delivery).collect();
        if has_twice(&ids) {
            // One after the other, so that each change is reported alone.
            let mut answers = Vec::new();
            for finish in batch {
                answers.extend(self.finish(vec![finish]).await?);
            }
            return Ok(answers);
        }
        let before = self.read_deliveries(&ids).await?;
        let answers = self.store.finish(batch.clone()).await?;
        let changes = changes(before, self.read_deliveries(&ids).await?);
        let with_health = batch.iter().filter(|finish| {
            finish.health_signal.0 != HealthSignal::None || finish.disable_endpoint.is_some()
        });
        let refreshed = with_health.map(|finish| finish.lease.delivery.endpoint).collect();
        for ((finish, answer), change) in batch.into_iter().zip(&answers).zip(changes) {
            self.report(Effect::Finished { finish, answer: *answer, change: Box::new(change) });
        }
        self.refresh(refreshed).await?;
        Ok(answers)
    }

    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        let ids: Vec<_> = batch.iter().map(|lease| lease.delivery).collect();
        let before = self.read_deliveries(&ids).await?;
        let answers = self.store.release(batch.clone()).await?;
        let changes = changes(before, self.read_deliveries(&ids).await?);
        for ((lease, answer), change) in batch.into_iter().zip(&answers).zip(changes) {
            self.report(Effect::Released { lease, answer: *answer, change: Box::new(change) });
        }
        self.refresh(ids.iter().map(|id| id.endpoint).collect()).await?;
        Ok(answers)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.store.backlog().await
    }

    fn directory(&self) -> Option<&dyn EndpointDirectory> {
        self.store.directory().map(|_| self as _)
    }

    fn log(&self) -> Option<&dyn DeliveryLog> {
        self.store.log().map(|_| self as _)
    }

    fn tracked(&self) -> Option<&dyn TrackedDeliveries> {
        self.store.tracked().map(|_| self as _)
    }

    fn operations(&self) -> Option<&dyn DeliveryOperations> {
        self.store.operations().map(|_| self as _)
    }

    fn maintenance(&self) -> Option<&dyn Maintenance> {
        self.store.maintenance().map(|_| self as _)
    }

    fn notice_queue(&self) -> Option<&dyn NoticeQueue> {
        self.store.notice_queue().map(|_| self as _)
    }

    fn work_signal(&self) -> Option<&dyn WorkSignal> {
        self.store.work_signal().map(|_| self as _)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl EndpointDirectory for Observed {
    async fn tenants(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, StoreError> {
        self.store.tenants(after, limit).await
    }

    async fn tenant_endpoints(
        &self,
        tenant: &TenantId,
        after: Option<EndpointId>,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError> {
        self.store.tenant_endpoints(tenant, after, limit).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl DeliveryLog for Observed {
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
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl TrackedDeliveries for Observed {
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
impl DeliveryOperations for Observed {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        let answers = self.store.redeliver(batch.clone()).await?;
        for (item, answer) in batch.into_iter().zip(&answers) {
            if *answer == Redelivered::Done {
                let Redeliver { delivery, cause, .. } = item;
                self.report(Effect::Redelivered { delivery, cause });
            }
        }
        Ok(answers)
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        let endpoint = page.replay.endpoint;
        let before = self.final_deliveries(endpoint).await?;
        let answer = self.store.replay(page).await?;
        let after = self.final_deliveries(endpoint).await?;
        // The oldest first, in the order of a replay.
        for delivery in before.into_iter().rev().filter(|id| !after.contains(id)) {
            self.report(Effect::Redelivered { delivery, cause: Trigger::Replay });
        }
        Ok(answer)
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        let answers = self.store.cancel(batch.clone()).await?;
        for (delivery, answer) in batch.into_iter().zip(&answers) {
            self.report(Effect::Cancelled { delivery, answer: *answer });
        }
        Ok(answers)
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        let answers = self.store.skip(batch.clone()).await?;
        for (delivery, answer) in batch.into_iter().zip(&answers) {
            self.report(Effect::Skipped { delivery, answer: *answer });
        }
        Ok(answers)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Maintenance for Observed {
    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.store.status().await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        self.store.prune(prune).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl NoticeQueue for Observed {
    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        let notices = self.store.notices(limit).await?;
        self.report(Effect::Notices(notices.clone()));
        Ok(notices)
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.store.acknowledge(ids).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl WorkSignal for Observed {
    async fn work_notified(&self) {
        self.store.work_notified().await;
    }

    fn notify_work(&self) {
        self.store.notify_work();
    }
}
