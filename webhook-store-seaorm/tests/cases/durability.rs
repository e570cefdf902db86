//! What survives: other writers, dropped calls, a restart.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, DisabledReason, EndpointState, Outcome,
    TenantId, Timestamp,
    store::{
        ClaimDue, DeliveryLog as _, DeliveryQuery, Enqueue, Enqueued, Finish, Finished, Settle,
        Store as _, TrackedDeliveries as _,
    },
};
use webhook_store_seaorm::SeaOrmStore;

use crate::common::{
    add_endpoint,
    cut::{Cut, narrow},
    endpoint, enqueue, event,
    place::Place,
};

const MINUTE: Duration = Duration::from_secs(60);

pub async fn what_was_answered_is_there_after_a_restart(place: &Place) {
    let store = place.open().await;
    let version = add_endpoint(&store).await;
    assert_eq!(store.enqueue(vec![enqueue(1, version)]).await.unwrap(), [Enqueued::Routed(1)]);
    store.close().await;
    assert!(store.backlog().await.is_err(), "it was closed");
    let again = SeaOrmStore::connect(&place.url).await.unwrap();
    assert_eq!(again.event(event(1).id).await.unwrap().as_deref(), Some(&event(1)));
    let claimed = again.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap();
    assert_eq!(claimed.claims.len(), 1);
}

pub async fn programs_that_write_at_once_lose_nothing_and_claim_nothing_twice(place: &Place) {
    let stores = [place.open().await, place.open().await];
    let version = add_endpoint(&stores[0]).await;
    let mut writers = tokio::task::JoinSet::new();
    for (part, store) in
        (0..).zip(&stores).flat_map(|(n, store)| [(2 * n, store), (2 * n + 1, store)])
    {
        let store = store.clone();
        writers.spawn(async move {
            let mut claimed = Vec::new();
            for number in 0..20 {
                store.enqueue(vec![enqueue(part * 100 + number, version)]).await.unwrap();
                let claims = store.claim_due(ClaimDue::new(2, MINUTE)).await.unwrap().claims;
                claimed.extend(claims.into_iter().map(|claim| claim.lease.delivery));
            }
            claimed
        });
    }
    let mut claimed: Vec<DeliveryId> = writers.join_all().await.into_iter().flatten().collect();
    let rest = stores[1].claim_due(ClaimDue::new(1000, MINUTE)).await.unwrap().claims;
    claimed.extend(rest.into_iter().map(|claim| claim.lease.delivery));
    assert_eq!(claimed.len(), 80);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 80, "a delivery was claimed twice");
}

/// Whoever waits until nothing is left must not take a moment between two states for the end.
pub async fn work_that_is_claimed_meanwhile_is_never_out_of_sight(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    let version = add_endpoint(&store).await;
    store.enqueue(vec![enqueue(1, version)]).await.unwrap();
    let juggler = tokio::spawn(async move {
        loop {
            let claims = other.claim_due(ClaimDue::new(1, MINUTE)).await.unwrap().claims;
            other.release(claims.iter().map(|claim| claim.lease).collect()).await.unwrap();
        }
    });
    for _ in 0..200 {
        let left = store.backlog().await.unwrap();
        assert!(left.in_flight > 0 || left.next_due.is_some(), "{left:?}");
        assert_eq!(left.in_flight + left.pending, 1, "{left:?}");
    }
    juggler.abort();
}

/// What `read` finds, as soon as it finds something: a dropped call may not have begun yet.
async fn awaited<T>(read: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < MINUTE {
        if let Some(found) = read().await {
            return found;
        }
    }
    panic!("the work did not go on without its caller");
}

pub async fn a_call_dropped_at_any_point_is_done_wholly_and_leaves_no_transaction_open(
    place: &Place,
) {
    let other = place.open().await;
    let store = narrow(place).await;
    let version = add_endpoint(&store).await;
    for times in 1..40 {
        let number = times as u128;
        let id = DeliveryId::new(event(number).id, endpoint());
        Cut::InTurn(times).short(store.enqueue(vec![enqueue(number, version)])).await;
        awaited(async || store.event(id.event).await.unwrap()).await;
        assert!(store.delivery(id).await.unwrap().is_some(), "half of it, after {times}");
        // Somebody else sees it, and can write: no transaction was left behind.
        assert!(other.event(id.event).await.unwrap().is_some(), "not committed, after {times}");
        other.enqueue(vec![enqueue(1000 + number, version)]).await.unwrap();
    }
}

pub async fn a_dropped_claim_holds_its_lease_as_if_its_caller_had_died(place: &Place) {
    place.open().await.close().await;
    let store = narrow(place).await;
    let version = add_endpoint(&store).await;
    for times in 1..30 {
        let number = times as u128;
        let id = DeliveryId::new(event(number).id, endpoint());
        store.enqueue(vec![enqueue(number, version)]).await.unwrap();
        Cut::InTurn(times).short(store.claim_due(ClaimDue::new(10, MINUTE))).await;
        let claimed = async || {
            let delivery = store.delivery(id).await.unwrap().unwrap();
            (delivery.status == DeliveryStatus::InFlight).then_some(delivery)
        };
        assert_eq!(awaited(claimed).await.attempts, 1, "after {times}");
    }
}

pub async fn an_endpoint_removed_half_way_is_removed_wholly_by_a_second_call(place: &Place) {
    let store = place.open().await;
    let version = add_endpoint(&store).await;
    let (tenant, id) = (TenantId::default(), DeliveryId::new(event(1).id, endpoint()));
    store.enqueue(vec![enqueue(1, version)]).await.unwrap();
    place.sql("UPDATE webhook_endpoints SET removed_at = 1").await;
    assert!(store.remove_endpoint(&tenant, endpoint()).await.unwrap());
    let delivery = store.delivery(id).await.unwrap().unwrap();
    assert_eq!(delivery.status, DeliveryStatus::Cancelled);
    assert!(!store.remove_endpoint(&tenant, endpoint()).await.unwrap(), "nothing was left");
}

pub async fn what_was_stored_for_an_endpoint_that_goes_is_cancelled_by_the_next_claim(
    place: &Place,
) {
    let store = place.open().await;
    let version = add_endpoint(&store).await;
    let id = DeliveryId::new(event(1).id, endpoint());
    store.enqueue(vec![enqueue(1, version)]).await.unwrap();
    // As if the publisher had read the version before the removal, and committed after it.
    place.sql("UPDATE webhook_endpoints SET removed_at = 1").await;
    let claimed = store.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap();
    assert!(claimed.claims.is_empty());
    assert_eq!(claimed.next_due, None);
    let delivery = store.delivery(id).await.unwrap().unwrap();
    assert_eq!(delivery.status, DeliveryStatus::Cancelled);
}

pub async fn an_endpoint_with_more_deliveries_than_one_unit_may_change_is_removed_wholly(
    place: &Place,
) {
    let store = place.open().await;
    let version = add_endpoint(&store).await;
    let many = (1..=1001).map(|number| enqueue(number, version)).collect();
    store.enqueue(many).await.unwrap();
    assert!(store.remove_endpoint(&TenantId::default(), endpoint()).await.unwrap());
    let pending = DeliveryQuery::new().status(DeliveryStatus::Pending);
    assert!(store.deliveries(pending).await.unwrap().items.is_empty());
}

pub async fn a_foreign_endpoint_has_no_deliveries_to_list(place: &Place) {
    let store = place.open().await;
    let version = add_endpoint(&store).await;
    store.enqueue(vec![enqueue(1, version)]).await.unwrap();
    let of =
        |tenant: &str| DeliveryQuery::new().tenant(tenant.parse().unwrap()).endpoint(endpoint());
    let (own, other) = (of(TenantId::default().as_str()), of("other"));
    assert_eq!(store.deliveries(own).await.unwrap().items.len(), 1);
    // Nothing is asked of its deliveries: this one would match.
    place.sql("UPDATE webhook_deliveries SET tenant = 'other'").await;
    assert!(store.deliveries(other).await.unwrap().items.is_empty());
}

pub async fn a_tracked_event_under_a_taken_key_is_recorded_without_it(place: &Place) {
    let store = place.open().await;
    let keyed = |number| event(number).with_key("order-7".parse().ok());
    store.enqueue(vec![Enqueue::unrouted(keyed(1))]).await.unwrap();
    let id = DeliveryId::new(event(2).id, endpoint());
    let url = "https://a.example/hooks".parse().unwrap();
    let tracked =
        Delivery::new(id, keyed(2).tenant, keyed(2).event_type, url, Timestamp::default());
    assert_eq!(store.open_tracked(&keyed(2), tracked).await.unwrap(), 0);
    assert_eq!(store.event(event(2).id).await.unwrap().unwrap().key, None);
    let again = store.enqueue(vec![Enqueue::unrouted(keyed(3))]).await.unwrap();
    assert_eq!(again, [Enqueued::Duplicate(event(1).id)], "the key stays the first one's");
}

/// Finishes that disable, and edits, all of one endpoint and tenant. Where two wait for each other,
/// the server fails one of them, and its unit runs again.
pub async fn edits_and_finishes_at_once_do_not_wait_in_a_circle(place: &Place) {
    let stores = [place.open().await, place.open().await];
    let version = add_endpoint(&stores[0]).await;
    stores[0].enqueue((0..40).map(|number| enqueue(number, version)).collect()).await.unwrap();
    let claims = stores[0].claim_due(ClaimDue::new(40, MINUTE)).await.unwrap().claims;
    let mut busy = tokio::task::JoinSet::new();
    for (claims, store) in claims.chunks(20).zip(stores.clone()) {
        let claims = claims.to_vec();
        busy.spawn(async move {
            for claim in claims {
                let attempt =
                    Attempt::record(1, Timestamp::default(), Duration::ZERO, &Outcome::Unknown);
                let finish = Finish::new(claim.lease, vec![attempt], 1, Settle::Failed)
                    .with_disabled_endpoint(Some(DisabledReason::Gone));
                assert_eq!(store.finish(vec![finish]).await.unwrap(), [Finished::Recorded]);
            }
        });
    }
    for store in stores.clone() {
        busy.spawn(async move {
            for _ in 0..20 {
                let endpoint =
                    store.endpoints(&[endpoint()]).await.unwrap().remove(0).unwrap().unwrap();
                let endpoint = endpoint.with_state(EndpointState::Active);
                store.update_endpoint(endpoint).await.unwrap();
            }
        });
    }
    busy.join_all().await;
    let again = stores.map(|store| store.runs_again());
    // A file of SQLite has one writer: there is nothing to wait for in a circle.
    assert!(place.is("sqlite") || again == [0, 0], "units ran again: {again:?}");
}
