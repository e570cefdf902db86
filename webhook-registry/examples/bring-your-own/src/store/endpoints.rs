use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use webhook_registry::{
    Endpoint, EndpointId, EndpointStore, Health, Snapshot, StoreError, StoreErrorKind, TenantId,
    Updated, store_state::edited_endpoint,
};

use super::SmallStore;

#[async_trait]
impl EndpointStore for SmallStore {
    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.endpoints.contains_key(&endpoint.id) || state.removed.contains_key(&endpoint.id) {
            return Err(StoreError::new(StoreErrorKind::Exists));
        }
        state.raise_version(&endpoint.tenant);
        state.endpoints.insert(endpoint.id, endpoint.with_health(Health::HEALTHY));
        Ok(())
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let edited = match edited_endpoint(state.endpoints.get(&endpoint.id), endpoint) {
            Ok(edited) => edited,
            Err(result) => return Ok(result),
        };
        let (id, revision) = (edited.id, edited.revision);
        state.raise_version(&edited.tenant);
        state.endpoints.insert(id, edited);
        state.reorder(id, now);
        Ok(Updated::Done(revision))
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.endpoints.get(&id).is_none_or(|endpoint| endpoint.tenant != *tenant) {
            return Ok(false);
        }
        let now = self.now();
        state.endpoints.remove(&id);
        state.removed.insert(id, now);
        state.queues.retain(|(endpoint, _), _| *endpoint != id);
        for (_, row) in state.deliveries.iter_mut().filter(|(its, _)| its.endpoint == id) {
            row.state = row.state.cancelled(now).change.map_or(row.state.clone(), |it| it.state);
        }
        state.raise_version(tenant);
        Ok(true)
    }

    async fn endpoints(&self, ids: &[EndpointId]) -> Result<Vec<Endpoint>, StoreError> {
        let state = self.state();
        let ids: BTreeSet<_> = ids.iter().collect();
        Ok(ids.into_iter().filter_map(|id| state.endpoints.get(id).cloned()).collect())
    }

    async fn snapshot(&self, tenant: &TenantId) -> Result<Snapshot, StoreError> {
        let state = self.state();
        let mut endpoints: Vec<_> = state
            .endpoints
            .values()
            .filter(|endpoint| endpoint.tenant == *tenant)
            .cloned()
            .map(Arc::new)
            .collect();
        endpoints.sort_by_key(|endpoint| (endpoint.created_at, endpoint.id));
        Ok(Snapshot::new(tenant.clone(), state.version(tenant), endpoints))
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut tenants: Vec<_> =
            self.state().endpoints.values().map(|endpoint| endpoint.tenant.clone()).collect();
        tenants.sort();
        tenants.dedup();
        Ok(tenants)
    }
}
