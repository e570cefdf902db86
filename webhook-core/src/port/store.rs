//! The store port: endpoints, events, deliveries and attempts.
//!
//! [`Store`] is the required part: a store that implements it can publish, deliver and retry. The
//! other traits are optional, and found through it.
//!
//! Three rules hold for all of them:
//!
//! - **A store decides nothing.** It records decisions, in one transaction each.
//! - **One clock.** Due times and leases are counted by the store's own clock; callers pass
//!   durations.
//! - **Results are per item.** The conflict of one caller never fails the work of another.

pub(crate) mod capability;
pub(crate) mod directory;
pub(crate) mod edit;
pub(crate) mod error;
pub(crate) mod intake;
pub(crate) mod log;
pub(crate) mod maintenance;
pub(crate) mod notices;
pub(crate) mod operations;
mod optional;
pub(crate) mod prune;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod replay_page;
pub(crate) mod routing_update;
pub(crate) mod signal;
pub(crate) mod state;
pub(crate) mod tracked;
pub(crate) mod work;

use std::{fmt, time::Duration};

use async_trait::async_trait;

pub use capability::{Capabilities, Capability};
pub use directory::EndpointDirectory;
pub use error::{StoreError, StoreErrorKind};
pub use log::DeliveryLog;
pub use maintenance::Maintenance;
pub use notices::NoticeQueue;
pub use operations::DeliveryOperations;
pub use signal::WorkSignal;
pub use tracked::TrackedDeliveries;

use crate::{
    model::{
        delivery::Lease,
        endpoint::Endpoint,
        id::{EndpointId, TenantId, TenantVersion},
    },
    port::store::{
        edit::Updated,
        intake::{ClaimedUnrouted, Enqueue, Enqueued, Route, Routed},
        routing_update::RoutingUpdate,
        work::{Backlog, ClaimDue, Claimed, Finish, Finished},
    },
};

/// Keeps endpoints, events and deliveries, and hands out work under leases.
///
/// # Contract
///
/// - **All or nothing, per item**: an event and its deliveries, or an attempt and the new state of
///   its delivery, are committed together before the call returns.
/// - **At most one lease of a delivery holds at a time.** Each claim raises the epoch; a write that
///   names an older epoch changes nothing and returns [`Finished::LeaseLost`].
/// - **Dropping a call** loses the result, never half of the work.
/// - **Order where it is asked for.** The pending deliveries that [`enqueue`](Self::enqueue) and
///   [`route`](Self::route) create for an endpoint with an [`OrderPolicy`](crate::OrderPolicy), of
///   an event with an ordering key, form the order queue of that endpoint and key, in the order of
///   these calls and of the items of each. Only the first of a queue is ever due; the others are
///   pending, and due at no time. Whatever ends a delivery lets the next of its queue go in the same
///   transaction, due now, if [`leaves_line`](crate::OrderPolicy::leaves_line) says so by the
///   policy of that moment. One whose attempt is in flight while it is cancelled is waited for
///   until its lease ends.
/// - **Every edit of an endpoint raises its revision**, so that the next attempt uses the new
///   settings, **and the version of its tenant**, in the transaction of the edit. A publisher that
///   routes by an older version is noticed by [`enqueue`](Self::enqueue).
/// - A removed endpoint is never returned again, but its deliveries stay in the log.
/// - **Every call ends in bounded time**, if necessary with an error: a dispatcher waits for it.
///
/// # Optional parts
///
/// [`capabilities`](Self::capabilities) declares what a store does beyond the contract of the
/// required methods. The accessors, such as [`log`](Self::log), return the optional traits that it
/// implements; by default none. A call through `dyn Store` of a trait that is missing fails with
/// [`Unsupported`](crate::StoreErrorKind::Unsupported).
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Declares capabilities beyond the contract of the required methods. Only the first six
    /// [capabilities](Capability) are read from here: the others follow from the accessors.
    fn capabilities(&self) -> Capabilities;

    /// Adds an endpoint, at its given revision.
    ///
    /// # Errors
    ///
    /// [`Exists`](crate::StoreErrorKind::Exists) if its id is taken.
    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError>;

    /// Replaces the settings of an endpoint, all but id, tenant and time of registration, if it is
    /// still at `endpoint.revision`; the new revision is the next one.
    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError>;

    /// Removes an endpoint of this tenant and cancels its unfinished deliveries. An attempt in
    /// flight may end, and is recorded. Returns false if there is no such endpoint.
    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError>;

    /// Returns the endpoints with these ids, in the order of `ids`: `None` if there is no such
    /// endpoint. An endpoint that cannot be read is an error of its own, and the others are
    /// returned.
    async fn endpoints(
        &self,
        ids: &[EndpointId],
    ) -> Result<Vec<Result<Option<Endpoint>, StoreError>>, StoreError>;

    /// Returns the endpoints of a tenant and its version, read at one point in time, as far as they
    /// differ from the version that the caller knows. A store may always return them
    /// [whole](RoutingUpdate::Whole). An unknown tenant has no endpoints, at version 0.
    async fn routing(
        &self,
        tenant: &TenantId,
        known: Option<TenantVersion>,
    ) -> Result<RoutingUpdate, StoreError>;

    /// Stores events, each with its deliveries. Returns results in the order of `batch`. A
    /// [missed](crate::store::NewDelivery::missed) delivery is final from the beginning.
    ///
    /// An event is stored unrouted instead:
    ///
    /// - if its [version](crate::store::FanOut::version) is not the tenant's present one;
    /// - if a leased delivery is for an endpoint that is not
    ///   [unrestricted](crate::Health::is_unrestricted), which the caller could not know;
    /// - if it has an ordering key, and an earlier event of the tenant and key is unrouted: it must
    ///   not overtake that event.
    ///
    /// An event whose id or key is taken is not stored again. It is the same event if tenant, type
    /// and body are equal. Ids are unique among all tenants, keys within a tenant.
    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError>;

    /// Claims up to `limit` unrouted events for `lease`; another worker can claim them after it.
    /// Events of one tenant and ordering key are returned in the order of their storing, and only
    /// together with all earlier ones: none while another worker has an earlier one.
    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError>;

    /// Stores the deliveries of unrouted events, one event after the other. Returns results in the
    /// order of `batch`.
    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError>;

    /// Takes deliveries that are due, and those whose lease has ended. Each claim counts an attempt
    /// and raises the epoch, committed before this returns.
    ///
    /// Walks the active endpoints that have due work round robin, from [`ClaimDue::cursor`] on, and
    /// takes the longest due first of each: as many as its
    /// [`Allowance`](crate::policy::Allowance) has room for. The used allowance is stored in the same transaction, so two claims at once start no
    /// more attempts than one. A tenant gets its [share](crate::policy::Shares) at most.
    ///
    /// The claim ends before the bodies of its events exceed [`ClaimDue::max_bytes`], but it takes
    /// at least one delivery. Each endpoint with due work and room is served within a bounded
    /// number of claims.
    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError>;

    /// Records attempts and their consequences. Returns results in the order of `batch`.
    ///
    /// A lease that has ended still holds until another worker claims the delivery. The attempts of
    /// a delivery that was cancelled in the meantime are recorded; it stays cancelled. A repeat under
    /// the same epoch (the first result may have been lost) is [`Finished::Recorded`] and changes
    /// nothing.
    ///
    /// In the same transaction each attempt that is recorded now changes the endpoint's
    /// [`Health`](crate::Health) by [`Finish::health_signal`], and the resulting notices are
    /// stored.
    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError>;

    /// Releases claims that were not started: the delivery is due at once, its attempt does not
    /// count, and the time of the claim before is restored. If the claim was the probe of its
    /// endpoint, another probe may be made ([`Finish::void`]). Returns results in the order of
    /// `batch`.
    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError>;

    /// Counts the remaining work.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// Lists of tenants and endpoints.
    fn directory(&self) -> Option<&dyn EndpointDirectory> {
        None
    }

    /// The record of events, deliveries and attempts.
    fn log(&self) -> Option<&dyn DeliveryLog> {
        None
    }

    /// Records of deliveries that are sent within a call.
    fn tracked(&self) -> Option<&dyn TrackedDeliveries> {
        None
    }

    /// Redeliver, replay, cancel and skip.
    fn operations(&self) -> Option<&dyn DeliveryOperations> {
        None
    }

    /// Counts and pruning.
    fn maintenance(&self) -> Option<&dyn Maintenance> {
        None
    }

    /// Notices that wait to be acknowledged.
    fn notice_queue(&self) -> Option<&dyn NoticeQueue> {
        None
    }

    /// Wake-ups between processes.
    fn work_signal(&self) -> Option<&dyn WorkSignal> {
        None
    }
}

impl dyn Store {
    /// Returns the endpoint with this id, or `None` if there is no such endpoint.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from [`endpoints`](Store::endpoints).
    pub async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
        self.endpoints(&[id]).await?.pop().unwrap_or(Ok(None))
    }
}
