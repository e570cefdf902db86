//! What is kept of endpoints, events and deliveries.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use webhook_core::{
    Allowance, Attempt, Delivery, DeliveryId, DeliveryStatus, Endpoint, EndpointUrl, Event,
    EventId, LeaseEpoch, OrderingKey, RateUsed, TenantId, Timestamp, Trigger, WorkerName,
};

/// An endpoint, removed ones included: the log still tells where deliveries went.
pub(super) struct EndpointRow {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) removed: bool,
    pub(super) removed_at: Option<Timestamp>,
    /// What of its rate is used.
    pub(super) used: RateUsed,
}

impl EndpointRow {
    pub(super) fn new(endpoint: Endpoint, used: RateUsed) -> Self {
        Self { endpoint: Arc::new(endpoint), removed: false, removed_at: None, used }
    }

    /// What it may get.
    pub(super) fn allowance(&self) -> Allowance {
        Allowance::of(&self.endpoint, self.used)
    }

    /// Keeps what has become of its allowance. This is no edit.
    pub(super) fn set_allowance(&mut self, allowance: Allowance) {
        self.used = allowance.used;
        if self.endpoint.health != allowance.health {
            Arc::make_mut(&mut self.endpoint).health = allowance.health;
        }
    }
}

/// An event.
pub(super) struct EventRow {
    pub(super) event: Arc<Event>,
    /// While it is unrouted: when somebody may take it.
    pub(super) unrouted_from: Option<Timestamp>,
}

/// A delivery.
pub(super) struct DeliveryRow {
    pub(super) event: Arc<Event>,
    /// Present in the record of sending within a call, which is never claimed.
    pub(super) tracked_url: Option<EndpointUrl>,
    pub(super) status: DeliveryStatus,
    pub(super) epoch: LeaseEpoch,
    /// Whether the claim of this epoch is out: neither finished nor given back.
    pub(super) held: bool,
    /// Attempts claimed.
    pub(super) attempts: u32,
    /// Attempts made before the present budget began.
    pub(super) budget_from: u32,
    pub(super) forgiven: u32,
    /// What began the present budget.
    pub(super) cause: Trigger,
    /// When it may be claimed: due while pending, the end of the lease while in flight.
    pub(super) due_at: Timestamp,
    /// Whether it waits for another one, and is not due at all.
    pub(super) parked: bool,
    pub(super) claimed_at: Option<Timestamp>,
    /// The claim before that one, should it lead to no attempt.
    pub(super) claimed_before: Option<Timestamp>,
    /// By whom that was claimed.
    pub(super) claimed_by: Option<WorkerName>,
    pub(super) last_error: Option<String>,
    pub(super) created_at: Timestamp,
    /// When it became final.
    pub(super) finished_at: Option<Timestamp>,
    pub(super) records: BTreeMap<u32, Attempt>,
}

impl DeliveryRow {
    /// Pending, due at once, never tried.
    pub(super) fn new(event: Arc<Event>, now: Timestamp) -> Self {
        Self {
            event,
            tracked_url: None,
            status: DeliveryStatus::Pending,
            epoch: LeaseEpoch::default(),
            held: false,
            attempts: 0,
            budget_from: 0,
            forgiven: 0,
            cause: Trigger::First,
            due_at: now,
            parked: false,
            claimed_at: None,
            claimed_before: None,
            claimed_by: None,
            last_error: None,
            created_at: now,
            finished_at: None,
            records: BTreeMap::new(),
        }
    }

    /// Whether a dispatcher still has to do with it.
    pub(super) fn is_open(&self) -> bool {
        self.tracked_url.is_none() && !self.status.is_final()
    }

    /// When it may be claimed, unless it waits for another one.
    pub(super) fn may_be_claimed_at(&self) -> Option<Timestamp> {
        (self.is_open() && !self.parked).then_some(self.due_at)
    }

    /// Whether somebody has a lease that holds.
    pub(super) fn is_leased(&self, now: Timestamp) -> bool {
        self.status == DeliveryStatus::InFlight && self.due_at > now
    }

    /// Leases it for its next attempt, under the next epoch.
    pub(super) fn claim(&mut self, lease: Duration, by: Option<&WorkerName>, now: Timestamp) {
        self.claimed_by = by.cloned();
        self.claimed_before = self.claimed_at.replace(now);
        self.status = DeliveryStatus::InFlight;
        self.epoch = self.epoch.next();
        self.held = true;
        self.attempts += 1;
        self.due_at = now.after(lease);
    }

    /// Corrects the number of attempts. Time and worker of a claim that led to none are forgotten.
    pub(super) fn count_attempts(&mut self, made: u32) {
        if made < self.attempts {
            self.claimed_at = self.claimed_before;
            self.claimed_by = None;
        }
        self.attempts = made;
    }

    /// Keeps an attempt and what went wrong in it. One that is on record stays as it is.
    pub(super) fn record(&mut self, attempt: Attempt) {
        self.last_error = attempt.failure.as_ref().map(ToString::to_string);
        self.records.entry(attempt.number).or_insert(attempt);
    }

    /// The delivery as its record shows it, sent to `url`.
    pub(super) fn to_delivery(&self, id: DeliveryId, url: EndpointUrl) -> Delivery {
        let event = &self.event;
        let mut delivery =
            Delivery::new(id, event.tenant.clone(), event.event_type.clone(), url, self.created_at);
        delivery.status = self.status;
        delivery.attempts = self.attempts;
        let is_pending = self.status == DeliveryStatus::Pending;
        delivery.due_at = self.may_be_claimed_at().filter(|_| is_pending);
        delivery.last_attempt_at = self.claimed_at;
        delivery.claimed_by.clone_from(&self.claimed_by);
        delivery.leased_until =
            Some(self.due_at).filter(|_| self.status == DeliveryStatus::InFlight);
        (delivery.budget_from, delivery.forgiven) = (self.budget_from, self.forgiven);
        delivery.last_error.clone_from(&self.last_error);
        delivery
    }
}

/// Whether a second event under a taken id or key is the first one again.
pub(super) fn is_same(first: &Event, second: &Event) -> bool {
    first.tenant == second.tenant
        && first.event_type == second.event_type
        && first.body == second.body
}

impl EventRow {
    pub(super) fn id(&self) -> EventId {
        self.event.id
    }

    /// The events that it must not overtake, nor be overtaken by.
    pub(super) fn line(&self) -> Option<TenantKey> {
        Some((self.event.tenant.clone(), self.event.ordering_key.clone()?))
    }
}

/// An ordering key, and whose it is.
pub(super) type TenantKey = (TenantId, OrderingKey);
