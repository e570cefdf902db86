//! What those who register endpoints need of a store.

use std::fmt;

use async_trait::async_trait;

use crate::{
    model::{
        endpoint::Endpoint,
        id::{EndpointId, Revision, TenantId},
        routing::Snapshot,
    },
    port::store::error::StoreError,
};

/// Keeps endpoints.
///
/// # Contract
///
/// - Every edit raises the tenant's version in the transaction of the edit. A publisher that routes
///   by an older version is noticed by [`DeliveryStore::enqueue`](crate::DeliveryStore::enqueue).
/// - Every edit raises the endpoint's revision, so that the next attempt uses the new settings.
/// - A removed endpoint is never given out again, but its deliveries stay in the log.
#[async_trait]
pub trait EndpointStore: fmt::Debug + Send + Sync + 'static {
    /// Adds an endpoint, at its given revision.
    ///
    /// # Errors
    ///
    /// [`Exists`](crate::StoreErrorKind::Exists) when its id is taken.
    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError>;

    /// Replaces the settings of an endpoint, all but id, tenant and time of registration, if it is
    /// still at `endpoint.revision`; the new revision is the next one.
    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError>;

    /// Removes an endpoint of this tenant and cancels its unfinished deliveries. An attempt in
    /// flight may end, and is recorded. Answers whether there was one.
    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError>;

    /// The endpoints with these ids, in any order; those that do not exist are left out.
    async fn endpoints(&self, ids: &[EndpointId]) -> Result<Vec<Endpoint>, StoreError>;

    /// All endpoints of a tenant with the tenant's version, read at one point in time, oldest
    /// first. A tenant nobody has heard of has none, at version 0.
    async fn snapshot(&self, tenant: &TenantId) -> Result<Snapshot, StoreError>;

    /// The tenants that have endpoints, in order.
    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError>;
}

/// What became of an edit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Updated {
    /// It is stored, and this is the endpoint's revision now.
    Done(Revision),
    /// Somebody else was faster: read the endpoint again.
    Stale,
    /// There is no such endpoint of this tenant.
    NotFound,
}
