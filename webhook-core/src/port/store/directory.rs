//! Optional trait of a store: lists of tenants and endpoints.

use std::fmt;

use async_trait::async_trait;

use crate::{model::id::TenantId, port::store::error::StoreError};

/// Lists of tenants and endpoints, for operators.
#[async_trait]
pub trait EndpointDirectory: fmt::Debug + Send + Sync + 'static {
    /// Tenants that have endpoints, in order.
    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError>;
}
