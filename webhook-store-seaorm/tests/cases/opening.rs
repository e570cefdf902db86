//! Opening, migrating, and what is told when the database does not fit.

use std::error::Error;

use webhook_core::{StoreErrorKind, TenantId, store::Store as _};
use webhook_store_seaorm::{SchemaStatus, SeaOrmStore};

use crate::common::{add_endpoint, place::Place, port};

pub async fn opening_changes_nothing_and_migrating_twice_is_migrating_once(place: &Place) {
    let store = SeaOrmStore::connect(&place.url).await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Empty);
    store.migrate().await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Current);
    add_endpoint(&store).await;
}

pub async fn programs_may_migrate_at_once(place: &Place) {
    let mut programs = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = SeaOrmStore::connect(&place.url).await.unwrap();
        programs.spawn(async move { store.migrate().await.unwrap() });
    }
    programs.join_all().await;
    let store = SeaOrmStore::connect(&place.url).await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Current);
    add_endpoint(&store).await;
}

pub async fn a_store_that_is_not_migrated_says_what_to_do(place: &Place) {
    let store = SeaOrmStore::connect(&place.url).await.unwrap();
    let error = store.backlog().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema);
    assert!(error.source().unwrap().to_string().contains("run `webhook migrate`"), "{error:?}");
    store.migrate().await.unwrap();
    store.backlog().await.unwrap();
}

pub async fn a_step_that_failed_has_left_nothing_behind(place: &Place) {
    if place.is("mysql") {
        // It commits each statement by itself: what it leaves behind is completed, see below.
        return;
    }
    let store = SeaOrmStore::connect(&place.url).await.unwrap();
    // One of its indexes has its name taken, so that the step fails near its end.
    place.sql("CREATE TABLE beside (a INTEGER)").await;
    place.sql("CREATE INDEX webhook_deliveries_endpoint ON beside (a)").await;
    store.migrate().await.unwrap_err();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Missing);
    assert_eq!(store.backlog().await.unwrap_err().kind(), StoreErrorKind::Schema);
    place.sql("DROP TABLE beside").await;
    store.migrate().await.unwrap();
    add_endpoint(&store).await;
}

/// As a process leaves it that dies between two statements which are committed each by itself: by
/// MySQL always, elsewhere by whoever runs what is printed without its transaction.
pub async fn a_step_that_was_cut_off_is_completed_by_taking_it_again(place: &Place) {
    let store = place.open().await;
    let index = match place.is("mysql") {
        true => "ALTER TABLE webhook_deliveries DROP INDEX webhook_deliveries_endpoint",
        false => "DROP INDEX webhook_deliveries_endpoint",
    };
    for statement in ["DROP TABLE webhook_attempts", index, "DELETE FROM webhook_schema"] {
        place.sql(statement).await;
    }
    let other = SeaOrmStore::connect(&place.url).await.unwrap();
    assert_eq!(other.schema_status().await.unwrap(), SchemaStatus::Older(0));
    let error = other.backlog().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema);
    let advice = error.source().unwrap().to_string();
    assert!(advice.contains("began and did not end; run `webhook migrate`"), "{advice}");
    other.migrate().await.unwrap();
    assert_eq!(other.schema_status().await.unwrap(), SchemaStatus::Current);
    add_endpoint(&store).await;
    place.sql(index).await;
    place.sql("SELECT 1 FROM webhook_attempts").await;
}

/// What `migrate` and a call answer on a database as it is.
async fn refused(place: &Place) -> (SchemaStatus, String) {
    let store = SeaOrmStore::connect(&place.url).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema);
    assert_eq!(store.backlog().await.unwrap_err().kind(), StoreErrorKind::Schema);
    (store.schema_status().await.unwrap(), error.source().unwrap().to_string())
}

pub async fn tables_of_a_newer_version_are_left_alone(place: &Place) {
    place.sql("CREATE TABLE webhook_schema (version BIGINT PRIMARY KEY, applied_at BIGINT)").await;
    place.sql("INSERT INTO webhook_schema VALUES (99, 0)").await;
    let (status, advice) = refused(place).await;
    assert_eq!(status, SchemaStatus::Newer(99));
    assert!(advice.contains("update this program"), "{advice}");
}

pub async fn tables_of_the_same_name_that_are_not_ours_are_left_alone(place: &Place) {
    for table in ["webhook_events", "webhook_schema"] {
        place.sql(&format!("CREATE TABLE {table} (a INTEGER)")).await;
        let (status, advice) = refused(place).await;
        assert_eq!(status, SchemaStatus::Foreign);
        assert!(advice.contains("another database or table prefix"), "{advice}");
        place.sql(&format!("DROP TABLE {table}")).await;
    }
}

pub async fn our_tables_live_beside_those_of_the_application(place: &Place) {
    place.sql("CREATE TABLE orders (id INTEGER)").await;
    let store = SeaOrmStore::connect(&place.url).await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Missing);
    store.migrate().await.unwrap();
    let prefixed = SeaOrmStore::builder(&place.url).table_prefix("other_").connect().await.unwrap();
    prefixed.migrate().await.unwrap();
    add_endpoint(&store).await;
    let other = port(&prefixed).snapshot(&TenantId::default()).await.unwrap();
    assert!(other.entries().is_empty(), "a prefix is a store of its own");
}
