//! Taking in: events and their deliveries, at once or routed later.

use std::{collections::btree_map::Entry, sync::Arc, time::Duration};

use webhook_core::{
    ClaimedUnrouted, DeliveryId, DeliveryStatus, Enqueue, Enqueued, Event, EventId, FanOut,
    NewDelivery, Route, Routed, TenantId, TenantVersion, Timestamp, UnroutedEvent,
};

use super::{
    State,
    row::{DeliveryRow, EventRow, is_same},
};

impl State {
    pub(super) fn enqueue(&mut self, item: Enqueue, now: Timestamp) -> Enqueued {
        if let Some(first) = self.taken_by(&item.event) {
            let same = is_same(&first.event, &item.event);
            return if same {
                Enqueued::Duplicate(first.id())
            } else {
                Enqueued::Conflict(first.id())
            };
        }
        if item.fan_out.as_ref().is_some_and(|it| self.leads_nowhere(&item.event.tenant, it)) {
            return Enqueued::EndpointGone;
        }
        let event = Arc::new(item.event);
        self.stored_at.insert(event.id, now);
        let is_current = |fan_out: &FanOut| {
            let current =
                fan_out.version.is_none_or(|version| self.is_current(&event.tenant, version));
            current && self.may_be_leased(fan_out)
        };
        match item.fan_out.filter(is_current) {
            Some(fan_out) => {
                self.keep(&event, None);
                Enqueued::Routed(self.deliver(&event, fan_out.deliveries, now))
            }
            None => {
                self.keep(&event, Some(now));
                Enqueued::Later
            }
        }
    }

    pub(super) fn claim_unrouted(
        &mut self,
        limit: usize,
        lease: Duration,
        now: Timestamp,
    ) -> ClaimedUnrouted {
        let mut taken = Vec::new();
        let mut next_due = None;
        for row in self.events.values_mut() {
            match row.unrouted_from {
                Some(from) if from <= now && taken.len() < limit => {
                    row.unrouted_from = Some(now.after(lease));
                    taken.push(unrouted(&row.event));
                }
                Some(from) => next_due = earlier(next_due, from.since(now)),
                None => {}
            }
        }
        ClaimedUnrouted::new(taken, next_due)
    }

    pub(super) fn route(&mut self, item: Route, now: Timestamp) -> Routed {
        let unrouted = self.events.get(&item.event).filter(|row| row.unrouted_from.is_some());
        let Some(event) = unrouted.map(|row| Arc::clone(&row.event)) else {
            return Routed::NotUnrouted;
        };
        if !self.is_current(&event.tenant, item.version) {
            return Routed::Stale;
        }
        self.keep(&event, None);
        self.deliver(&event, item.deliveries, now);
        Routed::Done
    }

    /// Keeps an event, unrouted and free to take from a moment on, or routed.
    pub(super) fn keep(&mut self, event: &Arc<Event>, unrouted_from: Option<Timestamp>) {
        if let Some(key) = &event.key {
            self.keys.entry((event.tenant.clone(), key.clone())).or_insert(event.id);
        }
        self.events.insert(event.id, EventRow { event: Arc::clone(event), unrouted_from });
    }

    /// Whether all endpoints that it has leased deliveries for are well.
    fn may_be_leased(&self, fan_out: &FanOut) -> bool {
        let leased = fan_out.deliveries.iter().filter(|delivery| delivery.lease.is_some());
        let mut endpoints = leased.filter_map(|delivery| self.endpoint(delivery.endpoint));
        endpoints.all(|endpoint| endpoint.health.is_well())
    }

    fn is_current(&self, tenant: &TenantId, version: TenantVersion) -> bool {
        self.version(tenant) == version
    }

    /// The event that has this one's id or key.
    fn taken_by(&self, event: &Event) -> Option<&EventRow> {
        let by_key = || {
            let key = event.key.as_ref()?;
            self.keys.get(&(event.tenant.clone(), key.clone())).copied()
        };
        let by_id = |id: EventId| self.events.get(&id);
        by_id(event.id).or_else(|| by_key().and_then(by_id))
    }

    /// Whether it is to go straight to an endpoint that the tenant does not have.
    fn leads_nowhere(&self, tenant: &TenantId, fan_out: &FanOut) -> bool {
        let has = |new: &NewDelivery| {
            self.endpoint(new.endpoint).is_some_and(|endpoint| endpoint.tenant == *tenant)
        };
        fan_out.version.is_none() && !fan_out.deliveries.iter().all(has)
    }

    /// Creates the deliveries that are not there yet, and counts them but for those missed.
    fn deliver(
        &mut self,
        event: &Arc<Event>,
        deliveries: Vec<NewDelivery>,
        now: Timestamp,
    ) -> usize {
        let mut count = 0;
        for new in deliveries {
            let id = DeliveryId::new(event.id, new.endpoint);
            if let Entry::Vacant(vacant) = self.deliveries.entry(id) {
                vacant.insert(new_row(event, new, now));
                count += usize::from(!new.missed);
            }
        }
        count
    }
}

fn new_row(event: &Arc<Event>, new: NewDelivery, now: Timestamp) -> DeliveryRow {
    let mut row = DeliveryRow::new(Arc::clone(event), now);
    row.cause = new.cause;
    if new.missed {
        row.status = DeliveryStatus::Missed;
        row.finished_at = Some(now);
    }
    if let Some(lease) = new.lease {
        row.claim(lease, now);
    }
    row
}

fn unrouted(event: &Event) -> UnroutedEvent {
    UnroutedEvent::new(event.id, event.tenant.clone(), event.event_type.clone())
}

/// The shorter of two waits, where there is one.
pub(super) fn earlier(one: Option<Duration>, other: Duration) -> Option<Duration> {
    Some(one.map_or(other, |one| one.min(other)))
}
