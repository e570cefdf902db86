use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use webhook_registry::{
    Backlog, ClaimDue, Claimed, ClaimedUnrouted, DeliveryStore, Enqueue, Enqueued, Event, EventId,
    Finish, Finished, Lease, Route, Routed, StoreError, Timestamp, UnroutedEvent,
    store_state::{
        Intake, Transition, UnroutedEntry, claim_unrouted_first, endpoint_change, enqueued_again,
        intake,
    },
};

use super::{
    SmallStore,
    state::{Row, State, as_u64},
};

#[async_trait]
impl DeliveryStore for SmallStore {
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
        Ok(batch.iter().map(|item| state.finish(item, now)).collect())
    }

    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        Ok(batch.into_iter().map(|lease| state.release(lease, now)).collect())
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let now = self.now();
        Ok(self.state().backlog(now))
    }
}

impl State {
    fn enqueue(&mut self, item: Enqueue, now: Timestamp) -> Enqueued {
        let (event, fan_out) = (Arc::new(item.event), item.fan_out);
        let has_key = |first: &&Arc<Event>| {
            event.key.is_some() && first.key == event.key && first.tenant == event.tenant
        };
        let by_id = self.events.get(&event.id);
        if let Some(first) = by_id.or_else(|| self.events.values().find(has_key)) {
            return enqueued_again(first, &event);
        }
        let (version, is_behind) = (self.version(&event.tenant), self.is_behind_unrouted(&event));
        let endpoint = |id| self.endpoints.get(&id);
        let intake = intake(&event, fan_out.as_ref(), version, is_behind, endpoint);
        if intake == Intake::EndpointGone {
            return Enqueued::EndpointGone;
        }
        self.stored_at.insert(event.id, now);
        self.events.insert(event.id, Arc::clone(&event));
        if let Some(fan_out) = fan_out.filter(|_| intake == Intake::Routed) {
            fan_out.deliveries.iter().for_each(|new| self.deliver(&event, new, now));
            let sent = fan_out.deliveries.iter().filter(|new| !new.missed);
            return Enqueued::Routed(sent.map(|new| new.endpoint).collect::<BTreeSet<_>>().len());
        }
        self.unrouted.insert(event.id, now);
        Enqueued::Later
    }

    fn claim_unrouted(&mut self, limit: usize, lease: Duration, now: Timestamp) -> ClaimedUnrouted {
        let entry = |(&id, &claimable_at): (&EventId, &Timestamp)| {
            let (event, stored_at) = (self.events.get(&id)?, *self.stored_at.get(&id)?);
            let key = event.ordering_key.clone().map(|key| (event.tenant.clone(), key));
            Some(UnroutedEntry { id, key, stored_at, claimable_at })
        };
        let entries = self.unrouted.iter().filter_map(entry).collect();
        let (taken, next_due) = claim_unrouted_first(entries, limit, now);
        self.unrouted.extend(taken.iter().map(|id| (*id, now.after(lease))));
        let events = taken.iter().filter_map(|id| self.events.get(id));
        let unrouted = |event: &Arc<Event>| {
            UnroutedEvent::new(event.id, event.tenant.clone(), event.event_type.clone())
        };
        ClaimedUnrouted::new(events.map(unrouted).collect(), next_due)
    }

    fn route(&mut self, item: &Route, now: Timestamp) -> Routed {
        let unrouted = self.unrouted.contains_key(&item.event);
        let Some(event) = self.events.get(&item.event).filter(|_| unrouted).cloned() else {
            return Routed::NotUnrouted;
        };
        if item.version != self.version(&event.tenant) {
            return Routed::Stale;
        }
        self.unrouted.remove(&item.event);
        item.deliveries.iter().for_each(|new| self.deliver(&event, new, now));
        Routed::Done
    }

    fn finish(&mut self, item: &Finish, now: Timestamp) -> Finished {
        self.end_claim(item, now, |row| row.state.finished(item, now))
    }

    fn release(&mut self, lease: Lease, now: Timestamp) -> Finished {
        self.end_claim(&Finish::void(lease), now, |row| row.state.released(lease, now))
    }

    fn end_claim(
        &mut self,
        item: &Finish,
        now: Timestamp,
        transition: impl Fn(&Row) -> Transition<Finished>,
    ) -> Finished {
        let id = item.lease.delivery;
        let Some(row) = self.deliveries.get_mut(&id) else { return self.too_late() };
        let Transition { result, change } = transition(row);
        let Some(change) = change else {
            return if result == Finished::LeaseLost { self.too_late() } else { result };
        };
        row.state = change.state;
        row.attempts.extend(item.attempts.iter().map(|attempt| (attempt.number, attempt.clone())));
        let mut notices: Vec<_> = change.notice.into_iter().collect();
        self.move_up(id, change.next_due_at);
        if let Some(endpoint) = self.endpoints.get_mut(&id.endpoint)
            && let Some(change) = endpoint_change(endpoint, item, now)
        {
            *endpoint = change.apply_to(endpoint.clone());
            let tenant = change.disabled.map(|_| endpoint.tenant.clone());
            notices.extend(change.notice);
            tenant.iter().for_each(|tenant| self.raise_version(tenant));
        }
        let named = notices.into_iter().map(|notice| ((notice.at, notice.id.clone()), notice));
        self.notices.extend(named);
        result
    }

    const fn too_late(&mut self) -> Finished {
        self.leases_lost += 1;
        Finished::LeaseLost
    }

    pub(super) fn backlog(&self, now: Timestamp) -> Backlog {
        let open = || self.deliveries.iter().filter(|(_, row)| row.state.is_open());
        let (leased, free): (Vec<_>, Vec<_>) =
            open().partition(|(_, row)| row.state.is_leased(now));
        let (active, waiting): (Vec<_>, Vec<_>) =
            free.into_iter().partition(|(id, _)| self.is_active(id.endpoint));
        let due = active.iter().filter_map(|(id, row)| self.may_start_at(**id, row));
        Backlog::new(
            as_u64(self.unrouted.len()),
            as_u64(leased.len()),
            as_u64(active.len()),
            as_u64(waiting.len()),
            due.map(|at| at.since(now)).min(),
        )
    }
}
