use std::{collections::BTreeMap, sync::Arc, time::Duration};

use webhook_registry::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, Endpoint, EndpointId, Event, EventId,
    LeaseEpoch, NewDelivery, Notice, NoticeId, OrderingKey, RateUsed, ReplayCandidate, TenantId,
    TenantVersion, Timestamp, Trigger, WorkerName,
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) versions: BTreeMap<TenantId, TenantVersion>,
    pub(super) endpoints: BTreeMap<EndpointId, Endpoint>,
    /// Endpoints that were removed, and when.
    pub(super) removed: BTreeMap<EndpointId, Timestamp>,
    pub(super) events: BTreeMap<EventId, Arc<Event>>,
    /// When they were stored.
    pub(super) stored_at: BTreeMap<EventId, Timestamp>,
    /// Events that nobody has routed, and from when somebody may.
    pub(super) unrouted: BTreeMap<EventId, Timestamp>,
    pub(super) deliveries: BTreeMap<DeliveryId, Row>,
    /// Deliveries that go one after the other.
    pub(super) lines: BTreeMap<(EndpointId, OrderingKey), Vec<DeliveryId>>,
    /// Writes that came too late.
    pub(super) leases_lost: u64,
    /// What of their rates the endpoints have used.
    pub(super) used: BTreeMap<EndpointId, RateUsed>,
    /// What nobody has acknowledged, the oldest first.
    pub(super) notices: BTreeMap<(Timestamp, NoticeId), Notice>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) delivery: Delivery,
    pub(super) epoch: LeaseEpoch,
    /// Whether the claim of this epoch is neither finished nor given back.
    pub(super) held: bool,
    pub(super) claimed_before: Option<Timestamp>,
    /// Recorded by whoever sends it within a call; never claimed.
    pub(super) tracked: bool,
    /// Since when it is in its status.
    pub(super) since: Timestamp,
    /// What began the present budget.
    pub(super) cause: Trigger,
    /// When it may be claimed: due while pending, the end of the lease while in flight; never, when
    /// it is finished or tracked.
    pub(super) claim_at: Option<Timestamp>,
    /// Whether it waits for another one of its line.
    pub(super) parked: bool,
    pub(super) attempts: BTreeMap<u32, Attempt>,
}

impl Row {
    pub(super) const fn new(delivery: Delivery) -> Self {
        Self {
            since: delivery.created_at,
            delivery,
            epoch: LeaseEpoch::from_u64(0),
            held: false,
            claimed_before: None,
            tracked: false,
            cause: Trigger::First,
            claim_at: None,
            parked: false,
            attempts: BTreeMap::new(),
        }
    }

    pub(super) fn claim(&mut self, lease: Duration, by: Option<&WorkerName>, now: Timestamp) {
        self.delivery.claimed_by = by.cloned();
        self.epoch = self.epoch.next();
        self.held = true;
        self.delivery.attempts += 1;
        self.claimed_before = self.delivery.last_attempt_at.replace(now);
        self.set(DeliveryStatus::InFlight, Some(now.after(lease)), now);
    }

    /// Corrects the number of attempts; time and worker of a claim that led to none are forgotten.
    pub(super) fn count_attempts(&mut self, made: u32) {
        if made < self.delivery.attempts {
            self.delivery.last_attempt_at = self.claimed_before;
            self.delivery.claimed_by = None;
        }
        self.delivery.attempts = made;
    }

    /// Where it stands in a replay.
    pub(super) const fn place(&self) -> (Timestamp, EventId) {
        (self.delivery.created_at, self.delivery.id.event)
    }

    /// What a replay looks at.
    pub(super) fn candidate(&self) -> ReplayCandidate {
        ReplayCandidate {
            status: self.delivery.status,
            event_type: self.delivery.event_type.clone(),
            created_at: self.delivery.created_at,
            finished_at: Some(self.since).filter(|_| self.delivery.status.is_final()),
            tracked: self.tracked,
        }
    }

    pub(super) fn is_leased(&self, now: Timestamp) -> bool {
        self.delivery.status == DeliveryStatus::InFlight && self.claim_at.is_some_and(|at| at > now)
    }

    pub(super) fn record(&mut self, attempt: Attempt) {
        self.delivery.last_error = attempt.failure.as_ref().map(ToString::to_string);
        self.attempts.insert(attempt.number, attempt);
    }

    pub(super) fn set(
        &mut self,
        status: DeliveryStatus,
        claim_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        self.since = now;
        self.delivery.status = status;
        (self.claim_at, self.parked) = (claim_at, false);
        self.delivery.due_at = claim_at.filter(|_| status == DeliveryStatus::Pending);
        self.delivery.leased_until = claim_at.filter(|_| status == DeliveryStatus::InFlight);
    }

    /// When it may be claimed, unless it waits for another one.
    pub(super) fn free_at(&self) -> Option<Timestamp> {
        self.claim_at.filter(|_| !self.parked)
    }

    /// Has it wait for another one.
    pub(super) const fn park(&mut self) {
        (self.parked, self.delivery.due_at) = (true, None);
    }

    /// Makes it due, if it waits for another one.
    pub(super) const fn let_go(&mut self, at: Timestamp) {
        if self.parked {
            self.parked = false;
            (self.claim_at, self.delivery.due_at) = (Some(at), Some(at));
        }
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

    /// Creates a delivery of `event`, unless there is one.
    pub(super) fn deliver(&mut self, event: &Event, new: &NewDelivery, now: Timestamp) {
        let id = DeliveryId::new(event.id, new.endpoint);
        let Some(endpoint) = self.endpoints.get(&new.endpoint) else { return };
        let (tenant, event_type) = (event.tenant.clone(), event.event_type.clone());
        let delivery = Delivery::new(id, tenant, event_type, endpoint.url.clone(), now);
        if self.deliveries.contains_key(&id) {
            return;
        }
        let mut row = Row::new(delivery);
        row.cause = new.cause;
        match new.lease {
            Some(lease) => row.claim(lease, new.claimed_by(), now),
            None if new.missed => row.set(DeliveryStatus::Missed, None, now),
            None => row.set(DeliveryStatus::Pending, Some(now), now),
        }
        self.deliveries.insert(id, row);
        if new.lease.is_none() && !new.missed {
            self.line_up(id);
        }
    }
}
