//! Every statement of the straight way finds its rows by an index, in an empty database and in one
//! that is full of finished work.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic here is the failed assertion"
)]

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Statement};
use uuid::Uuid;
use webhook_core::{
    Attempt, Delivery, DeliveryStatus, DisabledReason, Endpoint, EndpointId, Event, EventId,
    Include, OrderPolicy, Outcome, Replay, TenantId, Timestamp,
    store::{
        ClaimDue, DeliveryLog as _, DeliveryOperations as _, DeliveryQuery, EndpointDirectory as _,
        Enqueue, FanOut, Finish, Maintenance as _, Prune, PruneCursor, Redeliver, ReplayPage,
        Settle, Store, TrackedDeliveries as _,
    },
};

use crate::SeaOrmStore;

fn event(number: u128) -> Event {
    let id = EventId::from_uuid(Uuid::from_u128(number));
    let event = Event::new(id, "a.b".parse().unwrap(), Timestamp::default(), "{}");
    event.with_key(Some(format!("key-{number}").parse().unwrap()))
}

fn attempt(number: u32) -> Attempt {
    Attempt::record(number, Timestamp::default(), Duration::ZERO, &Outcome::Unknown)
}

fn port(store: &SeaOrmStore) -> &dyn Store {
    store
}

/// Calls everything once, so that every statement is logged.
async fn walk(store: &SeaOrmStore) {
    let endpoint = EndpointId::from_uuid(Uuid::from_u128(1));
    let url = "https://a.example/";
    store.add_endpoint(Endpoint::new(endpoint, url.parse().unwrap())).await.unwrap();
    let version = port(store).snapshot(&TenantId::default()).await.unwrap().version();
    let batch = [event(1), event(2)]
        .map(|event| Enqueue::routed(event, FanOut::pending(version, [endpoint])));
    store.enqueue(batch.into()).await.unwrap();
    store.enqueue(vec![Enqueue::unrouted(event(3))]).await.unwrap();
    let unrouted = store.claim_unrouted(10, Duration::from_secs(1)).await.unwrap();
    let route = webhook_core::store::Route::new(unrouted.events[0].id, version, vec![endpoint]);
    store.route(vec![route]).await.unwrap();
    let claimed = store.claim_due(ClaimDue::new(10, Duration::from_secs(1))).await.unwrap();
    let leases: Vec<_> = claimed.claims.iter().map(|claim| claim.lease).collect();
    store.release(vec![leases[0]]).await.unwrap();
    let finish = |lease, settle| Finish::new(lease, vec![attempt(1)], 1, settle);
    let retry = Settle::Retry(Duration::from_secs(1));
    let finishes = vec![
        finish(leases[1], Settle::Success),
        finish(leases[2], retry).with_disabled_endpoint(Some(DisabledReason::Gone)),
    ];
    store.finish(finishes).await.unwrap();
    read(store, leases[1].delivery, endpoint).await;
    order(store).await;
    track(store).await;
    store.cancel(vec![leases[0].delivery]).await.unwrap();
    let again = leases.iter().map(|lease| Redeliver::new(lease.delivery));
    store.redeliver(again.collect()).await.unwrap();
    replay(store, endpoint).await;
    prune(store).await;
    store.update_endpoint(Endpoint::new(endpoint, url.parse().unwrap())).await.unwrap();
    store.remove_endpoint(&TenantId::default(), endpoint).await.unwrap();
}

/// The same, with events that go one after the other.
async fn order(store: &SeaOrmStore) {
    let endpoint = EndpointId::from_uuid(Uuid::from_u128(2));
    let added = Endpoint::new(endpoint, "https://b.example/".parse().unwrap());
    store.add_endpoint(added.with_order(Some(OrderPolicy::Block))).await.unwrap();
    let ordered = |number| event(number).with_ordering_key("order-17".parse().ok());
    store.enqueue(vec![Enqueue::unrouted(ordered(11))]).await.unwrap();
    let unrouted = store.claim_unrouted(10, Duration::from_secs(1)).await.unwrap();
    let version = port(store).snapshot(&TenantId::default()).await.unwrap().version();
    let route = webhook_core::store::Route::new(unrouted.events[0].id, version, vec![endpoint]);
    store.route(vec![route]).await.unwrap();
    let batch =
        [12, 13].map(|it| Enqueue::routed(ordered(it), FanOut::pending(version, [endpoint])));
    store.enqueue(batch.into()).await.unwrap();
    let claimed = store.claim_due(ClaimDue::new(10, Duration::from_secs(1))).await.unwrap();
    let first = claimed.claims.iter().find(|claim| claim.lease.delivery.endpoint == endpoint);
    let lease = first.unwrap().lease;
    let finish = Finish::new(lease, vec![], 1, Settle::Success).with_ordered(true);
    store.finish(vec![finish]).await.unwrap();
    store.first_in_line(lease.delivery).await.unwrap();
    store.redeliver(vec![Redeliver::new(lease.delivery)]).await.unwrap();
    store.skip(vec![lease.delivery]).await.unwrap();
    store.cancel(vec![lease.delivery]).await.unwrap();
    for order in [Some(OrderPolicy::Skip), None] {
        let stored = store.endpoints(&[endpoint]).await.unwrap().remove(0).unwrap().unwrap();
        store.update_endpoint(stored.with_order(order)).await.unwrap();
    }
}

async fn read(store: &SeaOrmStore, id: webhook_core::DeliveryId, endpoint: EndpointId) {
    store.backlog().await.unwrap();
    store.status().await.unwrap();
    store.tenants(None, 100).await.unwrap();
    store.endpoints(&[endpoint]).await.unwrap();
    store.event(id.event).await.unwrap();
    let delivery = store.delivery(id).await.unwrap().unwrap();
    store.attempts(id).await.unwrap();
    let cursor = webhook_core::store::Cursor::after(&delivery);
    let all = DeliveryQuery::new;
    for query in [
        all(),
        all().tenant(TenantId::default()),
        all().event(id.event),
        all().endpoint(endpoint),
        all().status(DeliveryStatus::Failed),
        all().status(DeliveryStatus::InFlight),
        all().tenant(TenantId::default()).status(DeliveryStatus::Failed),
        all().endpoint(endpoint).since(Timestamp::default()).until(Timestamp::default()),
    ] {
        store.deliveries(query.clone()).await.unwrap();
        store.deliveries(query.after(cursor)).await.unwrap();
    }
}

/// A page, and one behind it.
async fn replay(store: &SeaOrmStore, endpoint: EndpointId) {
    let first = ReplayPage::first(Replay::new(endpoint, Include::All));
    let mut behind = first.clone();
    behind.cursor.after = Some((Timestamp::default(), EventId::from_uuid(Uuid::nil())));
    for page in [first, behind] {
        store.replay(page.clone()).await.unwrap();
        store.replay(page.dry_run()).await.unwrap();
    }
}

/// Every page of it, and the pages behind.
async fn prune(store: &SeaOrmStore) {
    let id = webhook_core::DeliveryId::new(
        EventId::from_uuid(Uuid::nil()),
        EndpointId::from_uuid(Uuid::nil()),
    );
    let first = Timestamp::default();
    let cursor = webhook_core::store::Cursor::new(first, id);
    for prune in [Prune::older_than(Duration::ZERO), Prune::older_than(Duration::ZERO).dry_run()] {
        for cursor in [
            PruneCursor::default(),
            PruneCursor::Deliveries(DeliveryStatus::Success, Some(cursor)),
            PruneCursor::Events(None),
            PruneCursor::Events(Some((first, id.event))),
            PruneCursor::Endpoints(None),
            PruneCursor::Endpoints(Some(id.endpoint)),
        ] {
            store.prune(prune.after(cursor)).await.unwrap();
        }
    }
}

async fn track(store: &SeaOrmStore) {
    let event = event(9);
    let id = webhook_core::DeliveryId::new(event.id, EndpointId::from_uuid(Uuid::from_u128(9)));
    let url = "https://a.example/".parse().unwrap();
    let now = Timestamp::default();
    let delivery = Delivery::new(id, event.tenant.clone(), event.event_type.clone(), url, now);
    store.open_tracked(&event, delivery).await.unwrap();
    store.record_tracked(id, attempt(1), DeliveryStatus::Success).await.unwrap();
}

/// The lines of the plan of a statement.
async fn plan(store: &SeaOrmStore, sql: &str) -> Vec<String> {
    let backend = store.inner.database.sql.dialect.backend();
    let explain = Statement::from_string(backend, format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = store.inner.database.pools.writer().query_all_raw(explain).await.unwrap();
    rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect()
}

/// Whether a step of a plan reads more than it must.
fn is_slow(sql: &str, step: &str) -> bool {
    const GROWING: [&str; 6] = [
        "d",
        "l",
        "webhook_deliveries",
        "webhook_ordered_deliveries",
        "webhook_events",
        "webhook_attempts",
    ];
    let scanned = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
    let grows = scanned.is_some_and(|name| GROWING.contains(&name));
    // Open work alone is in these.
    let open = ["_deliveries_open", "_deliveries_in_flight", "_events_unrouted"]
        .iter()
        .any(|index| step.contains(index));
    // A page or two may be put in order: what five parts of a listing have found, the deliveries of
    // one event, the endpoints of one tenant, the deliveries of a batch,
    // the endpoints that fail, what is in flight.
    let few = [
        "d.status = 'in_flight'",
        "UNION ALL",
        "d.event_id = ? ",
        "e.tenant = t.id",
        "IN (VALUES ",
        "AS oldest FROM",
    ];
    let few = few.iter().any(|it| sql.contains(it));
    let sorts = step.contains("USE TEMP B-TREE FOR ORDER BY");
    grows && !open || sorts && !few
}

async fn check(store: &SeaOrmStore) {
    let logged = store.inner.database.sql.logged.lock().unwrap().clone();
    let mut bad = Vec::new();
    for sql in &logged {
        let plan = plan(store, sql).await;
        if plan.iter().any(|step| is_slow(sql, step)) {
            bad.push(format!("{sql}\n  {}", plan.join("\n  ")));
        }
    }
    assert!(logged.len() > 30, "{} statements", logged.len());
    assert!(bad.is_empty(), "{}", bad.join("\n\n"));
}

/// Finished work of one endpoint, and what the planner learns from it.
const FULL: [&str; 4] = [
    "INSERT INTO webhook_events (id, tenant, event_type, occurred_at, content_type, body, created_at) \
     WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000) \
     SELECT randomblob(16), 'default', 'a.b', n, 'a/b', x'', n FROM n",
    "INSERT INTO webhook_deliveries (event_id, endpoint_id, tenant, event_type, status, epoch, attempts, created_at) \
     SELECT id, x'00000000000000000000000000000001', 'default', 'a.b', 'success', 1, 1, created_at FROM webhook_events \
     WHERE body = x''",
    "INSERT INTO webhook_attempts (event_id, endpoint_id, number, epoch, started_at, duration_ms, response_body) \
     SELECT event_id, endpoint_id, 2, 1, 1, 1, x'' FROM webhook_deliveries",
    "ANALYZE",
];

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index() {
    let store = SeaOrmStore::connect("sqlite::memory:").await.unwrap();
    store.migrate().await.unwrap();
    walk(&store).await;
    check(&store).await;

    for sql in FULL {
        store.inner.database.pools.writer().execute_unprepared(sql).await.unwrap();
    }
    check(&store).await;
}

#[tokio::test]
async fn each_listing_reads_the_index_made_for_it() {
    let store = SeaOrmStore::connect("sqlite::memory:").await.unwrap();
    store.migrate().await.unwrap();
    let (tenant, id) = (TenantId::default(), EndpointId::from_uuid(Uuid::nil()));
    let (failed, in_flight) = (DeliveryStatus::Failed, DeliveryStatus::InFlight);
    let all = DeliveryQuery::new;
    let table = [
        (all().status(failed), "deliveries_status (status=?"),
        (all().tenant(tenant.clone()).status(failed), "deliveries_tenant (tenant=? AND status=?"),
        (
            all().tenant(tenant.clone()).endpoint(id).status(failed),
            "deliveries_endpoint (endpoint_id=? AND status=?",
        ),
        (all().endpoint(id).status(in_flight), "deliveries_in_flight (endpoint_id=?"),
        (all().event(EventId::from_uuid(Uuid::nil())).status(failed), "PRIMARY KEY (event_id=?"),
    ];
    for (query, index) in table {
        let reads = reads(&store, &query, &[]).await;
        assert!(!reads.is_empty() && reads.iter().all(|step| step.contains(index)), "{reads:#?}");
    }
    // What is pending is looked for endpoint by endpoint, the rest as before.
    for (query, index) in [
        (all(), "deliveries_status (status=?"),
        (all().tenant(tenant), "deliveries_tenant (tenant=? AND status=?"),
    ] {
        let reads = reads(&store, &query, &[id, id, id]).await;
        let count = |index: &str| reads.iter().filter(|step| step.contains(index)).count();
        let of_endpoint = count("deliveries_endpoint (endpoint_id=? AND status=?");
        assert_eq!((of_endpoint, count(index), count("_in_flight")), (3, 5, 1), "{reads:#?}");
    }
}

/// How a listing reads deliveries.
async fn reads(store: &SeaOrmStore, query: &DeliveryQuery, open: &[EndpointId]) -> Vec<String> {
    let mut steps = Vec::new();
    for (sql, _) in crate::work::log::listing::listings(query, open, false, 10) {
        steps.extend(plan(store, &store.inner.database.sql.render(&sql)).await);
    }
    steps.retain(|step| step.starts_with("SEARCH d ") || step.starts_with("SCAN d "));
    steps
}
