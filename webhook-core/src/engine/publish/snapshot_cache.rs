//! Cache of snapshots: the endpoints of the tenants that have published recently.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::model::{id::TenantId, routing::Snapshot};

/// Maximum number of cached tenants.
const MAX_CACHED_TENANTS: usize = 10_000;

/// Maximum number of cached endpoints of all tenants. A tenant that has more is cached alone.
const MAX_CACHED_ENDPOINTS: usize = 100_000;

/// Snapshots by tenant, bounded in memory. A lock is held for a look-up or an insertion, but not
/// during a read of the store.
#[derive(Debug)]
pub(super) struct SnapshotCache {
    cached: RwLock<Cached>,
    max_tenants: usize,
    max_endpoints: usize,
}

#[derive(Debug, Default)]
struct Cached {
    tenants: BTreeMap<TenantId, Arc<Snapshot>>,
    /// Number of endpoints in all snapshots.
    endpoints: usize,
}

impl Default for SnapshotCache {
    fn default() -> Self {
        Self {
            cached: RwLock::default(),
            max_tenants: MAX_CACHED_TENANTS,
            max_endpoints: MAX_CACHED_ENDPOINTS,
        }
    }
}

impl SnapshotCache {
    /// Cached snapshot of a tenant.
    pub(super) fn get(&self, tenant: &TenantId) -> Option<Arc<Snapshot>> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        cached.tenants.get(tenant).cloned()
    }

    /// Caches a snapshot unless a newer one is cached. Returns the newer of the two.
    pub(super) fn insert(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        let known = cached.tenants.get(snapshot.tenant());
        if let Some(newer) = known.filter(|known| known.version() > snapshot.version()) {
            return Arc::clone(newer);
        }
        cached.remove(snapshot.tenant());
        let (snapshot, count) = (Arc::new(snapshot), |it: &Snapshot| it.endpoints().len());
        while cached.tenants.len() >= self.max_tenants
            || cached.endpoints + count(&snapshot) > self.max_endpoints
        {
            let Some((_, dropped)) = cached.tenants.pop_first() else { break };
            cached.endpoints -= count(&dropped);
        }
        cached.endpoints += count(&snapshot);
        cached.tenants.insert(snapshot.tenant().clone(), Arc::clone(&snapshot));
        snapshot
    }

    /// Removes a tenant's snapshot.
    pub(super) fn forget(&self, tenant: &TenantId) {
        self.cached.write().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }
}

impl Cached {
    fn remove(&mut self, tenant: &TenantId) {
        if let Some(removed) = self.tenants.remove(tenant) {
            self.endpoints -= removed.endpoints().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        endpoint::Endpoint,
        id::{EndpointId, TenantVersion},
    };

    fn snapshot(tenant: &str, version: u64, endpoints: u128) -> Snapshot {
        let endpoint = |number| {
            let id = EndpointId::from_uuid(uuid::Uuid::from_u128(number));
            Arc::new(Endpoint::new(id, "https://a.example/".parse().unwrap()))
        };
        let version = TenantVersion::from_u64(version);
        Snapshot::new(tenant.parse().unwrap(), version, (0..endpoints).map(endpoint))
    }

    fn cached(cache: &SnapshotCache) -> (usize, usize) {
        let cached = cache.cached.read().unwrap();
        let count: usize = cached.tenants.values().map(|it| it.endpoints().len()).sum();
        assert_eq!(cached.endpoints, count);
        (cached.tenants.len(), count)
    }

    #[test]
    fn an_older_snapshot_never_replaces_a_newer_one() {
        let cache = SnapshotCache::default();
        cache.insert(snapshot("a", 2, 1));
        assert_eq!(cache.insert(snapshot("a", 1, 3)).version(), TenantVersion::from_u64(2));
        assert_eq!(cache.insert(snapshot("a", 3, 3)).version(), TenantVersion::from_u64(3));
        assert_eq!(cached(&cache), (1, 3));
        cache.forget(&"a".parse().unwrap());
        assert_eq!(cached(&cache), (0, 0));
    }

    #[test]
    fn the_number_of_tenants_is_bounded() {
        let cache = SnapshotCache { max_tenants: 3, ..SnapshotCache::default() };
        for number in 0..10 {
            cache.insert(snapshot(&format!("t{number}"), 1, 0));
        }
        assert_eq!(cached(&cache).0, 3);
        assert!(cache.get(&"t9".parse().unwrap()).is_some());
    }

    #[test]
    fn the_number_of_endpoints_is_bounded_unless_a_tenant_has_more() {
        let cache = SnapshotCache { max_endpoints: 5, ..SnapshotCache::default() };
        let table = [
            ("a", 2, (1, 2)),
            ("b", 3, (2, 5)),
            ("c", 2, (2, 5)),
            ("d", 9, (1, 9)),
            ("e", 1, (1, 1)),
        ];
        for (tenant, endpoints, expected) in table {
            cache.insert(snapshot(tenant, 1, endpoints));
            assert_eq!(cached(&cache), expected, "{tenant}");
        }
    }
}
