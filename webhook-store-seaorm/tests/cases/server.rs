//! What only a database on a server can do: be away, refuse, cut a connection, hold a lock.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, TransactionTrait as _};
use webhook_core::{
    StoreErrorKind,
    store::{ClaimDue, DeliveryLog as _, Enqueued, Finish, Finished, Settle, Store as _},
};
use webhook_store_seaorm::{ConnectError, SeaOrmStore};

use crate::common::{add_endpoint, endpoint, enqueue, event, place::Place};

const MINUTE: Duration = Duration::from_secs(60);

pub async fn a_server_that_cannot_be_reached_is_told_from_one_that_refuses(place: &Place) {
    let open = async |url: String| {
        let began = Instant::now();
        let error = SeaOrmStore::connect(&url).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(8), "it waited for nothing");
        assert!(!format!("{error:?} {error}").contains("geheim"), "{error:?}");
        error
    };
    let scheme = if place.is("postgres") { "postgres" } else { "mysql" };
    // The port of a listener that is gone again.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = open(format!("{scheme}://user:geheim@{gone}/a")).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    let nowhere = Place::database(&place.server, "webhook_test_nowhere");
    let error = open(nowhere).await;
    assert!(matches!(error, ConnectError::NoDatabase { .. }), "{error:?}");
    let (_, host) = place.server.rsplit_once('@').unwrap();
    let error = open(format!("{scheme}://webhook_nobody:geheim@{host}")).await;
    assert!(matches!(error, ConnectError::Denied { .. }), "{error:?}");
}

/// Ends all connections of the place.
async fn cut(place: &Place) {
    if place.is("postgres") {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name =";
        return place.beside(&format!("{end} '{}'", place.name)).await;
    }
    let ids = format!("SELECT id FROM information_schema.processlist WHERE db = '{}'", place.name);
    let server = sea_orm::Database::connect(&place.server).await.unwrap();
    let ids = sea_orm::Statement::from_string(sea_orm::DbBackend::MySql, ids);
    for row in server.query_all_raw(ids).await.unwrap() {
        let id: u64 = row
            .try_get_by_index::<u64>(0)
            .or_else(|_| row.try_get_by_index::<i64>(0).map(|id| id.try_into().unwrap()))
            .or_else(|_| row.try_get_by_index::<i32>(0).map(|id| id.try_into().unwrap()))
            .unwrap();
        // It may have gone by itself.
        server.execute_unprepared(&format!("KILL {id}")).await.ok();
    }
}

pub async fn a_connection_that_was_cut_is_replaced_without_a_word(place: &Place) {
    let store = place.open().await;
    let version = add_endpoint(&store).await;
    for number in 0..3 {
        cut(place).await;
        store.enqueue(vec![enqueue(number, version)]).await.unwrap();
        cut(place).await;
        assert!(store.event(event(number).id).await.unwrap().is_some());
    }
}

pub async fn a_row_held_by_another_is_waited_for_and_no_longer_than_the_limit(place: &Place) {
    let store = place.open().await;
    add_endpoint(&store).await;
    let hasty = SeaOrmStore::builder(&place.url)
        .unit_limit(Duration::from_secs(2))
        .connect()
        .await
        .unwrap();
    hasty.backlog().await.unwrap();
    let held = place.connect().await.begin().await.unwrap();
    held.execute_unprepared("SELECT id FROM webhook_endpoints FOR UPDATE").await.unwrap();
    let edited = store
        .endpoints(&[endpoint()])
        .await
        .unwrap()
        .remove(0)
        .unwrap()
        .unwrap()
        .with_max_in_flight(7);
    let error = hasty.update_endpoint(edited.clone()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    held.rollback().await.unwrap();
    let stored = store.endpoints(&[endpoint()]).await.unwrap().remove(0).unwrap().unwrap();
    assert_ne!(stored.max_in_flight, 7, "it was said not to be written");
    hasty.update_endpoint(edited).await.unwrap();
}

/// A store of a single connection whose units are given up soon.
async fn hasty(place: &Place) -> SeaOrmStore {
    let hasty = SeaOrmStore::builder(&place.url).pool_size(1).unit_limit(Duration::from_secs(2));
    let hasty = hasty.connect().await.unwrap();
    hasty.backlog().await.unwrap();
    hasty
}

pub async fn a_claim_passes_over_a_delivery_that_is_held_by_another(place: &Place) {
    let store = place.open().await;
    let version = add_endpoint(&store).await;
    store.enqueue((1..=3).map(|number| enqueue(number, version)).collect()).await.unwrap();
    let hasty = hasty(place).await;
    let id = event(2).id.as_uuid().simple();
    let id = if place.is("postgres") { format!("'{id}'") } else { format!("x'{id}'") };
    // By its key: MariaDB locks whatever else it looks at.
    let held = hold(place, &format!("event_id = {id}")).await;
    let began = Instant::now();
    let claimed = hasty.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap().claims;
    assert!(began.elapsed() < Duration::from_secs(1), "it waited");
    let claimed: Vec<_> = claimed.iter().map(|claim| claim.lease.delivery.event).collect();
    assert_eq!(claimed, [event(1).id, event(3).id]);
    held.rollback().await.unwrap();
    let claimed = hasty.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap().claims;
    assert_eq!(claimed.len(), 1, "it was only passed over");
}

pub async fn an_attempt_is_recorded_once_its_delivery_is_held_no_longer(place: &Place) {
    let store = place.open().await;
    let version = add_endpoint(&store).await;
    store.enqueue(vec![enqueue(1, version)]).await.unwrap();
    let hasty = hasty(place).await;
    let lease = hasty.claim_due(ClaimDue::new(1, MINUTE)).await.unwrap().claims[0].lease;
    let finish = || vec![Finish::new(lease, vec![], 1, Settle::Failed)];
    let held = hold(place, "0 = 0").await;
    let began = Instant::now();
    let error = hasty.finish(finish()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    // Whoever publishes does not wait for it, on the very connection that just did.
    hasty.enqueue(vec![enqueue(2, version)]).await.unwrap();
    held.rollback().await.unwrap();
    assert_eq!(hasty.finish(finish()).await.unwrap(), [Finished::Recorded]);
    assert!(store.event(event(2).id).await.unwrap().is_some(), "it was never committed");
}

pub async fn publishing_waits_for_nobody_who_holds_the_tenant(place: &Place) {
    let store = place.open().await;
    let version = add_endpoint(&store).await;
    let hasty = hasty(place).await;
    let held = read_committed(place).await;
    held.execute_unprepared("SELECT id FROM webhook_tenants FOR UPDATE").await.unwrap();
    let began = Instant::now();
    let stored = hasty.enqueue(vec![enqueue(1, version)]).await.unwrap();
    assert_eq!(stored, [Enqueued::Routed(1)]);
    assert!(began.elapsed() < Duration::from_secs(1), "it waited");
    held.rollback().await.unwrap();
}

/// Another program's transaction, which locks what it has looked at and nothing around it.
async fn read_committed(place: &Place) -> DatabaseTransaction {
    let level = Some(sea_orm::IsolationLevel::ReadCommitted);
    place.connect().await.begin_with_config(level, None).await.unwrap()
}

/// Holds these deliveries until its end.
async fn hold(place: &Place, which: &str) -> DatabaseTransaction {
    let held = read_committed(place).await;
    // Held whole: a statement that is not read to its end locks a part of them.
    let sql = format!("SELECT tenant FROM webhook_deliveries WHERE {which} FOR UPDATE");
    let lock = sea_orm::Statement::from_string(held.get_database_backend(), sql);
    assert!(!held.query_all_raw(lock).await.unwrap().is_empty());
    held
}

/// By a user who may only read.
pub async fn a_database_that_may_not_be_written_says_so(place: &Place) {
    let version = add_endpoint(&place.open().await).await;
    let url = if place.is("postgres") {
        format!("{}&options[default_transaction_read_only]=on", place.url)
    } else {
        let user = format!("{}_r", place.name).replace("webhook_test", "wt");
        place.beside(&format!("CREATE USER {user}")).await;
        place.beside(&format!("GRANT SELECT ON {}.* TO {user}", place.name)).await;
        let (scheme, host) =
            (place.url.split("//").next().unwrap(), place.url.rsplit_once('@').unwrap().1);
        format!("{scheme}//{user}@{host}")
    };
    let reader = SeaOrmStore::connect(&url).await.unwrap();
    reader.backlog().await.unwrap();
    let error = reader.enqueue(vec![enqueue(1, version)]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused, "{error:?}");
    if place.is("mysql") {
        let user = format!("{}_r", place.name).replace("webhook_test", "wt");
        place.beside(&format!("DROP USER {user}")).await;
    }
}
