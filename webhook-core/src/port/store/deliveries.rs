//! What the engine needs of a store: take in, hand out under a lease, write down.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::{model::delivery::Lease, port::store::error::StoreError};

pub use super::{
    intake::{
        ClaimedUnrouted, Enqueue, Enqueued, FanOut, NewDelivery, Route, Routed, UnroutedEvent,
    },
    work::{Backlog, Claim, ClaimDue, Claimed, Finish, Finished, Settle},
};

/// Keeps events and their deliveries, and hands work out under leases.
///
/// # Contract
///
/// - **All or nothing, per item**: an event and its deliveries, or an attempt and its delivery's
///   new state, are committed together before the call returns.
/// - **At most one lease of a delivery holds at a time.** Each claim raises the epoch; a write that
///   names an older epoch changes nothing and answers [`Finished::LeaseLost`].
/// - **Dropping a call** loses the answer, never half of the work.
/// - **Order where it is asked for.** The pending deliveries that [`enqueue`](Self::enqueue) and
///   [`route`](Self::route) create for an endpoint with an [`OrderPolicy`](crate::OrderPolicy), of
///   an event with an ordering key, stand in the line of that endpoint and key, in the order of
///   these calls and of the items of each. Only the first of a line is ever due; the others are
///   pending, and due at no time. Whatever ends a delivery lets the next of its line go in the same
///   transaction, due now, if [`leaves_line`](crate::OrderPolicy::leaves_line) says so by the
///   policy of that moment. One whose attempt is in flight while it is cancelled is waited for
///   until its lease ends.
/// - **Every call answers in bounded time**, if need be with an error: a dispatcher waits for it.
#[async_trait]
pub trait DeliveryStore: fmt::Debug + Send + Sync + 'static {
    /// Stores events, each with its deliveries. Answers in the order of `batch`. A delivery that is
    /// [missed](NewDelivery::missed) is final as it is stored.
    ///
    /// An event whose [`FanOut::version`] is not the tenant's present one is stored unrouted
    /// instead; so is one with a leased delivery to an endpoint that is not
    /// [unrestricted](crate::Health::is_unrestricted): its caller could not know. One with an
    /// ordering key is stored unrouted also while an earlier one of the tenant and key is, so that
    /// it does not overtake that one.
    ///
    /// An event whose id or key is taken is not stored again: it is the same one when tenant, type
    /// and body are the same. Ids are unique among all tenants, keys within one.
    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError>;

    /// Takes up to `limit` unrouted events for `lease`: another worker gets them only after it.
    /// Those of one tenant and ordering key are answered in the order in which they were stored,
    /// and only together with all before them: none while another worker has an earlier one.
    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError>;

    /// Writes down where unrouted events go, one after the other. Answers in the order of `batch`.
    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError>;

    /// Takes deliveries that are due, and those whose lease ran out. Each claim counts an attempt
    /// and raises the epoch, committed before this returns.
    ///
    /// Walks the active endpoints that have due work round robin, from [`ClaimDue::resume_at`] on,
    /// and takes the longest due first of each: as many as its [`Allowance`](crate::Allowance) has room for,
    /// which is written down in the same transaction. Of two claims at once, no more start than of
    /// one. A tenant gets its [share](crate::Shares) at most.
    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError>;

    /// Writes down attempts and what follows from them. Answers in the order of `batch`.
    ///
    /// A lease that has ended, but that nobody has taken over, still holds. The attempts of a
    /// delivery that was cancelled meanwhile are recorded; it stays cancelled. Said again under the
    /// same epoch (the first answer may have been lost), it is [`Finished::Recorded`] and changes
    /// nothing.
    ///
    /// In the same transaction each attempt that is recorded now changes the endpoint's
    /// [`Health`](crate::Health) by [`Finish::health_signal`], and the resulting notices are
    /// stored.
    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError>;

    /// Gives back claims that were not started: due at once, their attempt not counted, and the
    /// time of the claim before restored. Were one the probe of its endpoint, another may be made
    /// ([`Finish::void`]). Answers in the order of `batch`.
    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError>;

    /// Returns when another process may have stored work: a few times a second at most, and
    /// possibly without a reason.
    ///
    /// The default never returns, for a store without notifications from other processes. A
    /// dispatcher polls in any case.
    async fn work_notified(&self) {
        std::future::pending::<()>().await;
    }

    /// Notifies other processes that there may be work, possibly with a short delay and a few times
    /// a second at most.
    ///
    /// The default does nothing, for a store that cannot notify them.
    fn notify_work(&self) {}

    /// What is left to do.
    async fn backlog(&self) -> Result<Backlog, StoreError>;
}
