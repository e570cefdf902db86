//! Cache of routes: the endpoints of the tenants that have published recently.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    engine::routes::Routes,
    model::{id::TenantId, routing::Snapshot},
};

/// Maximum number of cached tenants.
const MAX_CACHED_TENANTS: usize = 10_000;

/// Maximum number of cached endpoints of all tenants. A tenant that has more is cached alone.
const MAX_CACHED_ENDPOINTS: usize = 100_000;

/// Routes by tenant, bounded in memory. A lock is held for a look-up or an insertion, but not
/// during a read of the store.
#[derive(Debug)]
pub(super) struct RoutesCache {
    cached: RwLock<Cached>,
    max_tenants: usize,
    max_endpoints: usize,
}

#[derive(Debug, Default)]
struct Cached {
    tenants: BTreeMap<TenantId, CachedRoutes>,
    /// Number of endpoints in all snapshots.
    endpoints: usize,
}

#[derive(Debug)]
struct CachedRoutes {
    routes: Arc<Routes>,
    /// True if the store has to be asked for the present version before the next use.
    stale: bool,
}

impl Default for RoutesCache {
    fn default() -> Self {
        Self {
            cached: RwLock::default(),
            max_tenants: MAX_CACHED_TENANTS,
            max_endpoints: MAX_CACHED_ENDPOINTS,
        }
    }
}

impl RoutesCache {
    /// Cached routes of a tenant, unless they are stale.
    pub(super) fn get(&self, tenant: &TenantId) -> Option<Arc<Routes>> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        cached.tenants.get(tenant).filter(|it| !it.stale).map(|it| Arc::clone(&it.routes))
    }

    /// Cached snapshot of a tenant, also if it is stale.
    pub(super) fn known(&self, tenant: &TenantId) -> Option<Arc<Snapshot>> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        cached.tenants.get(tenant).map(|it| Arc::clone(it.routes.snapshot()))
    }

    /// Caches the routes by a snapshot unless a newer one is cached. Returns the newer of the two.
    pub(super) fn insert(&self, snapshot: Arc<Snapshot>) -> Arc<Routes> {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        let known = cached.tenants.get(snapshot.tenant());
        let is_newer = |it: &&CachedRoutes| it.routes.snapshot().version() > snapshot.version();
        if let Some(newer) = known.filter(is_newer) {
            return Arc::clone(&newer.routes);
        }
        cached.remove(snapshot.tenant());
        let (tenant, count) = (snapshot.tenant().clone(), snapshot.entries().len());
        while cached.tenants.len() >= self.max_tenants
            || cached.endpoints + count > self.max_endpoints
        {
            let Some((_, dropped)) = cached.tenants.pop_first() else { break };
            cached.endpoints -= dropped.routes.snapshot().entries().len();
        }
        cached.endpoints += count;
        let routes = Arc::new(Routes::new(snapshot));
        let fresh = CachedRoutes { routes: Arc::clone(&routes), stale: false };
        cached.tenants.insert(tenant, fresh);
        routes
    }

    /// Marks the routes of a tenant as stale.
    pub(super) fn forget(&self, tenant: &TenantId) {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = cached.tenants.get_mut(tenant) {
            cached.stale = true;
        }
    }
}

impl Cached {
    fn remove(&mut self, tenant: &TenantId) {
        if let Some(removed) = self.tenants.remove(tenant) {
            self.endpoints -= removed.routes.snapshot().entries().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        id::{EndpointId, TenantVersion},
        routing::RoutingEntry,
    };

    fn snapshot(tenant: &str, version: u64, endpoints: u128) -> Arc<Snapshot> {
        let entry = |number| {
            RoutingEntry::new(EndpointId::from_uuid(uuid::Uuid::from_u128(number)), Vec::new())
        };
        let version = TenantVersion::from_u64(version);
        Arc::new(Snapshot::new(tenant.parse().unwrap(), version, (0..endpoints).map(entry)))
    }

    fn cached(cache: &RoutesCache) -> (usize, usize) {
        let cached = cache.cached.read().unwrap();
        let counts = cached.tenants.values().map(|it| it.routes.snapshot().entries().len());
        let count: usize = counts.sum();
        assert_eq!(cached.endpoints, count);
        (cached.tenants.len(), count)
    }

    #[test]
    fn an_older_snapshot_never_replaces_a_newer_one() {
        let cache = RoutesCache::default();
        let kept = |version, endpoints| {
            cache.insert(snapshot("a", version, endpoints)).snapshot().version().as_u64()
        };
        assert_eq!([kept(2, 1), kept(1, 3), kept(3, 3)], [2, 2, 3]);
        assert_eq!(cached(&cache), (1, 3));
    }

    #[test]
    fn forgotten_routes_are_known_but_not_used() {
        let (cache, tenant) = (RoutesCache::default(), "a".parse().unwrap());
        cache.insert(snapshot("a", 2, 1));
        cache.forget(&tenant);
        assert!(cache.get(&tenant).is_none());
        let known = cache.known(&tenant).unwrap();
        assert_eq!(known.version(), TenantVersion::from_u64(2));
        cache.insert(known);
        assert!(cache.get(&tenant).is_some(), "the store said that nothing has changed");
    }

    #[test]
    fn the_number_of_tenants_is_bounded() {
        let cache = RoutesCache { max_tenants: 3, ..RoutesCache::default() };
        for number in 0..10 {
            cache.insert(snapshot(&format!("t{number}"), 1, 0));
        }
        assert_eq!(cached(&cache).0, 3);
        assert!(cache.get(&"t9".parse().unwrap()).is_some());
    }

    #[test]
    fn the_number_of_endpoints_is_bounded_unless_a_tenant_has_more() {
        let cache = RoutesCache { max_endpoints: 5, ..RoutesCache::default() };
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
