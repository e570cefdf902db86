//! Optional trait of a store: counts and pruning.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::{
    model::{
        id::{DeliveryId, TenantId},
        time::Timestamp,
    },
    port::store::{
        error::StoreError,
        prune::{Prune, Pruned},
    },
};

/// Counts and pruning, for operators.
#[async_trait]
pub trait Maintenance: fmt::Debug + Send + Sync + 'static {
    /// Returns counts and the age of the backlog.
    ///
    /// It must be cheap enough to be called every minute, so no count exceeds [`StoreStatus::CAP`].
    async fn status(&self) -> Result<StoreStatus, StoreError>;

    /// Deletes a page of old data and returns the cursor of the next page.
    ///
    /// Deletes, in this order:
    ///
    /// 1. final deliveries, with their attempts, that were created and finished before the cutoff,
    ///    except those that block an order queue;
    /// 2. routed events that were stored before the cutoff and have no deliveries;
    /// 3. removed endpoints that have no deliveries;
    /// 4. unacknowledged notices older than the cutoff.
    ///
    /// Each call is short and locks only the rows it deletes. Rows locked by another transaction
    /// are skipped. An event key stays reserved as long as its event is stored.
    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError>;
}

/// Counts and backlog of a store. No count exceeds [`CAP`](Self::CAP).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoreStatus {
    /// Events that no dispatcher has routed yet.
    pub unrouted: u64,
    /// Deliveries under a lease that holds.
    pub in_flight: u64,
    /// Deliveries pending for active endpoints.
    pub pending: u64,
    /// Deliveries pending for endpoints that are paused or disabled.
    pub waiting: u64,
    /// Lag of the workers: time since the oldest due delivery of an active endpoint became due.
    /// `None` if nothing is due. Deliveries of an endpoint that is cooling down are due when the
    /// cool-down ends.
    pub oldest_due: Option<Duration>,
    /// The first [`MAX_FAILING`](Self::MAX_FAILING) active endpoints, by their ids, whose oldest
    /// pending delivery has been tried and has failed.
    pub failing: Vec<FailingEndpoint>,
    /// Number of writes under a lost lease: each
    /// [`Finished::LeaseLost`](crate::store::Finished::LeaseLost) that this store has returned. A
    /// stalled worker causes a few; many mean that leases are too short.
    pub leases_lost: u64,
}

impl StoreStatus {
    /// Maximum of each count.
    pub const CAP: u64 = 10_000;

    /// Maximum number of failing endpoints in a status.
    pub const MAX_FAILING: usize = 100;
}

/// An active endpoint whose oldest pending delivery has been tried and has failed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FailingEndpoint {
    /// Its oldest pending delivery.
    pub delivery: DeliveryId,
    /// Tenant of the endpoint.
    pub tenant: TenantId,
    /// Number of attempts of the delivery.
    pub attempts: u32,
    /// Failure of the last attempt.
    pub last_error: String,
    /// Time at which the delivery was created.
    pub since: Timestamp,
}

impl FailingEndpoint {
    /// Creates an entry for the endpoint of a delivery.
    pub const fn new(
        delivery: DeliveryId,
        tenant: TenantId,
        attempts: u32,
        last_error: String,
        since: Timestamp,
    ) -> Self {
        Self { delivery, tenant, attempts, last_error, since }
    }
}
