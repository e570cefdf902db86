//! The rows, and what each call does to them.

use std::collections::{BTreeMap, BTreeSet};
use std::{sync::Arc, time::Duration};

use webhook_registry::{
    Attempt, Delivery, DeliveryId, Endpoint, EndpointId, EndpointUrl, Event, EventId, TenantId,
    Timestamp,
    store::{
        Backlog, ClaimedUnrouted, Enqueue, Enqueued, Finish, Finished, Lease, NewDelivery, Route,
        Routed, TenantVersion, UnroutedEvent,
    },
    store_state::{
        DeliveryState, Intake, Transition, UnroutedEntry, claim_unrouted_first, endpoint_change,
        enqueued_again, intake,
    },
};

#[derive(Debug, Default)]
pub(super) struct State {
    versions: BTreeMap<TenantId, TenantVersion>,
    /// Endpoints by id; `None` for those that were removed.
    pub(super) endpoints: BTreeMap<EndpointId, Option<Endpoint>>,
    pub(super) events: BTreeMap<EventId, Arc<Event>>,
    /// Unrouted events: when each was stored, and from when on a worker may claim it.
    unrouted: BTreeMap<EventId, (Timestamp, Timestamp)>,
    pub(super) deliveries: BTreeMap<DeliveryId, Row>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) state: DeliveryState,
    pub(super) event: Arc<Event>,
    pub(super) url: EndpointUrl,
    pub(super) attempts: BTreeMap<u32, Attempt>,
}

impl Row {
    pub(super) fn to_delivery(&self, id: DeliveryId) -> Delivery {
        self.state.to_delivery(id, &self.event, self.url.clone())
    }
}

impl State {
    pub(super) fn version(&self, tenant: &TenantId) -> TenantVersion {
        self.versions.get(tenant).copied().unwrap_or_default()
    }

    pub(super) fn raise_version(&mut self, tenant: &TenantId) {
        let next = self.version(tenant).next();
        self.versions.insert(tenant.clone(), next);
    }

    pub(super) fn endpoint(&self, id: EndpointId) -> Option<&Endpoint> {
        self.endpoints.get(&id)?.as_ref()
    }

    pub(super) fn present(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values().flatten()
    }

    pub(super) fn cancel_all(&mut self, endpoint: EndpointId, now: Timestamp) {
        for (_, row) in self.deliveries.iter_mut().filter(|(id, _)| id.endpoint == endpoint) {
            if let Some(change) = row.state.cancelled(now).change {
                row.state = change.state;
            }
        }
    }

    pub(super) fn enqueue(&mut self, item: Enqueue, now: Timestamp) -> Enqueued {
        let (event, fan_out) = (Arc::new(item.event), item.fan_out);
        let has_key = |first: &&Arc<Event>| {
            event.key.is_some() && first.key == event.key && first.tenant == event.tenant
        };
        let by_id = self.events.get(&event.id);
        if let Some(first) = by_id.or_else(|| self.events.values().find(has_key)) {
            return enqueued_again(first, &event);
        }
        let version = self.version(&event.tenant);
        let intake = intake(&event, fan_out.as_ref(), version, false, |id| self.endpoint(id));
        if intake == Intake::EndpointGone {
            return Enqueued::EndpointGone;
        }
        self.events.insert(event.id, Arc::clone(&event));
        if let Some(fan_out) = fan_out.filter(|_| intake == Intake::Routed) {
            fan_out.deliveries.iter().for_each(|new| self.deliver(&event, new, now));
            let sent = fan_out.deliveries.iter().filter(|new| !new.missed);
            return Enqueued::Routed(sent.map(|new| new.endpoint).collect::<BTreeSet<_>>().len());
        }
        self.unrouted.insert(event.id, (now, now));
        Enqueued::Later
    }

    /// Creates a delivery of `event`, unless there is one.
    fn deliver(&mut self, event: &Arc<Event>, new: &NewDelivery, now: Timestamp) {
        let Some(url) = self.endpoint(new.endpoint).map(|endpoint| endpoint.url.clone()) else {
            return;
        };
        self.deliveries.entry(DeliveryId::new(event.id, new.endpoint)).or_insert_with(|| Row {
            state: DeliveryState::enqueued(new, now),
            event: Arc::clone(event),
            url,
            attempts: BTreeMap::new(),
        });
    }

    pub(super) fn claim_unrouted(
        &mut self,
        limit: usize,
        lease: Duration,
        now: Timestamp,
    ) -> ClaimedUnrouted {
        let entry = |(&id, &(stored_at, claimable_at))| UnroutedEntry {
            id,
            key: None,
            stored_at,
            claimable_at,
        };
        let entries = self.unrouted.iter().map(entry).collect();
        let (taken, next_due) = claim_unrouted_first(entries, limit, now);
        for id in &taken {
            self.unrouted.entry(*id).and_modify(|(_, claimable_at)| {
                *claimable_at = now.after(lease);
            });
        }
        let unrouted = |event: &Arc<Event>| {
            UnroutedEvent::new(event.id, event.tenant.clone(), event.event_type.clone())
        };
        let events = taken.iter().filter_map(|id| self.events.get(id)).map(unrouted);
        ClaimedUnrouted::new(events.collect(), next_due)
    }

    pub(super) fn route(&mut self, item: Route, now: Timestamp) -> Routed {
        let is_unrouted = self.unrouted.contains_key(&item.event);
        let Some(event) = self.events.get(&item.event).filter(|_| is_unrouted).cloned() else {
            return Routed::NotUnrouted;
        };
        if item.version != self.version(&event.tenant) {
            return Routed::Stale;
        }
        self.unrouted.remove(&item.event);
        item.deliveries.iter().for_each(|new| self.deliver(&event, new, now));
        Routed::Done
    }

    pub(super) fn finish(&mut self, item: Finish, now: Timestamp) -> Finished {
        self.end_claim(&item, now, |state| state.finished(&item, now))
    }

    pub(super) fn release(&mut self, lease: Lease, now: Timestamp) -> Finished {
        self.end_claim(&Finish::void(lease), now, |state| state.released(lease, now))
    }

    fn end_claim(
        &mut self,
        item: &Finish,
        now: Timestamp,
        transition: impl Fn(&DeliveryState) -> Transition<Finished>,
    ) -> Finished {
        let id = item.lease.delivery;
        let Some(row) = self.deliveries.get_mut(&id) else { return Finished::LeaseLost };
        let Transition { result, change } = transition(&row.state);
        let Some(change) = change else { return result };
        row.state = change.state;
        row.attempts.extend(item.attempts.iter().map(|attempt| (attempt.number, attempt.clone())));
        if let Some(Some(endpoint)) = self.endpoints.get_mut(&id.endpoint)
            && let Some(change) = endpoint_change(endpoint, item, now)
        {
            *endpoint = change.apply_to(endpoint.clone());
            let edited = change.disabled.map(|_| endpoint.tenant.clone());
            edited.iter().for_each(|tenant| self.raise_version(tenant));
        }
        result
    }

    pub(super) fn backlog(&self, now: Timestamp) -> Backlog {
        let open = self.deliveries.iter().filter(|(_, row)| row.state.is_open());
        let (leased, free): (Vec<_>, Vec<_>) = open.partition(|(_, row)| row.state.is_leased(now));
        let (active, waiting): (Vec<_>, Vec<_>) =
            free.into_iter().partition(|(id, _)| self.is_active(id.endpoint));
        let due = active.iter().filter_map(|(id, row)| self.may_start_at(**id, row));
        let next_due = due.map(|at| at.since(now)).min();
        let rows = [self.unrouted.len(), leased.len(), active.len(), waiting.len()];
        let [unrouted, leased, active, waiting] = rows.map(|rows| rows as u64);
        Backlog::new(unrouted, leased, active, waiting, next_due)
    }
}
