//! Methods of a store, as keys of a script of faults.

/// A method of a store.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum StoreCall {
    /// [`Store::enqueue`](webhook_core::store::Store::enqueue).
    Enqueue,
    /// [`Store::claim_unrouted`](webhook_core::store::Store::claim_unrouted).
    ClaimUnrouted,
    /// [`Store::route`](webhook_core::store::Store::route).
    Route,
    /// [`Store::claim_due`](webhook_core::store::Store::claim_due).
    ClaimDue,
    /// [`Store::finish`](webhook_core::store::Store::finish).
    Finish,
    /// [`Store::release`](webhook_core::store::Store::release).
    Release,
    /// [`Store::backlog`](webhook_core::store::Store::backlog).
    Backlog,
    /// [`Store::add_endpoint`](webhook_core::store::Store::add_endpoint).
    AddEndpoint,
    /// [`Store::update_endpoint`](webhook_core::store::Store::update_endpoint).
    UpdateEndpoint,
    /// [`Store::remove_endpoint`](webhook_core::store::Store::remove_endpoint).
    RemoveEndpoint,
    /// [`Store::endpoints`](webhook_core::store::Store::endpoints).
    Endpoints,
    /// [`Store::routing`](webhook_core::store::Store::routing).
    Routing,
    /// [`EndpointDirectory::tenants`](webhook_core::store::EndpointDirectory::tenants).
    Tenants,
    /// [`EndpointDirectory::tenant_endpoints`](webhook_core::store::EndpointDirectory::tenant_endpoints).
    TenantEndpoints,
    /// [`DeliveryLog::event`](webhook_core::store::DeliveryLog::event).
    Event,
    /// [`DeliveryLog::delivery`](webhook_core::store::DeliveryLog::delivery).
    Delivery,
    /// [`DeliveryLog::deliveries`](webhook_core::store::DeliveryLog::deliveries).
    Deliveries,
    /// [`DeliveryLog::attempts`](webhook_core::store::DeliveryLog::attempts).
    Attempts,
    /// [`DeliveryLog::endpoint_stats`](webhook_core::store::DeliveryLog::endpoint_stats).
    EndpointStats,
    /// [`DeliveryLog::first_in_line`](webhook_core::store::DeliveryLog::first_in_line).
    FirstInLine,
    /// [`TrackedDeliveries::open_tracked`](webhook_core::store::TrackedDeliveries::open_tracked).
    OpenTracked,
    /// [`TrackedDeliveries::record_tracked`](webhook_core::store::TrackedDeliveries::record_tracked).
    RecordTracked,
    /// [`DeliveryOperations::redeliver`](webhook_core::store::DeliveryOperations::redeliver).
    Redeliver,
    /// [`DeliveryOperations::replay`](webhook_core::store::DeliveryOperations::replay).
    Replay,
    /// [`DeliveryOperations::cancel`](webhook_core::store::DeliveryOperations::cancel).
    Cancel,
    /// [`DeliveryOperations::skip`](webhook_core::store::DeliveryOperations::skip).
    Skip,
    /// [`Maintenance::status`](webhook_core::store::Maintenance::status).
    Status,
    /// [`Maintenance::prune`](webhook_core::store::Maintenance::prune).
    Prune,
    /// [`NoticeQueue::notices`](webhook_core::store::NoticeQueue::notices).
    Notices,
    /// [`NoticeQueue::acknowledge`](webhook_core::store::NoticeQueue::acknowledge).
    Acknowledge,
}
