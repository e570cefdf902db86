//! Fan-out: which endpoints get an event.
//!
//! [`fan_out`] is pure: the publisher's process and a dispatcher that routes an outbox event later
//! come to the same answer from the same snapshot.

use crate::{
    model::{event::EventType, routing::Snapshot},
    port::store::intake::NewDelivery,
};

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
        endpoint_state::{DisabledReason, EndpointState},
        id::{EndpointId, TenantId, TenantVersion},
        routing::RoutingEntry,
    };
    use proptest::prelude::*;
    use uuid::Uuid;

    fn endpoint(number: u128, filters: &[&str]) -> RoutingEntry {
        let id = EndpointId::from_uuid(Uuid::from_u128(number));
        RoutingEntry::new(id, filters.iter().map(|filter| filter.parse().unwrap()).collect())
    }

    fn snapshot(endpoints: Vec<RoutingEntry>) -> Snapshot {
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
        let with_state = |number, state| endpoint(number, &["**"]).with_state(state);
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
