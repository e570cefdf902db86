use std::{collections::BTreeMap, sync::Arc};

use webhook_registry::{
    Attempt, Delivery, DeliveryId, Endpoint, EndpointId, EndpointUrl, Event, EventId, NewDelivery,
    Notice, NoticeId, OrderingKey, RateUsed, TenantId, TenantVersion, Timestamp,
    store_state::{DeliveryState, OrderQueue},
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) versions: BTreeMap<TenantId, TenantVersion>,
    pub(super) endpoints: BTreeMap<EndpointId, Endpoint>,
    /// Times at which endpoints were removed.
    pub(super) removed: BTreeMap<EndpointId, Timestamp>,
    /// Used parts of the rates of endpoints.
    pub(super) used: BTreeMap<EndpointId, RateUsed>,
    pub(super) events: BTreeMap<EventId, Arc<Event>>,
    /// Times at which events were stored.
    pub(super) stored_at: BTreeMap<EventId, Timestamp>,
    /// Unrouted events, and the time from which a worker may claim each.
    pub(super) unrouted: BTreeMap<EventId, Timestamp>,
    pub(super) deliveries: BTreeMap<DeliveryId, Row>,
    pub(super) queues: BTreeMap<(EndpointId, OrderingKey), OrderQueue>,
    pub(super) leases_lost: u64,
    /// Unacknowledged notices, oldest first.
    pub(super) notices: BTreeMap<(Timestamp, NoticeId), Notice>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) state: DeliveryState,
    pub(super) event: Arc<Event>,
    pub(super) url: EndpointUrl,
    pub(super) attempts: BTreeMap<u32, Attempt>,
}

impl Row {
    pub(super) const fn new(state: DeliveryState, event: Arc<Event>, url: EndpointUrl) -> Self {
        Self { state, event, url, attempts: BTreeMap::new() }
    }

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

    pub(super) fn is_active(&self, id: EndpointId) -> bool {
        self.endpoints.get(&id).is_some_and(|endpoint| endpoint.state.is_active())
    }

    /// Creates a delivery of `event`, unless there is one.
    pub(super) fn deliver(&mut self, event: &Arc<Event>, new: &NewDelivery, now: Timestamp) {
        let id = DeliveryId::new(event.id, new.endpoint);
        let Some(endpoint) = self.endpoints.get(&new.endpoint) else { return };
        if self.deliveries.contains_key(&id) {
            return;
        }
        let (state, url) = (DeliveryState::enqueued(new, now), endpoint.url.clone());
        self.deliveries.insert(id, Row::new(state, Arc::clone(event), url));
        if new.lease.is_none() && !new.missed {
            self.append_to_queue(id);
        }
    }
}

pub(super) fn as_u64(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
