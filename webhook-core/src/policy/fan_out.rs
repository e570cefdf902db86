//! Fan-out: which endpoints get an event.
//!
//! [`fan_out`] is pure: the publisher's process and a dispatcher that routes an outbox event later
//! come to the same answer from the same snapshot.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    model::{
        endpoint::Endpoint,
        event::EventType,
        id::{TenantId, TenantVersion},
    },
    port::store::deliveries::NewDelivery,
};

/// A tenant's endpoints as they were at one version, ready to route by. Immutable.
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
    /// Whether one of them is disabled: most tenants have none, and nothing to look for.
    any_disabled: bool,
}

impl Snapshot {
    /// The endpoints of `tenant` at `version`.
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

    /// Whose endpoints these are.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// How many edits of the tenant's endpoints it knows of.
    pub const fn version(&self) -> TenantVersion {
        self.version
    }

    /// All endpoints, in the order they were given.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// The endpoints that want events of this type, whatever their state.
    pub fn wanting(&self, event_type: &EventType) -> impl Iterator<Item = &Arc<Endpoint>> {
        let exact = self.by_type.get(event_type).into_iter().flatten();
        let by_pattern = self.by_pattern.iter().filter_map(|&at| self.endpoints.get(at));
        exact
            .filter_map(|&at| self.endpoints.get(at))
            .chain(by_pattern.filter(|endpoint| endpoint.wants(event_type)))
    }

    /// The endpoints that get an event of this type: those that want it, unless they are disabled.
    /// Each once, in the order of their ids, so that two processes write rows in the same order.
    pub fn routed(&self, event_type: &EventType) -> Vec<&Arc<Endpoint>> {
        self.each_once(event_type, true)
    }

    /// The endpoints that miss an event of this type: those that want it and are disabled. Each once,
    /// in the order of their ids.
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

/// The types an endpoint names, each once; `None` when one of its filters is a pattern.
fn exact_types(endpoint: &Endpoint) -> Option<Vec<EventType>> {
    let mut types =
        endpoint.filters.iter().map(|filter| filter.exact()).collect::<Option<Vec<_>>>()?;
    types.sort();
    types.dedup();
    Some(types)
}

/// The deliveries that an event of this type gets: one pending for each endpoint of
/// [`Snapshot::routed`], one missed for each of [`Snapshot::missing`].
pub fn fan_out(snapshot: &Snapshot, event_type: &EventType) -> Vec<NewDelivery> {
    let pending = snapshot.routed(event_type).into_iter().map(|it| NewDelivery::pending(it.id));
    let missed = snapshot.missing(event_type).into_iter().map(|it| NewDelivery::missed(it.id));
    pending.chain(missed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        endpoint::{DisabledReason, EndpointState},
        id::EndpointId,
    };
    use proptest::prelude::*;
    use uuid::Uuid;

    fn endpoint(number: u128, filters: &[&str]) -> Arc<Endpoint> {
        let id = EndpointId::from_uuid(Uuid::from_u128(number));
        let filters = filters.iter().map(|filter| filter.parse().unwrap());
        Arc::new(Endpoint::new(id, "https://a.example/".parse().unwrap()).with_filters(filters))
    }

    fn snapshot(endpoints: Vec<Arc<Endpoint>>) -> Snapshot {
        Snapshot::new(TenantId::default(), TenantVersion::default(), endpoints)
    }

    fn routed(snapshot: &Snapshot, event_type: &str) -> Vec<u128> {
        fan_out(snapshot, &event_type.parse().unwrap())
            .into_iter()
            .filter(|new| !new.missed)
            .map(|new| new.endpoint.as_uuid().as_u128())
            .collect()
    }

    #[test]
    fn an_event_reaches_each_endpoint_that_wants_it_once() {
        let all = snapshot(vec![
            endpoint(3, &["invoice.paid", "invoice.*", "**"]),
            endpoint(1, &["invoice.paid", "invoice.paid"]),
            endpoint(2, &["invoice.sent"]),
            endpoint(4, &["user.**"]),
        ]);
        assert_eq!(routed(&all, "invoice.paid"), [1, 3]);
        assert_eq!(routed(&all, "invoice.sent"), [2, 3]);
        assert_eq!(routed(&all, "user.made.up"), [3, 4]);
        assert_eq!(routed(&snapshot(vec![]), "user.made.up"), []);
    }

    #[test]
    fn a_paused_endpoint_is_routed_to_and_a_disabled_one_misses_what_it_wants() {
        let with_state = |number, state| {
            let plain = Arc::unwrap_or_clone(endpoint(number, &["**"]));
            Arc::new(plain.with_state(state))
        };
        let all = snapshot(vec![
            with_state(1, EndpointState::Active),
            with_state(2, EndpointState::Paused),
            with_state(3, EndpointState::Disabled(DisabledReason::Gone)),
            with_state(4, EndpointState::Disabled(DisabledReason::ByHand)),
        ]);
        assert_eq!(routed(&all, "a"), [1, 2]);
        let missed = fan_out(&all, &"a".parse().unwrap()).into_iter().filter(|new| new.missed);
        let missed: Vec<_> = missed.map(|new| new.endpoint.as_uuid().as_u128()).collect();
        assert_eq!(missed, [3, 4]);
    }

    #[test]
    fn an_endpoint_that_names_its_types_is_found_by_look_up_alone() {
        let all = snapshot(vec![endpoint(2, &["a", "b", "a"]), endpoint(1, &["a", "b.*"])]);
        let ids: Vec<_> = all.endpoints().iter().map(|it| it.id.as_uuid().as_u128()).collect();
        assert_eq!((ids, &*all.by_pattern), (vec![2, 1], &[1][..]));
        assert_eq!(all.by_type.into_values().collect::<Vec<_>>(), [[0], [0]]);
    }

    proptest! {
        #[test]
        fn the_index_finds_what_trying_each_filter_finds(
            filters in prop::collection::vec(prop::collection::vec("(a|b|\\*)(\\.(a|b|\\*)){0,2}(\\.\\*\\*)?", 1..3), 0..8),
            event_type in "(a|b)(\\.(a|b)){0,3}",
        ) {
            let event_type: EventType = event_type.parse().unwrap();
            let endpoints: Vec<_> = (0..).zip(&filters).map(|(number, filters)| {
                endpoint(number, &filters.iter().map(String::as_str).collect::<Vec<_>>())
            }).collect();
            let expected: Vec<_> = endpoints.iter().filter(|e| e.wants(&event_type)).map(|e| e.id).collect();
            let found = fan_out(&snapshot(endpoints), &event_type);
            prop_assert_eq!(found.iter().map(|new| new.endpoint).collect::<Vec<_>>(), expected);
        }
    }
}
