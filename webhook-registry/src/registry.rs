//! The registry: which endpoints want an event, per tenant and event type.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use webhook_core::{
    Endpoint, EndpointUrl, EventFilter, EventType, TenantId,
    store::{RoutingEntry, Snapshot, TenantVersion},
};

type Tenants = BTreeMap<TenantId, Arc<TenantEntry>>;

/// Endpoints of a tenant, in the order of their registration, and the snapshot that finds them.
#[derive(Debug)]
struct TenantEntry {
    snapshot: Arc<Snapshot>,
    endpoints: Vec<Arc<Endpoint>>,
}

impl TenantEntry {
    fn new(tenant: TenantId, version: TenantVersion, endpoints: Vec<Arc<Endpoint>>) -> Self {
        let entries = endpoints.iter().map(|endpoint| RoutingEntry::of(endpoint));
        let snapshot = Arc::new(Snapshot::new(tenant, version, entries));
        Self { snapshot, endpoints }
    }
}

/// Endpoints in memory, by tenant, for programs that send within a call and keep no store.
///
/// The endpoints of a tenant are an immutable snapshot: readers take the current one and never
/// wait, even during an edit.
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
#[derive(Debug, Default)]
pub struct Registry(ArcSwap<Tenants>);

impl Registry {
    /// Creates an empty registry.
    pub fn new() -> Self {
        Self::default()
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
        let tenants = self.0.load();
        let Some(entry) = tenants.get(tenant) else { return Vec::new() };
        let by_id: BTreeMap<_, _> = entry.endpoints.iter().map(|it| (it.id, it)).collect();
        let wanting = entry.snapshot.wanting(event_type);
        wanting.filter_map(|found| by_id.get(&found.id).map(|it| Arc::clone(it))).collect()
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
        self.0.load().get(tenant).map(|entry| Arc::clone(&entry.snapshot))
    }

    fn edit(
        &self,
        tenant: &TenantId,
        mut change: impl FnMut(&[Arc<Endpoint>]) -> Vec<Arc<Endpoint>>,
    ) {
        self.0.rcu(|tenants| {
            let mut tenants = Tenants::clone(tenants);
            let (version, endpoints) = match tenants.get(tenant) {
                Some(held) => (held.snapshot.version().next(), change(&held.endpoints)),
                None => (TenantVersion::default().next(), change(&[])),
            };
            let entry = TenantEntry::new(tenant.clone(), version, endpoints);
            tenants.insert(tenant.clone(), Arc::new(entry));
            tenants
        });
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
