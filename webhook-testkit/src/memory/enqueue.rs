//! Taking in: events and their deliveries, at once or routed later.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use webhook_core::{
    ClaimedUnrouted, DeliveryId, DeliveryStatus, Enqueue, Enqueued, Event, EventId, FanOut,
    NewDelivery, Route, Routed, TenantId, TenantVersion, Timestamp, UnroutedEvent,
};

use super::{
    State,
    row::{DeliveryRow, EventRow, TenantKey, is_same},
};

impl State {
    pub(super) fn enqueue(&mut self, item: Enqueue, now: Timestamp) -> Enqueued {
        if let Some(first) = self.find_stored(&item.event) {
            let same = is_same(&first.event, &item.event);
            return if same {
                Enqueued::Duplicate(first.id())
            } else {
                Enqueued::Conflict(first.id())
            };
        }
        if item
            .fan_out
            .as_ref()
            .is_some_and(|it| self.names_missing_endpoint(&item.event.tenant, it))
        {
            return Enqueued::EndpointGone;
        }
        let event = Arc::new(item.event);
        self.stored_at.insert(event.id, now);
        let is_current = |fan_out: &FanOut| {
            let current =
                fan_out.version.is_some_and(|version| self.is_current(&event.tenant, version));
            current && self.may_be_leased(fan_out)
        };
        let may_go = !self.is_behind_unrouted(&event);
        // What goes straight to an endpoint is never routed, now or later.
        let may_go = |fan_out: &FanOut| fan_out.version.is_none() || may_go && is_current(fan_out);
        match item.fan_out.filter(may_go) {
            Some(fan_out) => {
                self.store_event(&event, None);
                Enqueued::Routed(self.add_deliveries(&event, fan_out.deliveries, now))
            }
            None => {
                self.store_event(&event, Some(now));
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
        let mut lines = self.unrouted_lines(now);
        let (mut taken, mut next_due) = (Vec::new(), None);
        for (from, id, line) in self.unrouted() {
            // In its place the first of its ordering key goes, if there is one that nobody has.
            let first = match &line {
                Some(line) => lines.get_mut(line).and_then(VecDeque::pop_front),
                None => Some(id),
            };
            if from > now {
                next_due = earlier(next_due, from.since(now));
            } else if taken.len() < limit {
                taken.extend(first);
            } else if first.is_some() {
                next_due = Some(Duration::ZERO);
            }
        }
        taken.sort_by_key(|id| (self.stored_at.get(id).copied(), *id));
        let mut events = Vec::new();
        for id in taken {
            let Some(row) = self.events.get_mut(&id) else { continue };
            row.unrouted_from = Some(now.after(lease));
            events.push(unrouted(&row.event));
        }
        ClaimedUnrouted::new(events, next_due)
    }

    /// The unrouted events, the longest free first.
    fn unrouted(&self) -> BTreeSet<(Timestamp, EventId, Option<TenantKey>)> {
        let unrouted = |row: &EventRow| Some((row.unrouted_from?, row.id(), row.line()));
        self.events.values().filter_map(unrouted).collect()
    }

    /// The unrouted events of each ordering key, the first stored first, up to one that somebody has.
    fn unrouted_lines(&self, now: Timestamp) -> BTreeMap<TenantKey, VecDeque<EventId>> {
        let unrouted = self.unrouted().into_iter();
        let mut by_age: Vec<_> =
            unrouted.filter_map(|(from, id, line)| Some((id, from, line?))).collect();
        by_age.sort_by_key(|(id, ..)| (self.stored_at.get(id).copied(), *id));
        let (mut lines, mut held_up) = (BTreeMap::<_, VecDeque<_>>::new(), BTreeSet::new());
        for (id, from, line) in by_age {
            if from > now || held_up.contains(&line) {
                held_up.insert(line);
            } else {
                lines.entry(line).or_default().push_back(id);
            }
        }
        lines
    }

    pub(super) fn route(&mut self, item: Route, now: Timestamp) -> Routed {
        let unrouted = self.events.get(&item.event).filter(|row| row.unrouted_from.is_some());
        let Some(event) = unrouted.map(|row| Arc::clone(&row.event)) else {
            return Routed::NotUnrouted;
        };
        if !self.is_current(&event.tenant, item.version) {
            return Routed::Stale;
        }
        self.store_event(&event, None);
        self.add_deliveries(&event, item.deliveries, now);
        Routed::Done
    }

    /// Stores an event: unrouted and claimable from `unrouted_from`, or routed.
    pub(super) fn store_event(&mut self, event: &Arc<Event>, unrouted_from: Option<Timestamp>) {
        if let Some(key) = &event.key {
            self.keys.entry((event.tenant.clone(), key.clone())).or_insert(event.id);
        }
        self.events.insert(event.id, EventRow { event: Arc::clone(event), unrouted_from });
    }

    /// Returns true if all endpoints with leased deliveries are unrestricted.
    fn may_be_leased(&self, fan_out: &FanOut) -> bool {
        let leased = fan_out.deliveries.iter().filter(|delivery| delivery.lease.is_some());
        let mut endpoints = leased.filter_map(|delivery| self.endpoint(delivery.endpoint));
        endpoints.all(|endpoint| endpoint.health.is_unrestricted())
    }

    fn is_current(&self, tenant: &TenantId, version: TenantVersion) -> bool {
        self.version(tenant) == version
    }

    /// The stored event with the same id or key.
    fn find_stored(&self, event: &Event) -> Option<&EventRow> {
        let by_key = || {
            let key = event.key.as_ref()?;
            self.keys.get(&(event.tenant.clone(), key.clone())).copied()
        };
        let by_id = |id: EventId| self.events.get(&id);
        by_id(event.id).or_else(|| by_key().and_then(by_id))
    }

    /// Returns true for a direct delivery to an endpoint that the tenant does not have.
    fn names_missing_endpoint(&self, tenant: &TenantId, fan_out: &FanOut) -> bool {
        let has = |new: &NewDelivery| {
            self.endpoint(new.endpoint).is_some_and(|endpoint| endpoint.tenant == *tenant)
        };
        fan_out.version.is_none() && !fan_out.deliveries.iter().all(has)
    }

    /// Creates the deliveries that do not exist yet, and counts them, except for missed ones.
    fn add_deliveries(
        &mut self,
        event: &Arc<Event>,
        deliveries: Vec<NewDelivery>,
        now: Timestamp,
    ) -> usize {
        let mut count = 0;
        for new in deliveries {
            let id = DeliveryId::new(event.id, new.endpoint);
            if let Entry::Vacant(vacant) = self.deliveries.entry(id) {
                vacant.insert(new_row(event, &new, now));
                count += usize::from(!new.missed);
                if new.lease.is_none() && !new.missed {
                    self.append_to_line(id);
                }
            }
        }
        count
    }
}

fn new_row(event: &Arc<Event>, new: &NewDelivery, now: Timestamp) -> DeliveryRow {
    let mut row = DeliveryRow::new(Arc::clone(event), now);
    row.cause = new.cause;
    if new.missed {
        row.status = DeliveryStatus::Missed;
        row.finished_at = Some(now);
    }
    if let Some(lease) = new.lease {
        row.claim(lease, new.claimed_by(), now);
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
