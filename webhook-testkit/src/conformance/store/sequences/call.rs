//! A call of a store.

use std::time::Duration;

use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, Endpoint, EndpointId, Event, EventId, TenantId,
    store::{ClaimDue, DeliveryQuery, Enqueue, Finish, Lease, Prune, Redeliver, ReplayPage, Route},
};

/// A call, in the time of the store in memory.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Enqueue(Vec<Enqueue>),
    ClaimUnrouted(usize, Duration),
    Route(Vec<Route>),
    ClaimDue(ClaimDue),
    Finish(Vec<Finish>),
    Release(Vec<Lease>),
    Backlog,
    Add(Endpoint),
    Update(Endpoint),
    Remove(TenantId, EndpointId),
    Endpoints(Vec<EndpointId>),
    Snapshot(TenantId),
    Tenants,
    Event(EventId),
    Delivery(DeliveryId),
    Deliveries(DeliveryQuery),
    Attempts(DeliveryId),
    Stats(EndpointId, Duration),
    FirstInLine(DeliveryId),
    OpenTracked(Event, Delivery),
    RecordTracked(DeliveryId, Attempt, DeliveryStatus),
    Redeliver(Vec<Redeliver>),
    Replay(ReplayPage),
    Cancel(Vec<DeliveryId>),
    Skip(Vec<DeliveryId>),
    Status,
    /// To the end, with as many calls as that takes.
    Prune(Prune),
    /// Of the clock.
    Advance(Duration),
}
