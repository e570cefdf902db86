//! The registry: which endpoints want an event, per tenant and event type.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use webhook_core::{
    Endpoint, EndpointUrl, EventFilter, EventType, Snapshot, TenantId, TenantVersion,
};

type Tenants = BTreeMap<TenantId, Arc<Snapshot>>;

/// Endpoints by tenant, as immutable snapshots: readers take the present one and never wait, not
/// even while somebody registers.
///
/// In [`Webhooks`](crate::Webhooks) it holds what the store says. By itself it is a list of
/// endpoints in memory, for programs that send within a call and keep no store:
///
/// ```
/// use webhook_registry::{Endpoint, EndpointId, Registry, TenantId};
///
/// let registry = Registry::new();
/// let id = EndpointId::from_uuid(uuid::Uuid::now_v7());
/// let endpoint = Endpoint::new(id, "https://billing.example/hooks".parse()?);
/// registry.register(endpoint.with_filters(["invoice.paid".parse()?]));
///
/// let tenant = TenantId::default();
/// assert_eq!(registry.endpoints_for(&tenant, &"invoice.paid".parse()?).len(), 1);
/// assert_eq!(registry.unregister(&tenant, &"invoice.paid".parse()?, &"https://billing.example/hooks".parse()?), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Registry {
    tenants: ArcSwap<Tenants>,
    max_tenants: usize,
    max_endpoints: usize,
}

impl Registry {
    /// Tenants whose endpoints [`Webhooks`](crate::Webhooks) keeps in memory; the rest are read
    /// again when they publish.
    pub const MAX_TENANTS: usize = 10_000;

    /// Endpoints it keeps in memory, of all tenants together; a tenant that has more is kept alone.
    pub const MAX_ENDPOINTS: usize = 100_000;

    /// An empty registry.
    pub fn new() -> Self {
        Self {
            tenants: ArcSwap::default(),
            max_tenants: Self::MAX_TENANTS,
            max_endpoints: Self::MAX_ENDPOINTS,
        }
    }

    /// Adds an endpoint, or replaces the one with its id.
    pub fn register(&self, endpoint: Endpoint) {
        let tenant = endpoint.tenant.clone();
        let endpoint = Arc::new(endpoint);
        self.edit(&tenant, |endpoints| {
            let others = endpoints.iter().filter(|other| other.id != endpoint.id);
            others.cloned().chain([endpoint.clone()]).collect()
        });
    }

    /// The endpoints that want events of this type, whatever their state, in the order of
    /// registration for those that name it, then those that match it by a pattern.
    pub fn endpoints_for(&self, tenant: &TenantId, event_type: &EventType) -> Vec<Arc<Endpoint>> {
        let snapshot = self.snapshot(tenant);
        snapshot.map(|snapshot| snapshot.wanting(event_type).cloned().collect()).unwrap_or_default()
    }

    /// Takes this type from the filters of the endpoints at `url`; those left without a filter are
    /// removed. A pattern that matches the type stays. Answers how many endpoints were changed.
    pub fn unregister(
        &self,
        tenant: &TenantId,
        event_type: &EventType,
        url: &EndpointUrl,
    ) -> usize {
        let filter = EventFilter::from(event_type.clone());
        let concerned =
            |endpoint: &Endpoint| endpoint.url == *url && endpoint.filters.contains(&filter);
        let mut changed = 0;
        if self.snapshot(tenant).is_none() {
            return changed;
        }
        self.edit(tenant, |endpoints| {
            changed = endpoints.iter().filter(|endpoint| concerned(endpoint)).count();
            let without = |endpoint: &Arc<Endpoint>| {
                if concerned(endpoint) {
                    without(endpoint, &filter)
                } else {
                    Some(endpoint.clone())
                }
            };
            endpoints.iter().filter_map(without).collect()
        });
        changed
    }

    /// The tenant's endpoints as they are now, if any are held.
    pub fn snapshot(&self, tenant: &TenantId) -> Option<Arc<Snapshot>> {
        self.tenants.load().get(tenant).cloned()
    }

    /// Holds what a store says, unless something newer is held already. Answers what is held now.
    pub(crate) fn hold(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        self.tenants.rcu(|tenants| {
            let mut tenants = Tenants::clone(tenants);
            let newer = tenants
                .get(snapshot.tenant())
                .is_some_and(|held| held.version() > snapshot.version());
            if !newer {
                tenants.remove(snapshot.tenant());
                self.make_room(&mut tenants, &snapshot);
                tenants.insert(snapshot.tenant().clone(), snapshot.clone());
            }
            tenants
        });
        self.snapshot(snapshot.tenant()).unwrap_or(snapshot)
    }

    /// Lets go of a tenant's endpoints: the store is asked at the next publish.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        self.tenants.rcu(|tenants| {
            let mut tenants = Tenants::clone(tenants);
            tenants.remove(tenant);
            tenants
        });
    }

    /// Drops other tenants while there are too many: whoever publishes next reads anew.
    fn make_room(&self, tenants: &mut Tenants, newcomer: &Snapshot) {
        let count = |snapshot: &Arc<Snapshot>| snapshot.endpoints().len();
        let mut endpoints = newcomer.endpoints().len() + tenants.values().map(count).sum::<usize>();
        while tenants.len() >= self.max_tenants || endpoints > self.max_endpoints {
            let Some((_, dropped)) = tenants.pop_first() else { return };
            endpoints -= dropped.endpoints().len();
        }
    }

    fn edit(
        &self,
        tenant: &TenantId,
        mut change: impl FnMut(&[Arc<Endpoint>]) -> Vec<Arc<Endpoint>>,
    ) {
        self.tenants.rcu(|tenants| {
            let mut tenants = Tenants::clone(tenants);
            let (version, endpoints) = match tenants.get(tenant) {
                Some(held) => (held.version().next(), change(held.endpoints())),
                None => (TenantVersion::default().next(), change(&[])),
            };
            tenants.insert(
                tenant.clone(),
                Arc::new(Snapshot::new(tenant.clone(), version, endpoints)),
            );
            tenants
        });
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

fn without(endpoint: &Endpoint, filter: &EventFilter) -> Option<Arc<Endpoint>> {
    let left: Vec<_> = endpoint.filters.iter().filter(|other| *other != filter).cloned().collect();
    (!left.is_empty()).then(|| Arc::new(endpoint.clone().with_filters(left)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;
    use webhook_core::EndpointId;

    fn endpoint(number: u128, url: &str, filters: &[&str]) -> Endpoint {
        let filters: Vec<EventFilter> =
            filters.iter().map(|filter| filter.parse().unwrap()).collect();
        Endpoint::new(EndpointId::from_uuid(Uuid::from_u128(number)), url.parse().unwrap())
            .with_filters(filters)
    }

    fn wanting(registry: &Registry, event_type: &str) -> Vec<u128> {
        let endpoints = registry.endpoints_for(&TenantId::default(), &event_type.parse().unwrap());
        endpoints.iter().map(|endpoint| endpoint.id.as_uuid().as_u128()).collect()
    }

    #[test]
    fn endpoints_are_found_by_type_and_gone_when_unregistered() {
        let registry = Registry::new();
        registry.register(endpoint(1, "https://a.example/", &["invoice.paid", "user.made"]));
        registry.register(endpoint(2, "https://b.example/", &["invoice.paid"]));
        registry.register(endpoint(3, "https://a.example/", &["invoice.*"]));
        assert_eq!(wanting(&registry, "invoice.paid"), [1, 2, 3]);

        let (paid, a) = ("invoice.paid".parse().unwrap(), "https://a.example/".parse().unwrap());
        assert_eq!(registry.unregister(&TenantId::default(), &paid, &a), 1);
        assert_eq!(wanting(&registry, "invoice.paid"), [2, 3]);
        assert_eq!(wanting(&registry, "user.made"), [1]);

        assert_eq!(
            registry.unregister(
                &TenantId::default(),
                &paid,
                &"https://b.example/".parse().unwrap()
            ),
            1
        );
        assert_eq!(wanting(&registry, "invoice.paid"), [3]);
        assert_eq!(registry.unregister(&TenantId::default(), &paid, &a), 0);
    }

    #[test]
    fn registering_an_id_again_replaces_it() {
        let registry = Registry::new();
        registry.register(endpoint(1, "https://a.example/", &["a"]));
        registry.register(endpoint(1, "https://a.example/", &["b"]));
        assert_eq!((wanting(&registry, "a"), wanting(&registry, "b")), (vec![], vec![1]));
    }

    #[test]
    fn an_older_snapshot_never_replaces_a_newer_one() {
        let registry = Registry::new();
        let at = |version| Snapshot::new(TenantId::default(), TenantVersion::from_u64(version), []);
        registry.hold(at(2));
        assert_eq!(registry.hold(at(1)).version(), TenantVersion::from_u64(2));
        assert_eq!(registry.hold(at(3)).version(), TenantVersion::from_u64(3));
    }

    #[test]
    fn memory_is_bounded_by_letting_go_of_tenants() {
        let registry = Registry { max_tenants: 3, ..Registry::new() };
        for number in 0..10 {
            let tenant: TenantId = format!("t{number}").parse().unwrap();
            registry.hold(Snapshot::new(tenant, TenantVersion::default(), []));
        }
        assert_eq!(registry.tenants.load().len(), 3);
        assert!(registry.snapshot(&"t9".parse().unwrap()).is_some());
    }

    #[test]
    fn tenants_with_many_endpoints_take_the_room_of_many_tenants() {
        let registry = Registry { max_endpoints: 5, ..Registry::new() };
        for (tenant, endpoints) in [("a", 2), ("b", 3), ("c", 2), ("d", 9), ("e", 1)] {
            let tenant: TenantId = tenant.parse().unwrap();
            let endpoints =
                (0..endpoints).map(|n| Arc::new(endpoint(n, "https://a.example/", &["a"])));
            registry.hold(Snapshot::new(tenant, TenantVersion::default(), endpoints));
            let held = registry.tenants.load();
            let count: usize = held.values().map(|snapshot| snapshot.endpoints().len()).sum();
            assert!(count <= 5 || held.len() == 1, "{count} endpoints of {} tenants", held.len());
        }
        assert_eq!(
            registry.tenants.load().len(),
            1,
            "the last one, without the one that was too large"
        );
    }

    #[test]
    fn readers_see_whole_snapshots_while_writers_work() {
        let registry = Registry::new();
        std::thread::scope(|scope| {
            for writer in 0..4u128 {
                let registry = &registry;
                scope.spawn(move || {
                    for number in 0..50 {
                        registry.register(endpoint(
                            writer * 100 + number,
                            "https://a.example/",
                            &["a"],
                        ));
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut seen = 0;
                    while seen < 200 {
                        let now = wanting(&registry, "a").len();
                        assert!(now >= seen, "an endpoint vanished");
                        seen = now;
                    }
                });
            }
        });
    }
}
