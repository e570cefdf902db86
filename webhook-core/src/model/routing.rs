//! Snapshots of a tenant's endpoints, indexed by event type.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{
    endpoint::Endpoint,
    event::EventType,
    id::{TenantId, TenantVersion},
};

/// Endpoints of a tenant at one version, indexed by event type. Immutable.
///
/// Exact filters are found by look-up, wildcards by trying each: ten thousand endpoints that name
/// their types cost one look-up per event.
#[derive(Clone, Debug)]
pub struct Snapshot {
    tenant: TenantId,
    version: TenantVersion,
    endpoints: Vec<Arc<Endpoint>>,
    by_type: BTreeMap<EventType, Vec<usize>>,
    by_pattern: Vec<usize>,
    /// True if an endpoint is disabled. Most tenants have none, so that `missing` is free for them.
    any_disabled: bool,
}

impl Snapshot {
    /// Creates the snapshot of `tenant` at `version`.
    pub fn new(
        tenant: TenantId,
        version: TenantVersion,
        endpoints: impl IntoIterator<Item = Arc<Endpoint>>,
    ) -> Self {
        let endpoints: Vec<_> = endpoints.into_iter().collect();
        let mut by_type = BTreeMap::<_, Vec<_>>::new();
        let mut by_pattern = Vec::new();
        for (at, endpoint) in endpoints.iter().enumerate() {
            match exact_types(endpoint) {
                Some(types) => {
                    types.into_iter().for_each(|name| by_type.entry(name).or_default().push(at));
                }
                None => by_pattern.push(at),
            }
        }
        let any_disabled = endpoints.iter().any(|endpoint| !endpoint.state.is_routed());
        Self { tenant, version, endpoints, by_type, by_pattern, any_disabled }
    }

    /// Tenant of these endpoints.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Number of edits of the tenant's endpoints that the snapshot includes.
    pub const fn version(&self) -> TenantVersion {
        self.version
    }

    /// All endpoints, in the order of the constructor's argument.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Endpoints with a filter for this type, in any state.
    pub fn wanting(&self, event_type: &EventType) -> impl Iterator<Item = &Arc<Endpoint>> {
        let exact = self.by_type.get(event_type).into_iter().flatten();
        let by_pattern = self.by_pattern.iter().filter_map(|&at| self.endpoints.get(at));
        exact
            .filter_map(|&at| self.endpoints.get(at))
            .chain(by_pattern.filter(|endpoint| endpoint.wants(event_type)))
    }

    /// Endpoints that receive an event of this type: those with a filter for it that are not
    /// disabled. Each once, sorted by id, so that two processes write rows in the same order.
    pub fn routed(&self, event_type: &EventType) -> Vec<&Arc<Endpoint>> {
        self.each_once(event_type, true)
    }

    /// Endpoints that miss an event of this type: those with a filter for it that are disabled. Each
    /// once, sorted by id.
    pub fn missing(&self, event_type: &EventType) -> Vec<&Arc<Endpoint>> {
        if self.any_disabled { self.each_once(event_type, false) } else { Vec::new() }
    }

    fn each_once(&self, event_type: &EventType, routed: bool) -> Vec<&Arc<Endpoint>> {
        let wanting = self.wanting(event_type);
        let mut some: Vec<_> =
            wanting.filter(|endpoint| endpoint.state.is_routed() == routed).collect();
        some.sort_unstable_by_key(|endpoint| endpoint.id);
        some.dedup_by_key(|endpoint| endpoint.id);
        some
    }
}

/// Types that an endpoint names, each once; `None` if one of its filters is a pattern.
fn exact_types(endpoint: &Endpoint) -> Option<Vec<EventType>> {
    let mut types =
        endpoint.filters.iter().map(|filter| filter.exact()).collect::<Option<Vec<_>>>()?;
    types.sort();
    types.dedup();
    Some(types)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::EndpointId;
    use uuid::Uuid;

    fn endpoint(number: u128, filters: &[&str]) -> Arc<Endpoint> {
        let id = EndpointId::from_uuid(Uuid::from_u128(number));
        let filters = filters.iter().map(|filter| filter.parse().unwrap());
        Arc::new(Endpoint::new(id, "https://a.example/".parse().unwrap()).with_filters(filters))
    }

    fn snapshot(endpoints: Vec<Arc<Endpoint>>) -> Snapshot {
        Snapshot::new(TenantId::default(), TenantVersion::default(), endpoints)
    }

    #[test]
    fn an_endpoint_that_names_its_types_is_found_by_look_up_alone() {
        let all = snapshot(vec![endpoint(2, &["a", "b", "a"]), endpoint(1, &["a", "b.*"])]);
        let ids: Vec<_> = all.endpoints().iter().map(|it| it.id.as_uuid().as_u128()).collect();
        assert_eq!((ids, &*all.by_pattern), (vec![2, 1], &[1][..]));
        assert_eq!(all.by_type.into_values().collect::<Vec<_>>(), [[0], [0]]);
    }
}
