use std::{collections::BTreeSet, mem, sync::Arc, time::Duration};

use webhook_registry::{
    Backlog, ClaimedUnrouted, DeliveryStatus, DisabledReason, EndpointState, Enqueue, Enqueued,
    Event, EventId, FanOut, Finish, Finished, Health, Lease, NewDelivery, Notice, NoticeKind,
    Route, Routed, Settle, Timestamp, UnroutedEvent,
};

use super::state::{Row, State};

impl State {
    /// The longest free first; in the place of each the first stored of its ordering key, if nobody
    /// has that one.
    pub(super) fn claim_unrouted(
        &mut self,
        limit: usize,
        lease: Duration,
        now: Timestamp,
    ) -> ClaimedUnrouted {
        let (mut taken, mut next_due) = (Vec::new(), None::<Duration>);
        let mut by_time: Vec<_> = self.unrouted.iter().map(|(id, at)| (*at, *id)).collect();
        by_time.sort_unstable();
        for (at, id) in by_time {
            let first =
                self.first_unrouted(id, &taken).filter(|it| self.unrouted.get(it) <= Some(&now));
            let wait = match first {
                _ if at > now => Some(at.since(now)),
                Some(first) if taken.len() < limit => {
                    taken.push(first);
                    None
                }
                first => first.map(|_| Duration::ZERO),
            };
            next_due = next_due.into_iter().chain(wait).min();
        }
        taken.sort_by_key(|id| (self.stored_at.get(id), *id));
        self.unrouted.extend(taken.iter().map(|id| (*id, now.after(lease))));
        let as_unrouted = |event: &Arc<Event>| {
            UnroutedEvent::new(event.id, event.tenant.clone(), event.event_type.clone())
        };
        let events = taken.iter().filter_map(|id| self.events.get(id).map(as_unrouted)).collect();
        ClaimedUnrouted::new(events, next_due)
    }

    /// The first stored event of the same ordering key that is not routed and not among `but`.
    fn first_unrouted(&self, id: EventId, but: &[EventId]) -> Option<EventId> {
        let event = self.events.get(&id)?;
        if event.ordering_key.is_none() {
            return Some(id);
        }
        let is_same = |it: &&EventId| {
            self.events.get(it).is_some_and(|it| {
                it.tenant == event.tenant && it.ordering_key == event.ordering_key
            })
        };
        let line = self.unrouted.keys().filter(is_same).filter(|it| !but.contains(it));
        line.min_by_key(|it| (self.stored_at.get(it), **it)).copied()
    }

    pub(super) fn enqueue(&mut self, item: Enqueue, now: Timestamp) -> Enqueued {
        let event = item.event;
        let by_key = |held: &&Arc<Event>| {
            event.key.is_some() && held.key == event.key && held.tenant == event.tenant
        };
        if let Some(first) =
            self.events.get(&event.id).or_else(|| self.events.values().find(by_key))
        {
            let same = first.tenant == event.tenant
                && first.event_type == event.event_type
                && first.body == event.body;
            return if same { Enqueued::Duplicate(first.id) } else { Enqueued::Conflict(first.id) };
        }
        let has = |new: &NewDelivery| {
            self.endpoints.get(&new.endpoint).is_some_and(|it| it.tenant == event.tenant)
        };
        let direct = item.fan_out.as_ref().filter(|fan_out| fan_out.version.is_none());
        if direct.is_some_and(|fan_out| !fan_out.deliveries.iter().all(has)) {
            return Enqueued::EndpointGone;
        }
        let is_current = |fan_out: &FanOut| {
            fan_out.version.is_none_or(|version| version == self.version(&event.tenant))
                && self.may_be_leased(fan_out)
        };
        let may_go = !self.is_behind_unrouted(&event);
        // What goes straight to an endpoint is never routed, now or later.
        let may_go = |it: &FanOut| it.version.is_none() || may_go && is_current(it);
        let fan_out = item.fan_out.filter(may_go);
        self.stored_at.insert(event.id, now);
        self.events.insert(event.id, Arc::new(event.clone()));
        match fan_out {
            Some(fan_out) => {
                fan_out.deliveries.iter().for_each(|new| self.deliver(&event, new, now));
                let real = fan_out.deliveries.iter().filter(|new| !new.missed);
                let to: BTreeSet<_> = real.map(|new| new.endpoint).collect();
                Enqueued::Routed(to.len())
            }
            None => {
                self.unrouted.insert(event.id, now);
                Enqueued::Later
            }
        }
    }

    /// Returns true if all endpoints with leased deliveries are unrestricted.
    fn may_be_leased(&self, fan_out: &FanOut) -> bool {
        let leased = fan_out.deliveries.iter().filter(|new| new.lease.is_some());
        let mut endpoints = leased.filter_map(|new| self.endpoints.get(&new.endpoint));
        endpoints.all(|endpoint| endpoint.health.is_unrestricted())
    }

    pub(super) fn route(&mut self, item: &Route, now: Timestamp) -> Routed {
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

    /// The delivery, if nobody has claimed it since; one cancelled meanwhile is held all the same.
    fn last_leased(&mut self, lease: Lease) -> Option<&mut Row> {
        self.deliveries.get_mut(&lease.delivery).filter(|row| row.epoch == lease.epoch)
    }

    const fn too_late(&mut self) -> Finished {
        self.leases_lost += 1;
        Finished::LeaseLost
    }

    pub(super) fn finish(&mut self, item: Finish, now: Timestamp) -> Finished {
        let Some(row) = self.last_leased(item.lease) else { return self.too_late() };
        if !mem::take(&mut row.held) {
            return Finished::Recorded;
        }
        row.count_attempts(item.attempts_made);
        row.delivery.forgiven = item.forgiven;
        item.attempts.iter().for_each(|attempt| row.record(attempt.clone()));
        let settles = row.delivery.status == DeliveryStatus::InFlight;
        if settles {
            match item.settle {
                Settle::Success => row.set(DeliveryStatus::Success, None, now),
                Settle::Failed => row.set(DeliveryStatus::Failed, None, now),
                Settle::Retry(wait) => {
                    row.set(DeliveryStatus::Pending, Some(now.after(wait)), now);
                }
            }
        }
        self.move_up(item.lease.delivery, now);
        self.apply_health_change(&item, now);
        if let Some((tenant, kind)) = item.notice.filter(|_| settles) {
            self.tell(Notice::new(item.lease, now, tenant, kind));
        }
        Finished::Recorded
    }

    /// Applies an attempt to the health of its endpoint, and stores the resulting notice.
    fn apply_health_change(&mut self, item: &Finish, now: Timestamp) {
        let endpoint = self.endpoints.get_mut(&item.lease.delivery.endpoint);
        let Some(endpoint) = endpoint.filter(|it| it.state.is_routed()) else { return };
        let error = item.last_error();
        let (signal, policy) = &item.health_signal;
        let change = endpoint.health.after(*signal, error, now, policy, endpoint.max_in_flight);
        let given_up = change.disables.then_some(DisabledReason::Failing);
        let disabled = item.disable_endpoint.or(given_up).map(EndpointState::Disabled);
        let (tenant, mut told) = (endpoint.tenant.clone(), change.notice);
        endpoint.health = change.health;
        if let Some(state) = disabled {
            (endpoint.state, endpoint.health) = (state, Health::HEALTHY);
            endpoint.revision = endpoint.revision.next();
            self.raise_version(&tenant);
            if item.disable_endpoint.is_some() {
                told = Some(NoticeKind::disabled(state, error));
            }
        }
        if let Some(kind) = told {
            self.tell(Notice::new(item.lease, now, tenant, kind));
        }
    }

    fn tell(&mut self, notice: Notice) {
        self.notices.insert((notice.at, notice.id.clone()), notice);
    }

    pub(super) fn release(&mut self, lease: Lease, now: Timestamp) -> Finished {
        let Some(row) = self.last_leased(lease).filter(|row| row.held) else {
            return self.too_late();
        };
        row.held = false;
        row.count_attempts(row.delivery.attempts.saturating_sub(1));
        if row.delivery.status == DeliveryStatus::InFlight {
            row.set(DeliveryStatus::Pending, Some(now), now);
        }
        self.apply_health_change(&Finish::void(lease), now);
        Finished::Recorded
    }

    /// When a delivery is due, and its endpoint has rested.
    pub(super) fn may_start_at(&self, row: &Row) -> Option<Timestamp> {
        let endpoint = self.endpoints.get(&row.delivery.id.endpoint);
        row.free_at().max(
            endpoint
                .and_then(|it| it.health.cools_down_until())
                .filter(|_| row.free_at().is_some()),
        )
    }

    pub(super) fn backlog(&self, now: Timestamp) -> Backlog {
        let open = || self.deliveries.values().filter(|row| row.claim_at.is_some());
        let free = || open().filter(|row| !row.is_leased(now));
        let active = |row: &&Row| {
            self.endpoints
                .get(&row.delivery.id.endpoint)
                .is_some_and(|endpoint| endpoint.state.is_active())
        };
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Backlog::new(
            count(self.unrouted.len()),
            count(open().count() - free().count()),
            count(free().filter(active).count()),
            count(free().filter(|row| !active(row)).count()),
            free().filter(active).filter_map(|row| Some(self.may_start_at(row)?.since(now))).min(),
        )
    }
}
