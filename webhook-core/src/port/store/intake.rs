//! What goes into a store, and where it goes from there: enqueue and route.

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
    /// Where it goes; absent for an event that a dispatcher shall route later.
    pub fan_out: Option<FanOut>,
}

impl Enqueue {
    /// An event and where it goes.
    pub const fn routed(event: Event, fan_out: FanOut) -> Self {
        Self { event, fan_out: Some(fan_out) }
    }

    /// The same with every delivery pending: leased by nobody.
    #[must_use]
    pub fn without_leases(mut self) -> Self {
        for delivery in self.fan_out.iter_mut().flat_map(|fan_out| &mut fan_out.deliveries) {
            (delivery.lease, delivery.worker) = (None, None);
        }
        self
    }

    /// Whether some dispatcher has to look for work when this is stored: it has to be routed, or has a
    /// delivery that is not leased from the beginning.
    pub fn waits(&self) -> bool {
        let fan_out = self.fan_out.as_ref();
        let pending = |new: &NewDelivery| new.status() == DeliveryStatus::Pending;
        fan_out.is_none_or(|it| it.deliveries.iter().any(pending))
    }

    /// An event for a dispatcher to route.
    pub const fn unrouted(event: Event) -> Self {
        Self { event, fan_out: None }
    }
}

/// Where an event goes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FanOut {
    /// The version of the tenant's endpoints that it was routed by; absent when it goes where it goes
    /// whatever they want.
    pub version: Option<TenantVersion>,
    /// The deliveries to create.
    pub deliveries: Vec<NewDelivery>,
}

impl FanOut {
    /// Deliveries to these endpoints, all pending and due at once.
    pub fn pending(
        version: TenantVersion,
        endpoints: impl IntoIterator<Item = EndpointId>,
    ) -> Self {
        Self::by(version, endpoints.into_iter().map(NewDelivery::pending).collect())
    }

    /// These deliveries, by the tenant's `version`.
    pub const fn by(version: TenantVersion, deliveries: Vec<NewDelivery>) -> Self {
        Self { version: Some(version), deliveries }
    }

    /// This delivery and no other, whatever the tenant's endpoints want. It is never routed, now or
    /// later: when the endpoint is gone, the event is not stored.
    pub fn directly(delivery: NewDelivery) -> Self {
        Self { version: None, deliveries: vec![delivery] }
    }
}

/// A delivery to create.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewDelivery {
    /// To which endpoint.
    pub endpoint: EndpointId,
    /// Absent: pending, and due at once. Present: already claimed by the caller for this long, with
    /// attempt 1 under epoch 1.
    pub lease: Option<Duration>,
    /// Who has claimed it, where it is claimed, for the record.
    pub worker: Option<WorkerName>,
    /// What begins its budget of attempts.
    pub cause: Trigger,
    /// Whether it is only put on record, as missed: final from the beginning, and without attempts.
    pub missed: bool,
}

impl NewDelivery {
    /// A delivery that is due at once, for whoever claims it.
    pub const fn pending(endpoint: EndpointId) -> Self {
        Self { endpoint, lease: None, worker: None, cause: Trigger::First, missed: false }
    }

    /// What a disabled endpoint misses, for the record.
    pub const fn missed(endpoint: EndpointId) -> Self {
        Self { endpoint, lease: None, worker: None, cause: Trigger::First, missed: true }
    }

    /// The status in which it is stored.
    pub const fn status(&self) -> DeliveryStatus {
        match self.lease {
            _ if self.missed => DeliveryStatus::Missed,
            Some(_) => DeliveryStatus::InFlight,
            None => DeliveryStatus::Pending,
        }
    }

    /// A delivery that the caller has claimed already.
    pub const fn leased(endpoint: EndpointId, lease: Duration) -> Self {
        let lease = Some(lease);
        Self { endpoint, lease, worker: None, cause: Trigger::First, missed: false }
    }

    /// Sets who has claimed it.
    #[must_use]
    pub fn with_worker(mut self, worker: Option<WorkerName>) -> Self {
        self.worker = worker;
        self
    }

    /// By whom it is claimed as it is stored: nobody, unless it is leased.
    pub const fn claimed_by(&self) -> Option<&WorkerName> {
        match self.lease {
            Some(_) => self.worker.as_ref(),
            None => None,
        }
    }

    /// Sets what begins its budget of attempts.
    #[must_use]
    pub const fn with_cause(mut self, cause: Trigger) -> Self {
        self.cause = cause;
        self
    }
}

/// What became of an event to store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Enqueued {
    /// Stored, with this many deliveries; what is missed does not count.
    Routed(usize),
    /// Stored; a dispatcher routes it later.
    Later,
    /// Not stored: this event has the same id or key, tenant, type and body. It is the same one.
    Duplicate(EventId),
    /// Not stored: this event has the same id or key, and another tenant, type or body.
    Conflict(EventId),
    /// Not stored: it was to go [directly](FanOut::directly) to an endpoint that the tenant does not
    /// have.
    EndpointGone,
}

/// Unrouted events, claimed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClaimedUnrouted {
    /// The events.
    pub events: Vec<UnroutedEvent>,
    /// How long until the lease of another's unrouted event runs out, if there is one.
    pub next_due: Option<Duration>,
}

impl ClaimedUnrouted {
    /// These events, and when to look again.
    pub const fn new(events: Vec<UnroutedEvent>, next_due: Option<Duration>) -> Self {
        Self { events, next_due }
    }
}

/// What routing needs to know of an event.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UnroutedEvent {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its type.
    pub event_type: EventType,
}

impl UnroutedEvent {
    /// An unrouted event.
    pub const fn new(id: EventId, tenant: TenantId, event_type: EventType) -> Self {
        Self { id, tenant, event_type }
    }
}

/// Where an unrouted event goes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Route {
    /// The event.
    pub event: EventId,
    /// The version of the snapshot it was routed by.
    pub version: TenantVersion,
    /// The deliveries to create; none, when nobody wants it.
    pub deliveries: Vec<NewDelivery>,
}

impl Route {
    /// `event` goes to `endpoints`, by the tenant's `version`.
    pub fn new(event: EventId, version: TenantVersion, endpoints: Vec<EndpointId>) -> Self {
        let deliveries = endpoints.into_iter().map(NewDelivery::pending).collect();
        Self { event, version, deliveries }
    }

    /// `event` gets these deliveries, by the tenant's `version`.
    pub const fn by(event: EventId, version: TenantVersion, deliveries: Vec<NewDelivery>) -> Self {
        Self { event, version, deliveries }
    }
}

/// What became of a route.
///
/// Closed: a store returns each result, and each caller handles it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Routed {
    /// Its deliveries are stored.
    Done,
    /// The tenant's endpoints were edited meanwhile: route again, by a new snapshot.
    Stale,
    /// It was routed already, or there is no such event.
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
    fn without_leases_everything_waits_for_whoever_claims_it() {
        let deliveries = vec![leased(), NewDelivery::missed(ENDPOINT)];
        let stripped = enqueue(deliveries).without_leases().fan_out.unwrap().deliveries;
        let statuses: Vec<_> = stripped.iter().map(NewDelivery::status).collect();
        assert_eq!(statuses, [DeliveryStatus::Pending, DeliveryStatus::Missed]);
        assert!(stripped.iter().all(|new| new.worker.is_none()), "{stripped:?}");
    }

    #[test]
    fn only_what_is_leased_is_claimed_by_somebody() {
        let worker: WorkerName = "w".parse().unwrap();
        assert_eq!(leased().claimed_by(), Some(&worker));
        assert_eq!(NewDelivery::pending(ENDPOINT).with_worker(Some(worker)).claimed_by(), None);
    }

    #[test]
    fn pending_deliveries_are_due_at_once_by_the_version_they_were_found_at() {
        let version = TenantVersion::default();
        let fan_out = FanOut::pending(version, [ENDPOINT]);
        let route = Route::new(EventId::from_uuid(Uuid::nil()), version, vec![ENDPOINT]);
        assert_eq!((fan_out.version, route.version), (Some(version), version));
        for new in fan_out.deliveries.iter().chain(&route.deliveries) {
            assert_eq!((new.endpoint, new.status()), (ENDPOINT, DeliveryStatus::Pending));
        }
    }
}
