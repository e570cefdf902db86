//! Listings that many statements, or many indexes, have a part in.

use std::{collections::BTreeSet, time::Duration};

use uuid::Uuid;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, Endpoint, EndpointId, Outcome, TenantId,
    Timestamp,
    store::{
        ClaimDue, DeliveryLog as _, DeliveryQuery, Enqueue, FanOut, Finish, Settle, Store as _,
        TrackedDeliveries as _,
    },
};
use webhook_store_seaorm::SeaOrmStore;

use crate::common::{event, place::Place, port};

const ENDPOINTS: u128 = 230;

fn endpoint(number: u128) -> EndpointId {
    EndpointId::from_uuid(Uuid::from_u128(number))
}

/// Two events for each of many endpoints, some of them claimed, some of those finished; and one that
/// is tracked.
async fn fill(store: &SeaOrmStore) -> BTreeSet<DeliveryId> {
    for number in 0..ENDPOINTS {
        let url = "https://a.example/".parse().unwrap();
        store.add_endpoint(Endpoint::new(endpoint(number), url)).await.unwrap();
    }
    let version = port(store).snapshot(&TenantId::default()).await.unwrap().version();
    let all = (0..ENDPOINTS).map(endpoint).collect::<Vec<_>>();
    let enqueue =
        |number| Enqueue::routed(event(number), FanOut::pending(version, all.iter().copied()));
    store.enqueue(vec![enqueue(1), enqueue(2)]).await.unwrap();
    let ask = ClaimDue::new(50, Duration::from_secs(60));
    let claims = store.claim_due(ask).await.unwrap().claims;
    let finish = claims.iter().take(20).map(|claim| {
        let attempt = Attempt::record(1, Timestamp::default(), Duration::ZERO, &Outcome::Unknown);
        Finish::new(claim.lease, vec![attempt], 1, Settle::Success)
    });
    store.finish(finish.collect()).await.unwrap();
    let tracked = DeliveryId::new(event(3).id, endpoint(ENDPOINTS));
    let url = "https://a.example/".parse().unwrap();
    let (tenant, event_type) = (event(3).tenant, event(3).event_type);
    let delivery = Delivery::new(tracked, tenant, event_type, url, Timestamp::default());
    store.open_tracked(&event(3), delivery).await.unwrap();
    let ids = all.iter().flat_map(|id| [1, 2].map(|number| DeliveryId::new(event(number).id, *id)));
    ids.chain([tracked]).collect()
}

/// All pages of a listing.
async fn pages(store: &SeaOrmStore, query: DeliveryQuery) -> Vec<Delivery> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let next = cursor.map_or(query.clone(), |cursor| query.clone().after(cursor));
        let page = store.deliveries(next).await.unwrap();
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
    }
}

pub async fn a_listing_goes_through_any_number_of_endpoints_and_statuses(place: &Place) {
    let store = place.open().await;
    let expected = fill(&store).await;
    let everybody = DeliveryQuery::new().limit(37);
    let listed = pages(&store, everybody.clone()).await;
    assert!(listed.is_sorted_by_key(|it| std::cmp::Reverse((it.created_at, it.id))));
    assert_eq!(listed.len(), expected.len(), "each is listed once");
    assert_eq!(listed.iter().map(|it| it.id).collect::<BTreeSet<_>>(), expected);
    assert_eq!(pages(&store, everybody.clone().tenant(TenantId::default())).await, listed);
    assert!(pages(&store, everybody.clone().tenant("other".parse().unwrap())).await.is_empty());
    for status in DeliveryStatus::ALL {
        let of_status: Vec<_> = listed.iter().filter(|it| it.status == status).cloned().collect();
        assert_eq!(pages(&store, everybody.clone().status(status)).await, of_status);
        let of_tenant = everybody.clone().tenant(TenantId::default()).status(status);
        assert_eq!(pages(&store, of_tenant).await, of_status, "of the tenant");
        let of_first = of_status.iter().filter(|it| it.id.endpoint == endpoint(0));
        let first = everybody.clone().endpoint(endpoint(0)).status(status);
        assert_eq!(pages(&store, first).await, of_first.cloned().collect::<Vec<_>>());
    }
}

/// More deliveries to one endpoint than are looked through at once, the first two of a rare type.
async fn fill_one(store: &SeaOrmStore) {
    const COUNT: u128 = DeliveryQuery::MAX_LOOKED_AT as u128 + 1_500;
    let url = "https://a.example/".parse().unwrap();
    let new = Endpoint::new(endpoint(0), url).with_max_in_flight(1_000);
    store.add_endpoint(new).await.unwrap();
    let version = port(store).snapshot(&TenantId::default()).await.unwrap().version();
    let enqueue = |number: u128| {
        let mut event = event(number);
        if number < 2 {
            event.event_type = "rare.one".parse().unwrap();
        }
        Enqueue::routed(event, FanOut::pending(version, [endpoint(0)]))
    };
    for from in (0..COUNT).step_by(500) {
        store.enqueue((from..from + 500).map(enqueue).collect()).await.unwrap();
    }
}

pub async fn stats_are_of_the_newest_where_there_is_much(place: &Place) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let store = place.open().await;
    fill_one(&store).await;
    loop {
        let ask = ClaimDue::new(500, Duration::from_secs(60));
        let claims = store.claim_due(ask).await.unwrap().claims;
        if claims.is_empty() {
            break;
        }
        let finish = claims.iter().map(|claim| {
            let outcome = Outcome::Unknown;
            let attempt = Attempt::record(1, Timestamp::default(), Duration::ZERO, &outcome);
            Finish::new(claim.lease, vec![attempt], 1, Settle::Failed)
        });
        store.finish(finish.collect()).await.unwrap();
    }
    let stats = store.endpoint_stats(endpoint(0), DAY).await.unwrap();
    assert!(stats.is_capped(), "{stats:?}");
    assert_eq!(stats.deliveries[&DeliveryStatus::Failed], 10_000, "as many as are counted");
    assert_eq!(stats.attempts, 10_000, "of these, and of no others");
}

pub async fn a_page_of_a_rare_type_looks_through_a_bounded_number(place: &Place) {
    let store = place.open().await;
    fill_one(&store).await;
    let rare = DeliveryQuery::new().types(["rare.*".parse().unwrap()]);
    let first = store.deliveries(rare.clone()).await.unwrap();
    assert!(first.items.is_empty() && first.next.is_some(), "what is newer is all it has seen");
    let found = pages(&store, rare).await;
    let expected = [1, 0].map(|number| DeliveryId::new(event(number).id, endpoint(0)));
    assert_eq!(found.iter().map(|it| it.id).collect::<Vec<_>>(), expected);
}

/// Claims what is due and gives it back to be tried again, for ever.
async fn churn(store: SeaOrmStore) {
    loop {
        let ask = ClaimDue::new(100, Duration::from_secs(60));
        let claims = store.claim_due(ask).await.unwrap().claims;
        let attempt = Attempt::record(1, Timestamp::default(), Duration::ZERO, &Outcome::Unknown);
        let again =
            |lease| Finish::new(lease, vec![attempt.clone()], 1, Settle::Retry(Duration::ZERO));
        let finishes = claims.iter().map(|claim| again(claim.lease)).collect();
        store.finish(finishes).await.unwrap();
    }
}

pub async fn a_listing_misses_nothing_that_is_claimed_and_tried_again_meanwhile(place: &Place) {
    let store = place.open().await;
    let expected = fill(&store).await;
    let churning = tokio::spawn(churn(place.open().await));
    for _ in 0..25 {
        let page = store.deliveries(DeliveryQuery::new().limit(1000)).await.unwrap();
        let listed: BTreeSet<_> = page.items.iter().map(|it| it.id).collect();
        assert_eq!(listed.len(), page.items.len(), "each is listed once");
        assert_eq!(expected.difference(&listed).count(), 0, "all are listed");
    }
    assert!(!churning.is_finished());
    churning.abort();
}
