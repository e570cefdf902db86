//! Optional trait of a store: lists of tenants and endpoints.

use std::fmt;

use async_trait::async_trait;

use crate::{
    model::{
        endpoint::Endpoint,
        id::{EndpointId, TenantId},
    },
    port::store::error::StoreError,
};

/// Lists of tenants and endpoints, for operators.
#[async_trait]
pub trait EndpointDirectory: fmt::Debug + Send + Sync + 'static {
    /// Returns up to `limit` tenants that have endpoints, in order, from the one behind `after` on.
    async fn tenants(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, StoreError>;

    /// Returns up to `limit` endpoints of a tenant, in the order of their ids, from the one behind
    /// `after` on.
    async fn tenant_endpoints(
        &self,
        tenant: &TenantId,
        after: Option<EndpointId>,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError>;
}
