//! Arguments and results of enqueue and route.

use std::time::Duration;

use crate::model::{
    delivery::DeliveryStatus,
    event::{Event, EventType},
    id::{EndpointId, EventId, TenantId, TenantVersion},
    trigger::Trigger,
    worker::WorkerName,
};

/// An event to store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Enqueue {
    /// The event.
    pub event: Event,
    /// Its deliveries; `None` for an event that a dispatcher routes later.
    pub fan_out: Option<FanOut>,
}

impl Enqueue {
    /// Creates the input of an event with its deliveries.
    pub const fn routed(event: Event, fan_out: FanOut) -> Self {
        Self { event, fan_out: Some(fan_out) }
    }

    /// Makes every delivery pending, without a lease.
    #[must_use]
    pub fn without_leases(mut self) -> Self {
        for delivery in self.fan_out.iter_mut().flat_map(|fan_out| &mut fan_out.deliveries) {
            (delivery.lease, delivery.worker) = (None, None);
        }
        self
    }

    /// Returns true if a dispatcher has to claim or route something of this event: it is unrouted,
    /// or a delivery is pending.
    pub fn waits(&self) -> bool {
        let fan_out = self.fan_out.as_ref();
        let pending = |new: &NewDelivery| new.status() == DeliveryStatus::Pending;
        fan_out.is_none_or(|it| it.deliveries.iter().any(pending))
    }

    /// Creates the input of an event that a dispatcher routes later.
    pub const fn unrouted(event: Event) -> Self {
        Self { event, fan_out: None }
    }
}

/// Deliveries of an event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FanOut {
    /// Version of the tenant by which the event was routed; `None` if it is sent directly,
    /// regardless of the filters.
    pub version: Option<TenantVersion>,
    /// The deliveries to create.
    pub deliveries: Vec<NewDelivery>,
}

impl FanOut {
    /// Creates pending deliveries to these endpoints, due immediately.
    pub fn pending(
        version: TenantVersion,
        endpoints: impl IntoIterator<Item = EndpointId>,
    ) -> Self {
        Self::by(version, endpoints.into_iter().map(NewDelivery::pending).collect())
    }

    /// Creates these deliveries, routed by the tenant's `version`.
    pub const fn by(version: TenantVersion, deliveries: Vec<NewDelivery>) -> Self {
        Self { version: Some(version), deliveries }
    }

    /// Creates this delivery alone, regardless of the filters of the tenant's endpoints. The event
    /// is never routed: if the endpoint was removed, it is not stored.
    pub fn directly(delivery: NewDelivery) -> Self {
        Self { version: None, deliveries: vec![delivery] }
    }
}

/// A delivery to create.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewDelivery {
    /// Endpoint of the delivery.
    pub endpoint: EndpointId,
    /// `None` for a pending delivery, due immediately; otherwise the caller has claimed it for this
    /// long, with attempt 1 under epoch 1.
    pub lease: Option<Duration>,
    /// Name of the worker that has claimed it, for the record.
    pub worker: Option<WorkerName>,
    /// Trigger of its budget of attempts.
    pub cause: Trigger,
    /// True for a missed delivery: a record that is final from the beginning, without attempts.
    pub missed: bool,
}

impl NewDelivery {
    /// Creates a pending delivery, due immediately.
    pub const fn pending(endpoint: EndpointId) -> Self {
        Self { endpoint, lease: None, worker: None, cause: Trigger::First, missed: false }
    }

    /// Creates the record of a delivery that a disabled endpoint misses.
    pub const fn missed(endpoint: EndpointId) -> Self {
        Self { endpoint, lease: None, worker: None, cause: Trigger::First, missed: true }
    }

    /// Status in which it is stored.
    pub const fn status(&self) -> DeliveryStatus {
        match self.lease {
            _ if self.missed => DeliveryStatus::Missed,
            Some(_) => DeliveryStatus::InFlight,
            None => DeliveryStatus::Pending,
        }
    }

    /// Creates a delivery that the caller has claimed.
    pub const fn leased(endpoint: EndpointId, lease: Duration) -> Self {
        let lease = Some(lease);
        Self { endpoint, lease, worker: None, cause: Trigger::First, missed: false }
    }

    /// Sets the name of the worker.
    #[must_use]
    pub fn with_worker(mut self, worker: Option<WorkerName>) -> Self {
        self.worker = worker;
        self
    }

    /// Name of the worker that has claimed it; `None` unless it is leased.
    pub const fn claimed_by(&self) -> Option<&WorkerName> {
        match self.lease {
            Some(_) => self.worker.as_ref(),
            None => None,
        }
    }

    /// Sets the trigger of its budget of attempts.
    #[must_use]
    pub const fn with_cause(mut self, cause: Trigger) -> Self {
        self.cause = cause;
        self
    }
}

/// Result of storing an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Enqueued {
    /// Stored with this many deliveries, without the missed ones.
    Routed(usize),
    /// Stored; a dispatcher routes it later.
    Later,
    /// Not stored: this event, with the same id or key, tenant, type and body, is stored.
    Duplicate(EventId),
    /// Not stored: this event has its id or key, and another tenant, type or body.
    Conflict(EventId),
    /// Not stored: it is sent [directly](FanOut::directly), and the tenant has no such endpoint.
    EndpointGone,
}

/// Claimed unrouted events.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClaimedUnrouted {
    /// The events.
    pub events: Vec<UnroutedEvent>,
    /// Time until the lease of another worker's unrouted event ends, if there is one.
    pub next_due: Option<Duration>,
}

impl ClaimedUnrouted {
    /// Creates a result from these events, and the time until the next claim.
    pub const fn new(events: Vec<UnroutedEvent>, next_due: Option<Duration>) -> Self {
        Self { events, next_due }
    }
}

/// Part of an unrouted event that routing reads.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UnroutedEvent {
    /// Identifies the event.
    pub id: EventId,
    /// Tenant of the event.
    pub tenant: TenantId,
    /// Type of the event.
    pub event_type: EventType,
}

impl UnroutedEvent {
    /// Creates an unrouted event.
    pub const fn new(id: EventId, tenant: TenantId, event_type: EventType) -> Self {
        Self { id, tenant, event_type }
    }
}

/// Deliveries of an unrouted event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Route {
    /// The event.
    pub event: EventId,
    /// Version of the tenant by which it was routed.
    pub version: TenantVersion,
    /// Deliveries to create; empty if no endpoint receives the event.
    pub deliveries: Vec<NewDelivery>,
}

impl Route {
    /// Creates pending deliveries of `event` to `endpoints`, routed by the tenant's `version`.
    pub fn new(event: EventId, version: TenantVersion, endpoints: Vec<EndpointId>) -> Self {
        let deliveries = endpoints.into_iter().map(NewDelivery::pending).collect();
        Self { event, version, deliveries }
    }

    /// Creates these deliveries of `event`, routed by the tenant's `version`.
    pub const fn by(event: EventId, version: TenantVersion, deliveries: Vec<NewDelivery>) -> Self {
        Self { event, version, deliveries }
    }
}

/// Result of a route.
///
/// Closed: a store returns each result, and each caller handles it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Routed {
    /// The deliveries are stored.
    Done,
    /// The tenant's endpoints were edited since: route the event again, by a new snapshot.
    Stale,
    /// The event was routed before, or there is no such event.
    NotUnrouted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;
    use uuid::Uuid;

    const ENDPOINT: EndpointId = EndpointId::from_uuid(Uuid::nil());

    fn leased() -> NewDelivery {
        NewDelivery::leased(ENDPOINT, Duration::from_secs(45)).with_worker("w".parse().ok())
    }

    fn enqueue(deliveries: Vec<NewDelivery>) -> Enqueue {
        let id = EventId::from_uuid(Uuid::from_u128(1));
        let event = Event::new(id, "a".parse().unwrap(), Timestamp::default(), "");
        Enqueue::routed(event, FanOut::by(TenantVersion::default(), deliveries))
    }

    #[test]
    fn some_dispatcher_has_to_look_when_a_delivery_is_nobodys_yet() {
        let (pending, missed) =
            (|| NewDelivery::pending(ENDPOINT), || NewDelivery::missed(ENDPOINT));
        let table = [
            (vec![], false),
            (vec![leased()], false),
            (vec![missed()], false),
            (vec![pending()], true),
            (vec![leased(), missed(), pending()], true),
        ];
        for (deliveries, waits) in table {
            assert_eq!(enqueue(deliveries.clone()).waits(), waits, "{deliveries:?}");
        }
        assert!(Enqueue::unrouted(enqueue(vec![]).event).waits(), "it has to be routed");
    }

    #[test]
    fn without_leases_every_delivery_waits_for_a_claim() {
        let deliveries = vec![leased(), NewDelivery::missed(ENDPOINT)];
        let stripped = enqueue(deliveries).without_leases().fan_out.unwrap().deliveries;
        let statuses: Vec<_> = stripped.iter().map(NewDelivery::status).collect();
        assert_eq!(statuses, [DeliveryStatus::Pending, DeliveryStatus::Missed]);
        assert!(stripped.iter().all(|new| new.worker.is_none()), "{stripped:?}");
    }

    #[test]
    fn only_a_leased_delivery_has_a_worker() {
        let worker: WorkerName = "w".parse().unwrap();
        assert_eq!(leased().claimed_by(), Some(&worker));
        assert_eq!(NewDelivery::pending(ENDPOINT).with_worker(Some(worker)).claimed_by(), None);
    }

    #[test]
    fn pending_deliveries_keep_the_version_of_their_routing() {
        let version = TenantVersion::default();
        let fan_out = FanOut::pending(version, [ENDPOINT]);
        let route = Route::new(EventId::from_uuid(Uuid::nil()), version, vec![ENDPOINT]);
        assert_eq!((fan_out.version, route.version), (Some(version), version));
        for new in fan_out.deliveries.iter().chain(&route.deliveries) {
            assert_eq!((new.endpoint, new.status()), (ENDPOINT, DeliveryStatus::Pending));
        }
    }
}
