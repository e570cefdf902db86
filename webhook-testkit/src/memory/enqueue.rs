//! Taking in: events and their deliveries, at once or routed later.

use std::{collections::btree_map::Entry, sync::Arc, time::Duration};

use webhook_core::store_state::{
    DeliveryState, Intake, UnroutedEntry, claim_unrouted_first, enqueued_again, intake,
};
use webhook_core::{
    DeliveryId, Event, EventId, Timestamp,
    store::{ClaimedUnrouted, Enqueue, Enqueued, NewDelivery, Route, Routed, UnroutedEvent},
};

use super::{
    State,
    row::{DeliveryRow, EventRow},
};

impl State {
    pub(super) fn enqueue(&mut self, item: Enqueue, now: Timestamp) -> Enqueued {
        if let Some(first) = self.find_stored(&item.event) {
            return enqueued_again(&first.event, &item.event);
        }
        let intake = self.intake(&item);
        if intake == Intake::EndpointGone {
            return Enqueued::EndpointGone;
        }
        let event = Arc::new(item.event);
        self.stored_at.insert(event.id, now);
        match item.fan_out.filter(|_| intake == Intake::Routed) {
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

    fn intake(&self, item: &Enqueue) -> Intake {
        let Enqueue { event, fan_out, .. } = item;
        let version = self.version(&event.tenant);
        let is_behind = self.is_behind_unrouted(event);
        let endpoint = |id| self.endpoint(id).map(|endpoint| &**endpoint);
        intake(event, fan_out.as_ref(), version, is_behind, endpoint)
    }

    pub(super) fn claim_unrouted(
        &mut self,
        limit: usize,
        lease: Duration,
        now: Timestamp,
    ) -> ClaimedUnrouted {
        let (taken, next_due) = claim_unrouted_first(self.unrouted(), limit, now);
        let mut events = Vec::new();
        for id in taken {
            let Some(row) = self.events.get_mut(&id) else { continue };
            row.unrouted_from = Some(now.after(lease));
            events.push(unrouted(&row.event));
        }
        ClaimedUnrouted::new(events, next_due)
    }

    fn unrouted(&self) -> Vec<UnroutedEntry> {
        let unrouted = |row: &EventRow| {
            let stored_at = self.stored_at.get(&row.id()).copied().unwrap_or_default();
            let claimable_at = row.unrouted_from?;
            Some(UnroutedEntry { id: row.id(), key: row.key(), stored_at, claimable_at })
        };
        self.events.values().filter_map(unrouted).collect()
    }

    pub(super) fn route(&mut self, item: Route, now: Timestamp) -> Routed {
        let unrouted = self.events.get(&item.event).filter(|row| row.unrouted_from.is_some());
        let Some(event) = unrouted.map(|row| Arc::clone(&row.event)) else {
            return Routed::NotUnrouted;
        };
        if self.version(&event.tenant) != item.version {
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

    /// The stored event with the same id or key.
    fn find_stored(&self, event: &Event) -> Option<&EventRow> {
        let by_key = || {
            let key = event.key.as_ref()?;
            self.keys.get(&(event.tenant.clone(), key.clone())).copied()
        };
        let by_id = |id: EventId| self.events.get(&id);
        by_id(event.id).or_else(|| by_key().and_then(by_id))
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
                let state = DeliveryState::enqueued(&new, now);
                vacant.insert(DeliveryRow::new(Arc::clone(event), state));
                count += usize::from(!new.missed);
                if new.lease.is_none() && !new.missed {
                    self.append_to_line(id);
                }
            }
        }
        count
    }
}

fn unrouted(event: &Event) -> UnroutedEvent {
    UnroutedEvent::new(event.id, event.tenant.clone(), event.event_type.clone())
}
