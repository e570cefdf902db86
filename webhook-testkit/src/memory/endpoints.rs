use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use webhook_core::store_state::edited_endpoint;
use webhook_core::{
    Endpoint, EndpointId, EndpointStore, Health, Snapshot, StoreError, StoreErrorKind, TenantId,
    Timestamp, Updated,
};

use super::{MemoryStore, State, row::EndpointRow};

#[async_trait]
impl EndpointStore for MemoryStore {
    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        self.state().add_endpoint(endpoint)
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        Ok(self.state().update_endpoint(endpoint, self.now()))
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        Ok(self.state().remove_endpoint(tenant, id, self.now()))
    }

    async fn endpoints(&self, ids: &[EndpointId]) -> Result<Vec<Endpoint>, StoreError> {
        let state = self.state();
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        Ok(ids.iter().filter_map(|&id| state.endpoint(id)).map(|found| (**found).clone()).collect())
    }

    async fn snapshot(&self, tenant: &TenantId) -> Result<Snapshot, StoreError> {
        let state = self.state();
        let mut endpoints: Vec<_> =
            state.present().filter(|endpoint| endpoint.tenant == *tenant).cloned().collect();
        endpoints.sort_by_key(|endpoint| (endpoint.created_at, endpoint.id));
        Ok(Snapshot::new(tenant.clone(), state.version(tenant), endpoints))
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut tenants: Vec<_> =
            self.state().present().map(|endpoint| endpoint.tenant.clone()).collect();
        tenants.sort();
        tenants.dedup();
        Ok(tenants)
    }
}

impl State {
    /// The endpoint with this id, unless it was removed.
    pub(super) fn endpoint(&self, id: EndpointId) -> Option<&Arc<Endpoint>> {
        self.endpoints.get(&id).filter(|row| !row.removed).map(|row| &row.endpoint)
    }

    /// The endpoints that were not removed, in the order of their ids.
    pub(super) fn present(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.values().filter(|row| !row.removed).map(|row| &row.endpoint)
    }

    /// Stores an edited endpoint, and keeps the used part of its rate.
    fn store_edit(&mut self, endpoint: Endpoint) {
        self.raise_version(&endpoint.tenant);
        let used = self.endpoints.get(&endpoint.id).map(|row| row.used).unwrap_or_default();
        self.endpoints.insert(endpoint.id, EndpointRow::new(endpoint, used));
    }

    fn add_endpoint(&mut self, endpoint: Endpoint) -> Result<(), StoreError> {
        if self.endpoints.contains_key(&endpoint.id) {
            return Err(StoreError::new(StoreErrorKind::Exists));
        }
        self.raise_version(&endpoint.tenant);
        let endpoint = endpoint.with_health(Health::HEALTHY);
        self.endpoints.insert(endpoint.id, EndpointRow::new(endpoint, 0));
        Ok(())
    }

    fn update_endpoint(&mut self, edit: Endpoint, now: Timestamp) -> Updated {
        let stored = self.endpoint(edit.id).map(|stored| &**stored);
        match edited_endpoint(stored, edit) {
            Ok(edited) => {
                let (id, revision) = (edited.id, edited.revision);
                self.store_edit(edited);
                self.reorder(id, now);
                Updated::Done(revision)
            }
            Err(result) => result,
        }
    }

    fn remove_endpoint(&mut self, tenant: &TenantId, id: EndpointId, now: Timestamp) -> bool {
        let Some(row) = self.endpoints.get_mut(&id).filter(|row| !row.removed) else {
            return false;
        };
        if row.endpoint.tenant != *tenant {
            return false;
        }
        row.removed = true;
        row.removed_at = Some(now);
        self.raise_version(tenant);
        let its = self.deliveries.iter_mut().filter(|(delivery, _)| delivery.endpoint == id);
        for (_, row) in its {
            if let Some(change) = row.state.cancelled(now).change {
                row.state = change.state;
            }
        }
        self.lines.retain(|(endpoint, _), _| *endpoint != id);
        true
    }
}
