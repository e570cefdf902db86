//! Calls that store events and record results.

use std::{collections::BTreeSet, time::Duration};

use webhook_registry::{
    DeliveryId, Endpoint, EndpointId, Event, EventId, Timestamp,
    store::{
        Backlog, ClaimedUnrouted, Enqueue, Enqueued, Finish, Finished, NewDelivery, Route, Routed,
        UnroutedEvent,
    },
    store_record::{AttemptRecord, EventRecord},
    store_state::{
        DeliveryState, Intake, Transition, UnroutedEntry, claim_unrouted_first, endpoint_change,
        enqueued_again, intake,
    },
};

use crate::{
    Stored,
    tables::{ATTEMPTS, EVENT_KEYS, EVENTS, Tables, UNROUTED, delivery_key},
};

/// An unrouted event: when it was stored, and from when on a worker may claim it.
type UnroutedRow = (EventId, Timestamp, Timestamp);

impl Tables<'_> {
    pub(super) fn enqueue(&self, item: Enqueue) -> Stored<Enqueued> {
        let (event, fan_out, now) = (item.event, item.fan_out, self.now);
        // A tenant holds no zero byte.
        let key = event.key.as_ref().map(|key| format!("{}\0{key}", event.tenant).into_bytes());
        let of_key = key.as_ref().map_or(Ok(None), |key| self.get::<EventId>(EVENT_KEYS, key))?;
        for id in [Some(event.id), of_key].into_iter().flatten() {
            if let Some(first) = self.event(id)? {
                return Ok(enqueued_again(&first, &event));
            }
        }
        let new = fan_out.as_ref().map(|it| it.deliveries.as_slice()).unwrap_or_default();
        let endpoints = new.iter().filter_map(|new| self.endpoint(new.endpoint).transpose());
        let endpoints: Vec<Endpoint> = endpoints.collect::<Result<_, _>>()?;
        let endpoint = |id| endpoints.iter().find(|endpoint| endpoint.id == id);
        let intake =
            intake(&event, fan_out.as_ref(), self.version(&event.tenant)?, false, endpoint);
        if intake == Intake::EndpointGone {
            return Ok(Enqueued::EndpointGone);
        }
        self.put(EVENTS, event.id.as_uuid().as_bytes(), &EventRecord::of(&event))?;
        if let Some(key) = key {
            self.put(EVENT_KEYS, &key, &event.id)?;
        }
        if intake == Intake::Unrouted {
            let row: UnroutedRow = (event.id, now, now);
            self.put(UNROUTED, event.id.as_uuid().as_bytes(), &row)?;
            return Ok(Enqueued::Later);
        }
        self.deliver(event.id, new)?;
        let sent = new.iter().filter(|new| !new.missed).map(|new| new.endpoint);
        Ok(Enqueued::Routed(sent.collect::<BTreeSet<_>>().len()))
    }

    /// Creates the deliveries of an event that do not exist.
    fn deliver(&self, event: EventId, new: &[NewDelivery]) -> Stored<()> {
        for new in new {
            let id = DeliveryId::new(event, new.endpoint);
            let Some(endpoint) = self.endpoint(new.endpoint)? else { continue };
            if self.delivery(id)?.is_none() {
                let state = DeliveryState::enqueued(new, self.now);
                self.put_delivery(&(id, endpoint.url, state), None)?;
            }
        }
        Ok(())
    }

    pub(super) fn claim_unrouted(&self, limit: usize, lease: Duration) -> Stored<ClaimedUnrouted> {
        let entry = |(id, stored_at, claimable_at): UnroutedRow| {
            let key = None;
            UnroutedEntry { id, key, stored_at, claimable_at }
        };
        let entries = self.of(UNROUTED, &[])?.into_iter().map(entry).collect();
        let (taken, next_due) = claim_unrouted_first(entries, limit, self.now);
        let mut events = Vec::new();
        for id in taken {
            let row = self.get::<UnroutedRow>(UNROUTED, id.as_uuid().as_bytes())?;
            let (Some((_, stored_at, _)), Some(event)) = (row, self.event(id)?) else { continue };
            let row = (id, stored_at, self.now.after(lease));
            self.put::<UnroutedRow>(UNROUTED, id.as_uuid().as_bytes(), &row)?;
            events.push(UnroutedEvent::new(id, event.tenant, event.event_type));
        }
        Ok(ClaimedUnrouted::new(events, next_due))
    }

    pub(super) fn route(&self, item: Route) -> Stored<Routed> {
        let row = self.get::<UnroutedRow>(UNROUTED, item.event.as_uuid().as_bytes())?;
        let Some(Event { tenant, .. }) = self.event(item.event)?.filter(|_| row.is_some()) else {
            return Ok(Routed::NotUnrouted);
        };
        if item.version != self.version(&tenant)? {
            return Ok(Routed::Stale);
        }
        self.remove(UNROUTED, item.event.as_uuid().as_bytes())?;
        self.deliver(item.event, &item.deliveries)?;
        Ok(Routed::Done)
    }

    /// Records the result of a claim.
    pub(super) fn end_claim(
        &self,
        item: &Finish,
        transition: impl Fn(&DeliveryState) -> Transition<Finished>,
    ) -> Stored<Finished> {
        let id = item.lease.delivery;
        let Some((_, url, state)) = self.delivery(id)? else { return Ok(Finished::LeaseLost) };
        let Transition { result, change } = transition(&state);
        let Some(change) = change else { return Ok(result) };
        self.put_delivery(&(id, url, change.state), state.claimable_at())?;
        for attempt in &item.attempts {
            let key = [&delivery_key(id), attempt.number.to_be_bytes().as_slice()].concat();
            self.put(ATTEMPTS, &key, &AttemptRecord::of(attempt))?;
        }
        if let Some(endpoint) = self.endpoint(id.endpoint)?
            && let Some(change) = endpoint_change(&endpoint, item, self.now)
            && (change.health != endpoint.health || change.disabled.is_some())
        {
            self.put_endpoint(&change.apply_to(endpoint.clone()))?;
            if change.disabled.is_some() {
                self.raise_version(&endpoint.tenant)?;
            }
        }
        Ok(result)
    }

    /// Cancels the open deliveries of an endpoint.
    pub(super) fn cancel_all(&self, id: EndpointId) -> Stored<()> {
        for entry in self.due(id, usize::MAX)? {
            let Some((id, url, state)) = self.delivery(entry.id)? else { continue };
            if let Some(change) = state.cancelled(self.now).change {
                self.put_delivery(&(id, url, change.state), state.claimable_at())?;
            }
        }
        Ok(())
    }

    pub(super) fn backlog(&self) -> Stored<Backlog> {
        let (mut leased, mut waiting, mut due) = (0, 0, Vec::new());
        for id in self.endpoints_with_work()? {
            let due_of_endpoint = self.due(id, usize::MAX)?.into_iter();
            let (held, free): (Vec<_>, Vec<_>) =
                due_of_endpoint.partition(|entry| entry.in_flight && entry.at > self.now);
            leased += held.len() as u64;
            let Some(active) = self.endpoint(id)?.filter(|it| it.state.is_active()) else {
                waiting += free.len() as u64;
                continue;
            };
            let cooled = active.health.cools_down_until();
            due.extend(free.iter().map(|entry| cooled.map_or(entry.at, |at| at.max(entry.at))));
        }
        let unrouted = self.of::<UnroutedRow>(UNROUTED, &[])?.len() as u64;
        let next_due = due.iter().min().map(|at| at.since(self.now));
        Ok(Backlog::new(unrouted, leased, due.len() as u64, waiting, next_due))
    }
}
