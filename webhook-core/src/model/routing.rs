//! Snapshots of a tenant's endpoints, indexed by event type.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    endpoint::Endpoint,
    endpoint_state::EndpointState,
    event::EventType,
    filter::EventFilter,
    id::{EndpointId, Revision, TenantId, TenantVersion},
    order::OrderPolicy,
};

/// Part of an endpoint that routing reads. It holds no secret.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RoutingEntry {
    /// Identifies the endpoint.
    pub id: EndpointId,
    /// Event types that the endpoint receives; one match is enough.
    pub filters: Vec<EventFilter>,
    /// State of the endpoint.
    pub state: EndpointState,
    /// Order of the endpoint's deliveries.
    pub order: Option<OrderPolicy>,
    /// Revision of the endpoint.
    pub revision: Revision,
}

impl RoutingEntry {
    /// Creates the entry of an active endpoint without order, at revision 0.
    pub const fn new(id: EndpointId, filters: Vec<EventFilter>) -> Self {
        let (state, revision) = (EndpointState::Active, Revision::from_u64(0));
        Self { id, filters, state, order: None, revision }
    }

    /// Creates the entry of an endpoint.
    pub fn of(endpoint: &Endpoint) -> Self {
        Self {
            id: endpoint.id,
            filters: endpoint.filters.clone(),
            state: endpoint.state,
            order: endpoint.order,
            revision: endpoint.revision,
        }
    }

    /// Sets the state.
    #[must_use]
    pub const fn with_state(mut self, state: EndpointState) -> Self {
        self.state = state;
        self
    }

    /// Sets the order.
    #[must_use]
    pub const fn with_order(mut self, order: Option<OrderPolicy>) -> Self {
        self.order = order;
        self
    }

    /// Sets the revision.
    #[must_use]
    pub const fn with_revision(mut self, revision: Revision) -> Self {
        self.revision = revision;
        self
    }

    /// Returns true if a filter matches this type.
    pub fn wants(&self, event_type: &EventType) -> bool {
        self.filters.iter().any(|filter| filter.matches(event_type))
    }

    /// Event types that the filters name, each once; `None` if a filter is a pattern.
    fn exact_types(&self) -> Option<BTreeSet<EventType>> {
        self.filters.iter().map(EventFilter::exact).collect()
    }
}

/// Endpoints of a tenant at one version, indexed by event type. Immutable.
///
/// Exact filters are found by look-up, wildcards by trying each: ten thousand endpoints that name
/// their types cost one look-up per event.
#[derive(Clone, Debug)]
pub struct Snapshot {
    tenant: TenantId,
    version: TenantVersion,
    entries: Vec<RoutingEntry>,
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
        entries: impl IntoIterator<Item = RoutingEntry>,
    ) -> Self {
        let entries: Vec<_> = entries.into_iter().collect();
        let mut by_type = BTreeMap::<_, Vec<_>>::new();
        let mut by_pattern = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            match entry.exact_types() {
                Some(types) => {
                    types.into_iter().for_each(|name| by_type.entry(name).or_default().push(at));
                }
                None => by_pattern.push(at),
            }
        }
        let any_disabled = entries.iter().any(|entry| !entry.state.is_routed());
        Self { tenant, version, entries, by_type, by_pattern, any_disabled }
    }

    /// Creates the snapshot at `version`, after these entries were added or replaced, and those
    /// endpoints removed.
    #[must_use]
    pub fn changed(
        &self,
        version: TenantVersion,
        entries: Vec<RoutingEntry>,
        removed: &[EndpointId],
    ) -> Self {
        let mut by_id: BTreeMap<_, _> =
            self.entries.iter().map(|entry| (entry.id, entry.clone())).collect();
        removed.iter().for_each(|id| drop(by_id.remove(id)));
        by_id.extend(entries.into_iter().map(|entry| (entry.id, entry)));
        Self::new(self.tenant.clone(), version, by_id.into_values())
    }

    /// Tenant of these endpoints.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Number of edits of the tenant's endpoints that the snapshot includes.
    pub const fn version(&self) -> TenantVersion {
        self.version
    }

    /// Entries of all endpoints, in the order of the constructor's argument.
    pub fn entries(&self) -> &[RoutingEntry] {
        &self.entries
    }

    /// Endpoints with a filter for this type, in any state.
    pub fn wanting(&self, event_type: &EventType) -> impl Iterator<Item = &RoutingEntry> {
        let exact = self.by_type.get(event_type).into_iter().flatten();
        let by_pattern = self.by_pattern.iter().filter_map(|&at| self.entries.get(at));
        exact
            .filter_map(|&at| self.entries.get(at))
            .chain(by_pattern.filter(|endpoint| endpoint.wants(event_type)))
    }

    /// Endpoints that receive an event of this type: those with a filter for it that are not
    /// disabled. Each once, sorted by id, so that two processes write rows in the same order.
    pub fn routed(&self, event_type: &EventType) -> Vec<&RoutingEntry> {
        self.each_once(event_type, true)
    }

    /// Endpoints that miss an event of this type: those with a filter for it that are disabled. Each
    /// once, sorted by id.
    pub fn missing(&self, event_type: &EventType) -> Vec<&RoutingEntry> {
        if self.any_disabled { self.each_once(event_type, false) } else { Vec::new() }
    }

    fn each_once(&self, event_type: &EventType, routed: bool) -> Vec<&RoutingEntry> {
        let wanting = self.wanting(event_type);
        let mut some: Vec<_> =
            wanting.filter(|endpoint| endpoint.state.is_routed() == routed).collect();
        some.sort_unstable_by_key(|endpoint| endpoint.id);
        some.dedup_by_key(|endpoint| endpoint.id);
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(number: u128) -> EndpointId {
        EndpointId::from_uuid(Uuid::from_u128(number))
    }

    fn entry(number: u128, filters: &[&str]) -> RoutingEntry {
        RoutingEntry::new(id(number), filters.iter().map(|it| it.parse().unwrap()).collect())
    }

    fn snapshot(entries: Vec<RoutingEntry>) -> Snapshot {
        Snapshot::new(TenantId::default(), TenantVersion::default(), entries)
    }

    #[test]
    fn an_endpoint_that_names_its_types_is_found_by_look_up_alone() {
        let all = snapshot(vec![entry(2, &["a", "b", "a"]), entry(1, &["a", "b.*"])]);
        let ids: Vec<_> = all.entries().iter().map(|it| it.id.as_uuid().as_u128()).collect();
        assert_eq!((ids, &*all.by_pattern), (vec![2, 1], &[1][..]));
        assert_eq!(all.by_type.into_values().collect::<Vec<_>>(), [[0], [0]]);
    }

    #[test]
    fn a_difference_adds_replaces_and_removes() {
        let old = snapshot(vec![entry(1, &["a"]), entry(2, &["a"]), entry(3, &["a"])]);
        let version = TenantVersion::from_u64(7);
        let new = old.changed(version, vec![entry(2, &["b"]), entry(4, &["a"])], &[id(1)]);
        let expected = [entry(2, &["b"]), entry(3, &["a"]), entry(4, &["a"])];
        assert_eq!((new.version(), new.entries()), (version, &expected[..]));
    }
}
