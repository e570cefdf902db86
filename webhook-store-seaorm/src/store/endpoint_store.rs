//! The store's port for endpoints.

use async_trait::async_trait;
use webhook_core::{Endpoint, EndpointId, EndpointStore, Snapshot, StoreError, TenantId, Updated};

use super::SeaOrmStore;
use crate::work::endpoints::{
    AddEndpoint, ListTenants, LoadEndpoints, LoadSnapshot, remove, update,
};

#[async_trait]
impl EndpointStore for SeaOrmStore {
    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        self.perform(AddEndpoint(endpoint)).await
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        update(self.ready().await?, endpoint).await
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        remove(self.ready().await?, tenant, id).await
    }

    async fn endpoints(&self, ids: &[EndpointId]) -> Result<Vec<Endpoint>, StoreError> {
        self.perform(LoadEndpoints(ids.to_vec())).await
    }

    async fn snapshot(&self, tenant: &TenantId) -> Result<Snapshot, StoreError> {
        self.perform(LoadSnapshot(tenant.clone())).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.perform(ListTenants).await
    }
}
