use std::sync::Arc;

use webhook_core::store_state::edited_endpoint;
use webhook_core::{
    Endpoint, EndpointId, Health, StoreError, StoreErrorKind, TenantId, Timestamp,
    store::{RoutingEntry, RoutingUpdate, TenantVersion, Updated},
};

use super::{State, row::EndpointRow};

impl State {
    /// The endpoint with this id, unless it was removed.
    pub(super) fn endpoint(&self, id: EndpointId) -> Option<&Arc<Endpoint>> {
        self.endpoints.get(&id).filter(|row| !row.removed).map(|row| &row.endpoint)
    }

    /// The endpoints that were not removed, in the order of their ids.
    pub(super) fn present(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.values().filter(|row| !row.removed).map(|row| &row.endpoint)
    }

    pub(super) fn routing(&self, tenant: &TenantId, known: Option<TenantVersion>) -> RoutingUpdate {
        let version = self.version(tenant);
        if known == Some(version) {
            return RoutingUpdate::Same;
        }
        let its = self.present().filter(|endpoint| endpoint.tenant == *tenant);
        let entries = its.map(|endpoint| RoutingEntry::of(endpoint)).collect();
        RoutingUpdate::Whole { version, entries }
    }

    /// Stores an edited endpoint, and keeps the used part of its rate.
    fn store_edit(&mut self, endpoint: Endpoint) {
        self.raise_version(&endpoint.tenant);
        let used = self.endpoints.get(&endpoint.id).map(|row| row.used).unwrap_or_default();
        self.endpoints.insert(endpoint.id, EndpointRow::new(endpoint, used));
    }

    pub(super) fn add_endpoint(&mut self, endpoint: Endpoint) -> Result<(), StoreError> {
        if self.endpoints.contains_key(&endpoint.id) {
            return Err(StoreError::new(StoreErrorKind::Exists));
        }
        self.raise_version(&endpoint.tenant);
        let endpoint = endpoint.with_health(Health::HEALTHY);
        self.endpoints.insert(endpoint.id, EndpointRow::new(endpoint, 0));
        Ok(())
    }

    pub(super) fn update_endpoint(&mut self, edit: Endpoint, now: Timestamp) -> Updated {
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

    pub(super) fn remove_endpoint(
        &mut self,
        tenant: &TenantId,
        id: EndpointId,
        now: Timestamp,
    ) -> bool {
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
