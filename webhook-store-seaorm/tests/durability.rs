//! What survives: other writers, dropped calls, a restart.

#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod common;

use std::{
    collections::BTreeSet,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use common::{add_endpoint, connect, endpoint, enqueue, event, folder, open};
use sea_orm::{
    ConnectionTrait as _, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use webhook_core::{
    ClaimDue, Delivery, DeliveryId, DeliveryLog as _, DeliveryQuery, DeliveryStatus,
    DeliveryStore as _, EndpointStore as _, Enqueue, Enqueued, StoreErrorKind, TenantId, Timestamp,
};
use webhook_store_seaorm::SeaOrmStore;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_file_of_ours_is_in_wal_mode() {
    let (_folder, url) = folder();
    let _store = open(&url).await;
    let other = connect(&url).await;
    let mode = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "PRAGMA journal_mode");
    let row = other.query_one_raw(mode).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "wal");
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let (_folder, url) = folder();
    let store = open(&url).await;
    let version = add_endpoint(&store).await;
    assert_eq!(store.enqueue(vec![enqueue(1, version)]).await.unwrap(), [Enqueued::Routed(1)]);
    store.close().await;
    assert!(store.backlog().await.is_err(), "it was closed");
    let again = SeaOrmStore::connect(&url).await.unwrap();
    assert_eq!(again.event(event(1).id).await.unwrap().as_deref(), Some(&event(1)));
    let claimed = again.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap();
    assert_eq!(claimed.claims.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_programs_that_write_at_once_lose_nothing_and_claim_nothing_twice() {
    let (_folder, url) = folder();
    let stores = [open(&url).await, open(&url).await];
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

/// Polls a future `times` times, letting everything else go on in between, and drops it.
async fn poll_and_drop<F: Future>(future: F, times: usize) -> bool {
    let mut future = pin!(future);
    for _ in 0..times {
        let done = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
        if done {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn a_call_dropped_at_any_point_is_done_wholly_and_leaves_no_transaction_open() {
    let (_folder, url) = folder();
    let store = open(&url).await;
    let version = add_endpoint(&store).await;
    let other = open(&url).await;
    for times in 1..60 {
        let number = times as u128;
        poll_and_drop(store.enqueue(vec![enqueue(number, version)]), times).await;
        // The next call stands in line behind the dropped ones, on the one connection that writes.
        store.release(vec![]).await.unwrap();
        let there = store.event(event(number).id).await.unwrap().is_some();
        let id = DeliveryId::new(event(number).id, endpoint());
        assert_eq!(store.delivery(id).await.unwrap().is_some(), there, "half of it, after {times}");
        assert!(there, "the work went on without its caller, after {times}");
        // Somebody else can write: no transaction was left behind.
        other.enqueue(vec![enqueue(1000 + number, version)]).await.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_claim_holds_its_lease_as_if_its_caller_had_died() {
    let (_folder, url) = folder();
    let store = open(&url).await;
    let version = add_endpoint(&store).await;
    for times in 1..40 {
        let number = times as u128;
        store.enqueue(vec![enqueue(number, version)]).await.unwrap();
        poll_and_drop(store.claim_due(ClaimDue::new(10, MINUTE)), times).await;
        store.release(vec![]).await.unwrap();
        let id = DeliveryId::new(event(number).id, endpoint());
        let delivery = store.delivery(id).await.unwrap().unwrap();
        assert_eq!(delivery.status, DeliveryStatus::InFlight, "after {times}");
        assert_eq!(delivery.attempts, 1, "after {times}");
    }
}

#[tokio::test]
async fn work_that_cannot_begin_in_time_is_surely_not_written() {
    let (_folder, url) = folder();
    let store = open(&url).await;
    let version = add_endpoint(&store).await;
    let hasty = SeaOrmStore::builder(&url).unit_limit(Duration::from_millis(50)).connect().await;
    let hasty = hasty.unwrap();
    hasty.backlog().await.unwrap();
    let blocker = connect(&url).await;
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let lock = blocker.begin_with_options(immediate).await.unwrap();
    let error = hasty.enqueue(vec![enqueue(1, version)]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    lock.rollback().await.unwrap();
    hasty.enqueue(vec![enqueue(2, version)]).await.unwrap();
    assert_eq!(store.event(event(1).id).await.unwrap(), None);
}

#[tokio::test]
async fn a_database_that_may_not_be_written_says_so() {
    let (_folder, url) = folder();
    let version = add_endpoint(&open(&url).await).await;
    let reader = SeaOrmStore::connect(&url.replace("mode=rwc", "mode=ro")).await.unwrap();
    reader.backlog().await.unwrap();
    let error = reader.enqueue(vec![enqueue(1, version)]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused, "{error:?}");
}

#[tokio::test]
async fn an_endpoint_removed_half_way_is_removed_wholly_by_a_second_call() {
    let (_folder, url) = folder();
    let store = open(&url).await;
    let version = add_endpoint(&store).await;
    let (tenant, id) = (TenantId::default(), DeliveryId::new(event(1).id, endpoint()));
    store.enqueue(vec![enqueue(1, version)]).await.unwrap();
    let hide = "UPDATE webhook_endpoints SET removed_at = 1";
    connect(&url).await.execute_unprepared(hide).await.unwrap();
    assert!(store.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap().claims.is_empty());
    assert!(store.remove_endpoint(&tenant, endpoint()).await.unwrap());
    let delivery = store.delivery(id).await.unwrap().unwrap();
    assert_eq!(delivery.status, DeliveryStatus::Cancelled);
    assert!(!store.remove_endpoint(&tenant, endpoint()).await.unwrap(), "nothing was left");
}

#[tokio::test]
async fn an_endpoint_with_more_deliveries_than_one_unit_may_change_is_removed_wholly() {
    let (_folder, url) = folder();
    let store = open(&url).await;
    add_endpoint(&store).await;
    let many = "INSERT INTO webhook_deliveries (event_id, endpoint_id, tenant, event_type, status, \
                epoch, attempts, due_at, created_at) \
                WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5001) \
                SELECT randomblob(16), id, 'default', 'a.b', 'pending', 0, 0, n, n \
                FROM n, webhook_endpoints";
    connect(&url).await.execute_unprepared(many).await.unwrap();
    assert!(store.remove_endpoint(&TenantId::default(), endpoint()).await.unwrap());
    let pending = DeliveryQuery::new().status(DeliveryStatus::Pending);
    assert!(store.deliveries(pending).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_foreign_endpoint_has_no_deliveries_to_list() {
    let (_folder, url) = folder();
    let store = open(&url).await;
    let version = add_endpoint(&store).await;
    store.enqueue(vec![enqueue(1, version)]).await.unwrap();
    let of =
        |tenant: &str| DeliveryQuery::new().tenant(tenant.parse().unwrap()).endpoint(endpoint());
    let (own, other) = (of(TenantId::default().as_str()), of("other"));
    assert_eq!(store.deliveries(own).await.unwrap().items.len(), 1);
    // Nothing is asked of its deliveries: this one would match.
    let hide = "UPDATE webhook_deliveries SET tenant = 'other'";
    connect(&url).await.execute_unprepared(hide).await.unwrap();
    assert!(store.deliveries(other).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_row_that_cannot_be_read_fails_alone() {
    let (_folder, url) = folder();
    let store = open(&url).await;
    let version = add_endpoint(&store).await;
    store.enqueue((1..=3).map(|number| enqueue(number, version)).collect()).await.unwrap();
    let id = |number| DeliveryId::new(event(number).id, endpoint());
    let damage = [
        "UPDATE webhook_events SET event_type = 'not a type' WHERE hex(id) LIKE '%01'",
        "UPDATE webhook_deliveries SET attempts = -7 WHERE hex(event_id) LIKE '%02'",
    ];
    let other = connect(&url).await;
    for sql in damage {
        other.execute_unprepared(sql).await.unwrap();
    }
    let claimed = store.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap();
    let ids: Vec<_> = claimed.claims.iter().map(|claim| claim.lease.delivery).collect();
    assert_eq!(ids, [id(3)]);
    let failed = store.delivery(id(1)).await.unwrap().unwrap();
    assert_eq!(failed.last_error.as_deref(), Some("the stored event or delivery cannot be read"));
    assert_eq!(store.event(event(1).id).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(store.delivery(id(2)).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn a_tracked_event_under_a_taken_key_is_recorded_without_it() {
    let (_folder, url) = folder();
    let store = open(&url).await;
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
