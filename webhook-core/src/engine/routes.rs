//! Routes of a tenant: its snapshot, and the settings of those endpoints that a publisher has loaded.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use crate::model::{
    endpoint::Endpoint,
    event::EventType,
    id::EndpointId,
    routing::{RoutingEntry, Snapshot},
};

/// Snapshot of a tenant, with the settings of those endpoints whose deliveries this process sends
/// from memory.
#[derive(Debug)]
pub(super) struct Routes {
    snapshot: Arc<Snapshot>,
    loaded: RwLock<BTreeMap<EndpointId, Arc<Endpoint>>>,
}

impl Routes {
    /// Creates routes without loaded endpoints.
    pub(super) fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, loaded: RwLock::default() }
    }

    pub(super) const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Endpoints that are loaded so far.
    pub(super) fn loaded(&self) -> LoadedEndpoints<'_> {
        LoadedEndpoints(self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Active endpoints that receive an event of this type, and whose settings are not loaded.
    pub(super) fn missing(&self, event_type: &EventType) -> BTreeSet<EndpointId> {
        let loaded = self.loaded();
        let wanting = self.snapshot.wanting(event_type);
        let missing = wanting.filter(|it| it.state.is_active() && loaded.get(it).is_none());
        missing.map(|entry| entry.id).collect()
    }

    /// Keeps an endpoint that was loaded, if it is one of the snapshot.
    pub(super) fn keep(&self, endpoint: Endpoint) {
        if endpoint.tenant == *self.snapshot.tenant() {
            let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
            loaded.insert(endpoint.id, Arc::new(endpoint));
        }
    }
}

/// Read access to the loaded endpoints of a tenant.
pub(super) struct LoadedEndpoints<'a>(RwLockReadGuard<'a, BTreeMap<EndpointId, Arc<Endpoint>>>);

impl LoadedEndpoints<'_> {
    /// Settings of an endpoint, if they are loaded and as new as its entry.
    pub(super) fn get(&self, entry: &RoutingEntry) -> Option<&Arc<Endpoint>> {
        self.0.get(&entry.id).filter(|endpoint| endpoint.revision >= entry.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        endpoint_state::EndpointState,
        id::{Revision, TenantId, TenantVersion},
    };

    fn endpoint(number: u128, revision: u64) -> Endpoint {
        let id = EndpointId::from_uuid(uuid::Uuid::from_u128(number));
        let endpoint = Endpoint::new(id, "https://a.example/".parse().unwrap());
        endpoint.with_revision(Revision::from_u64(revision))
    }

    #[test]
    fn an_active_endpoint_is_missing_until_it_is_loaded_at_its_revision() {
        let paused = RoutingEntry::of(&endpoint(2, 0)).with_state(EndpointState::Paused);
        let entries = [RoutingEntry::of(&endpoint(1, 1)), paused];
        let (tenant, version) = (TenantId::default(), TenantVersion::default());
        let routes = Routes::new(Arc::new(Snapshot::new(tenant, version, entries)));
        let missing = || routes.missing(&"a".parse().unwrap()).len();
        assert_eq!(missing(), 1);
        routes.keep(endpoint(1, 0));
        assert_eq!(missing(), 1, "an older revision");
        routes.keep(endpoint(1, 2).with_tenant("other".parse().unwrap()));
        assert_eq!(missing(), 1, "an endpoint of another tenant");
        routes.keep(endpoint(1, 2));
        assert_eq!(missing(), 0);
    }
}
