//! Publishing inside a transaction that somebody else has open.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, IsolationLevel, TransactionTrait as _};
use uuid::Uuid;
use webhook_core::{
    EventId, NewEvent, StoreErrorKind, TenantId,
    error::InvalidEvent,
    store::{DeliveryLog as _, Route, Routed, Store as _, TenantVersion},
};
use webhook_store_seaorm::{PublishInError, SeaOrmStore};

use crate::common::{endpoint, place::Place};

fn event(body: &str) -> NewEvent {
    NewEvent::new("invoice.paid", body.to_owned()).unwrap()
}

/// The events that a worker finds to route.
async fn unrouted(store: &SeaOrmStore) -> Vec<EventId> {
    let claimed = store.claim_unrouted(100, Duration::from_secs(60)).await.unwrap();
    claimed.events.iter().map(|event| event.id).collect()
}

pub async fn a_committed_event_is_found_and_a_rolled_back_one_is_not(place: &Place) {
    let (store, database) = (&place.open().await, place.connect().await);
    let transaction = database.begin().await.unwrap();
    let lost = store.publish_in(&transaction, event("1")).await.unwrap();
    transaction.rollback().await.unwrap();
    let transaction = database.begin().await.unwrap();
    let kept = store.publish_in(&transaction, event("2")).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(unrouted(store).await, [kept]);
    assert!(store.event(lost).await.unwrap().is_none());
    let stored = store.event(kept).await.unwrap().unwrap();
    assert_eq!((stored.body.as_ref(), &stored.tenant), (&b"2"[..], &TenantId::default()));
    database.close().await.unwrap();
}

pub async fn an_uncommitted_event_is_seen_by_nobody(place: &Place) {
    let (store, database) = (&place.open().await, place.connect().await);
    let transaction = database.begin().await.unwrap();
    let id = store.publish_in(&transaction, event("1")).await.unwrap();
    assert!(store.event(id).await.unwrap().is_none());
    transaction.commit().await.unwrap();
    assert_eq!(unrouted(store).await, [id]);
    database.close().await.unwrap();
}

pub async fn the_same_key_names_the_first_event_or_is_a_conflict(place: &Place) {
    let (store, database) = (&place.open().await, place.connect().await);
    let keyed = |body| event(body).key("invoice-42").unwrap();
    let transaction = database.begin().await.unwrap();
    let first = store.publish_in(&transaction, keyed("1")).await.unwrap();
    assert_eq!(store.publish_in(&transaction, keyed("1")).await.unwrap(), first);
    transaction.commit().await.unwrap();

    let transaction = database.begin().await.unwrap();
    let error = store.publish_in(&transaction, keyed("2")).await.unwrap_err();
    assert!(matches!(error, PublishInError::Conflict(id) if id == first), "{error}");
    let other_tenant = keyed("2").tenant("other".parse().unwrap());
    let other = store.publish_in(&transaction, other_tenant).await.unwrap();
    transaction.commit().await.unwrap();
    assert_ne!(other, first, "a key belongs to its tenant");
    assert_eq!(unrouted(store).await.len(), 2, "the transaction goes on after a conflict");
    database.close().await.unwrap();
}

pub async fn the_same_id_is_the_same_event_or_a_conflict(place: &Place) {
    let (store, database) = (&place.open().await, place.connect().await);
    let id = EventId::from_uuid(Uuid::from_u128(7));
    let transaction = database.begin().await.unwrap();
    assert_eq!(store.publish_in(&transaction, event("1").id(id)).await.unwrap(), id);
    assert_eq!(store.publish_in(&transaction, event("1").id(id)).await.unwrap(), id);
    let error = store.publish_in(&transaction, event("2").id(id)).await.unwrap_err();
    assert!(matches!(error, PublishInError::Conflict(first) if first == id), "{error}");
    transaction.commit().await.unwrap();
    assert_eq!(unrouted(store).await, [id]);
    database.close().await.unwrap();
}

pub async fn a_body_that_is_too_large_is_refused_and_the_transaction_goes_on(place: &Place) {
    let (store, database) = (&place.open().await, place.connect().await);
    let transaction = database.begin().await.unwrap();
    let large = event(&"x".repeat(NewEvent::MAX_BODY + 1));
    let error = store.publish_in(&transaction, large).await.unwrap_err();
    assert!(matches!(error, PublishInError::Invalid(InvalidEvent::TooLarge { .. })), "{error}");
    let id = store.publish_in(&transaction, event("1")).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(unrouted(store).await, [id]);
    database.close().await.unwrap();
}

/// The contract of plain SQL, in each database's own words.
pub async fn a_plain_insert_of_three_columns_publishes(place: &Place) {
    let (id, body) = match place.url.split(':').next() {
        Some("sqlite") => ("randomblob(16)", "CAST('{}' AS BLOB)"),
        Some("mysql") => ("UNHEX(REPLACE(UUID(), '-', ''))", "'{}'"),
        _ => ("gen_random_uuid()", "convert_to('{}', 'UTF8')"),
    };
    let store = place.open().await;
    let columns = "INSERT INTO webhook_events (id, event_type, body)";
    place.sql(&format!("{columns} VALUES ({id}, 'invoice.paid', {body})")).await;
    assert_a_plain_insert_was_published(&store).await;
}

/// What three columns make: an event as publishing makes it, unrouted, and delivered like any other.
pub async fn assert_a_plain_insert_was_published(store: &SeaOrmStore) {
    let ids = unrouted(store).await;
    assert_eq!(ids.len(), 1);
    let id = ids[0];
    let event = store.event(id).await.unwrap().unwrap();
    assert_eq!(event.event_type.as_str(), "invoice.paid");
    assert_eq!((event.body.as_ref(), event.tenant.as_str()), (&b"{}"[..], "default"));
    assert_eq!(event.content_type.as_str(), "application/json");
    let age = webhook_core::Timestamp::from(std::time::SystemTime::now()).since(event.occurred_at);
    assert!(age < Duration::from_secs(60), "{age:?}");
    let route = Route::new(id, TenantVersion::default(), vec![endpoint()]);
    assert_eq!(store.route(vec![route]).await.unwrap(), [Routed::Done]);
}

pub async fn a_database_without_our_tables_is_told_as_such(place: &Place) {
    let store = SeaOrmStore::connect(&place.url).await.unwrap();
    let database = place.connect().await;
    let transaction = database.begin().await.unwrap();
    let error = store.publish_in(&transaction, event("1")).await.unwrap_err();
    let PublishInError::Store(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), StoreErrorKind::Schema);
}

pub async fn events_join_transactions_of_any_isolation_level(place: &Place) {
    let (store, database) = (&place.open().await, place.connect().await);
    let levels = [
        IsolationLevel::ReadCommitted,
        IsolationLevel::RepeatableRead,
        IsolationLevel::Serializable,
    ];
    let mut committed = Vec::new();
    for (number, level) in levels.into_iter().enumerate() {
        let keyed = || event("1").key(&format!("key-{number}")).unwrap();
        let first = database.begin_with_config(Some(level), None).await.unwrap();
        // The transaction has its snapshot before anything is published.
        first.execute_unprepared("SELECT 1 FROM webhook_tenants").await.unwrap();
        let id = store.publish_in(&first, keyed()).await.unwrap();
        first.commit().await.unwrap();
        let lost = database.begin_with_config(Some(level), None).await.unwrap();
        store.publish_in(&lost, event("2")).await.unwrap();
        lost.rollback().await.unwrap();
        let again = database.begin_with_config(Some(level), None).await.unwrap();
        assert_eq!(store.publish_in(&again, keyed()).await.unwrap(), id);
        again.commit().await.unwrap();
        committed.push(id);
    }
    let mut found = unrouted(store).await;
    found.sort_unstable();
    assert_eq!(found, committed);
    database.close().await.unwrap();
}

pub async fn an_event_that_commits_late_is_found_late(place: &Place) {
    let (store, database) = (&place.open().await, place.connect().await);
    let slow = database.begin().await.unwrap();
    let first = store.publish_in(&slow, event("1")).await.unwrap();
    let quick = database.begin().await.unwrap();
    let second = store.publish_in(&quick, event("2")).await.unwrap();
    quick.commit().await.unwrap();
    assert!(first < second, "ids go by time");
    assert_eq!(unrouted(store).await, [second], "an open transaction holds nobody up");
    slow.commit().await.unwrap();
    assert_eq!(unrouted(store).await, [first], "a smaller id than one seen before is still found");
    database.close().await.unwrap();
}
