//! What is kept of endpoints, events and deliveries.

use std::{collections::BTreeMap, sync::Arc};

use webhook_core::{
    Attempt, Endpoint, EndpointUrl, Event, EventId, OrderingKey, TenantId, Timestamp,
    policy::Allowance, store::RateUsed,
};

use webhook_core::store_state::DeliveryState;

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
    pub(super) state: DeliveryState,
    /// URL of a tracked delivery, which may go to no endpoint.
    pub(super) tracked_url: Option<EndpointUrl>,
    pub(super) records: BTreeMap<u32, Attempt>,
}

impl DeliveryRow {
    pub(super) const fn new(event: Arc<Event>, state: DeliveryState) -> Self {
        Self { event, state, tracked_url: None, records: BTreeMap::new() }
    }

    /// Stores an attempt, unless it is stored already.
    pub(super) fn record(&mut self, attempt: Attempt) {
        self.records.entry(attempt.number).or_insert(attempt);
    }
}

impl EventRow {
    pub(super) fn id(&self) -> EventId {
        self.event.id
    }

    /// Tenant and ordering key, if it has one.
    pub(super) fn key(&self) -> Option<(TenantId, OrderingKey)> {
        Some((self.event.tenant.clone(), self.event.ordering_key.clone()?))
    }
}
