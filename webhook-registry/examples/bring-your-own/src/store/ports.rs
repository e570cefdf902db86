//! The store port, and its optional traits.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use webhook_registry::{
    Attempt, Backlog, Cancelled, Capabilities, Capability, ClaimDue, Claimed, ClaimedUnrouted,
    Cursor, Delivery, DeliveryId, DeliveryLog, DeliveryOperations, DeliveryQuery, DeliveryStatus,
    Endpoint, EndpointDirectory, EndpointId, EndpointStats, Enqueue, Enqueued, Event, EventId,
    Finish, Finished, Health, Lease, Maintenance, Notice, NoticeId, NoticeQueue, Page, Prune,
    Pruned, Redeliver, Redelivered, ReplayPage, Replayed, Route, Routed, RoutingEntry,
    RoutingUpdate, Skipped, Store, StoreError, StoreErrorKind, StoreStatus, TenantId,
    TenantVersion, TrackedDeliveries, Updated,
};

use super::{SmallStore, log::matches, state::Row};

#[async_trait]
impl Store for SmallStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL.without(Capability::RoutingByDifference).without(Capability::Durability)
    }

    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.endpoints.contains_key(&endpoint.id) || state.removed.contains_key(&endpoint.id) {
            return Err(StoreError::new(StoreErrorKind::Exists));
        }
        state.raise_version(&endpoint.tenant);
        state.endpoints.insert(endpoint.id, endpoint.with_health(Health::HEALTHY));
        Ok(())
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        let mut state = self.state();
        let Some(held) =
            state.endpoints.get_mut(&endpoint.id).filter(|held| held.tenant == endpoint.tenant)
        else {
            return Ok(Updated::NotFound);
        };
        if held.revision != endpoint.revision {
            return Ok(Updated::Stale);
        }
        let (revision, created_at) = (held.revision.next(), held.created_at);
        let health = if held.keeps_health(&endpoint) { held.health } else { Health::HEALTHY };
        *held = endpoint.with_revision(revision).with_created_at(created_at).with_health(health);
        let (id, tenant) = (held.id, held.tenant.clone());
        state.raise_version(&tenant);
        state.reorder(id, self.now());
        Ok(Updated::Done(revision))
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.endpoints.get(&id).is_none_or(|endpoint| endpoint.tenant != *tenant) {
            return Ok(false);
        }
        let now = self.now();
        state.endpoints.remove(&id);
        state.removed.insert(id, now);
        let open = state.deliveries.values_mut().filter(|row| row.delivery.id.endpoint == id);
        open.filter(|row| row.claim_at.is_some())
            .for_each(|row| row.set(DeliveryStatus::Cancelled, None, now));
        state.reorder(id, now);
        state.raise_version(tenant);
        Ok(true)
    }

    async fn endpoints(
        &self,
        ids: &[EndpointId],
    ) -> Result<Vec<Result<Option<Endpoint>, StoreError>>, StoreError> {
        let state = self.state();
        Ok(ids.iter().map(|id| Ok(state.endpoints.get(id).cloned())).collect())
    }

    async fn routing(
        &self,
        tenant: &TenantId,
        _: Option<TenantVersion>,
    ) -> Result<RoutingUpdate, StoreError> {
        let state = self.state();
        let its = state.endpoints.values().filter(|endpoint| endpoint.tenant == *tenant);
        let (version, entries) = (state.version(tenant), its.map(RoutingEntry::of).collect());
        Ok(RoutingUpdate::Whole { version, entries })
    }

    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(batch.into_iter().map(|item| state.enqueue(item, now)).collect())
    }

    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(state.claim_unrouted(limit, lease, now))
    }

    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(batch.into_iter().map(|item| state.route(&item, now)).collect())
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError> {
        let now = self.now();
        Ok(self.state().claim_due(&claim, now))
    }

    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(batch.into_iter().map(|item| state.finish(item, now)).collect())
    }

    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(batch.into_iter().map(|lease| state.release(lease, now)).collect())
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let now = self.now();
        Ok(self.state().backlog(now))
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

#[async_trait]
impl EndpointDirectory for SmallStore {
    async fn tenants(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, StoreError> {
        let tenants: BTreeSet<_> =
            self.state().endpoints.values().map(|endpoint| endpoint.tenant.clone()).collect();
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
        let its = state.endpoints.values().filter(|endpoint| endpoint.tenant == *tenant);
        let behind = its.filter(|endpoint| after.is_none_or(|after| endpoint.id > after));
        Ok(behind.take(limit).cloned().collect())
    }
}

#[async_trait]
impl DeliveryLog for SmallStore {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        Ok(self.state().events.get(&id).cloned())
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        Ok(self.state().deliveries.get(&id).map(|row| row.delivery.clone()))
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        let state = self.state();
        let wanted = state
            .deliveries
            .values()
            .map(|row| &row.delivery)
            .filter(|delivery| matches(&query, delivery));
        let mut found: Vec<_> = wanted.cloned().collect();
        found.sort_by_key(|delivery| std::cmp::Reverse(Cursor::after(delivery)));
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = found.last().filter(|_| more).map(Cursor::after);
        Ok(Page::new(found, next))
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        let state = self.state();
        Ok(state
            .deliveries
            .get(&id)
            .map(|row| row.attempts.values().cloned().collect())
            .unwrap_or_default())
    }

    async fn endpoint_stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, StoreError> {
        let since = self.now().before(window);
        let state = self.state();
        let is_wanted = |it: &Delivery| it.id.endpoint == endpoint && it.created_at >= since;
        let mut rows: Vec<_> =
            state.deliveries.values().filter(|row| is_wanted(&row.delivery)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(Cursor::after(&row.delivery)));
        rows.truncate(EndpointStats::MAX_DELIVERIES);
        let attempts = rows.iter().flat_map(|row| row.attempts.values());
        let kind = |attempt: &Attempt| attempt.failure.as_ref().map(|failure| failure.kind);
        Ok(EndpointStats::new(window)
            .with_deliveries(rows.iter().map(|row| (row.delivery.status, 1)))
            .with_attempts(attempts.map(|attempt| (kind(attempt), attempt.duration, 1))))
    }

    async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let state = self.state();
        let first = state.first_in_line(id).and_then(|first| state.deliveries.get(&first));
        Ok(first.map(|row| row.delivery.clone()))
    }
}

#[async_trait]
impl TrackedDeliveries for SmallStore {
    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        if state.deliveries.get(&delivery.id).is_some_and(|row| !row.tracked) {
            return Err(StoreError::new(StoreErrorKind::Exists));
        }
        state.stored_at.entry(event.id).or_insert(now);
        let has_key = |held: &Arc<Event>| held.tenant == event.tenant && held.key == event.key;
        let taken = event.key.is_some() && state.events.values().any(has_key);
        let key = event.key.clone().filter(|_| !taken);
        state.events.entry(event.id).or_insert_with(|| Arc::new(event.clone().with_key(key)));
        let row = state.deliveries.entry(delivery.id).or_insert_with(|| Row::new(delivery));
        row.tracked = true;
        row.set(DeliveryStatus::Pending, None, now);
        Ok(row.delivery.attempts)
    }

    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let tracked = state.deliveries.get_mut(&id).filter(|row| row.tracked);
        let row = tracked.ok_or_else(|| StoreError::new(StoreErrorKind::Other))?;
        row.delivery.attempts = attempt.number;
        row.delivery.last_attempt_at = Some(now);
        row.record(attempt);
        row.set(status, None, now);
        Ok(())
    }
}

#[async_trait]
impl DeliveryOperations for SmallStore {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(state.redeliver_all(&batch, now))
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(state.replay(&page, now))
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(batch.into_iter().map(|id| state.cancel(id, now)).collect())
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(batch.into_iter().map(|id| state.skip(id, now)).collect())
    }
}

#[async_trait]
impl Maintenance for SmallStore {
    async fn status(&self) -> Result<StoreStatus, StoreError> {
        let now = self.now();
        Ok(self.state().status(now))
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        let cut = self.now().before(prune.older_than);
        Ok(self.state().prune(&prune, cut))
    }
}

#[async_trait]
impl NoticeQueue for SmallStore {
    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        Ok(self.state().notices.values().take(limit).cloned().collect())
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.state().notices.retain(|(_, id), _| !ids.contains(id));
        Ok(())
    }
}
