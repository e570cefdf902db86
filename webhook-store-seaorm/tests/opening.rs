//! Opening, migrating, and what is told when the database does not fit.

#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod common;

use std::{error::Error, fs};

use common::{add_endpoint, connect, folder, open};
use sea_orm::ConnectionTrait as _;
use webhook_core::{DeliveryStore as _, EndpointStore as _, StoreErrorKind, TenantId};
use webhook_store_seaorm::{ConnectError, SchemaStatus, SeaOrmStore};

#[tokio::test]
async fn opening_changes_nothing_and_migrating_twice_is_migrating_once() {
    let (_folder, url) = folder();
    let store = SeaOrmStore::connect(&url).await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Empty);
    store.migrate().await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Current);
    add_endpoint(&store).await;
}

#[tokio::test]
async fn two_programs_may_migrate_at_once() {
    let (_folder, url) = folder();
    let (one, other) =
        (SeaOrmStore::connect(&url).await.unwrap(), SeaOrmStore::connect(&url).await.unwrap());
    let (first, second) = tokio::join!(one.migrate(), other.migrate());
    first.unwrap();
    second.unwrap();
    assert_eq!(one.schema_status().await.unwrap(), SchemaStatus::Current);
}

#[tokio::test]
async fn a_store_that_is_not_migrated_says_what_to_do() {
    let (_folder, url) = folder();
    let store = SeaOrmStore::connect(&url).await.unwrap();
    let error = store.backlog().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema);
    assert!(error.source().unwrap().to_string().contains("run `webhook migrate`"), "{error:?}");
    store.migrate().await.unwrap();
    store.backlog().await.unwrap();
}

/// What `migrate` and a call answer on a database prepared by `statements`.
async fn refused(statements: &[&str]) -> (SchemaStatus, String) {
    let (_folder, url) = folder();
    let other = connect(&url).await;
    for statement in statements {
        other.execute_unprepared(statement).await.unwrap();
    }
    let store = SeaOrmStore::connect(&url).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema);
    assert_eq!(store.backlog().await.unwrap_err().kind(), StoreErrorKind::Schema);
    (store.schema_status().await.unwrap(), error.source().unwrap().to_string())
}

#[tokio::test]
async fn tables_of_a_newer_version_are_left_alone() {
    let schema = "CREATE TABLE webhook_schema (version INTEGER PRIMARY KEY, applied_at INTEGER)";
    let (status, advice) = refused(&[schema, "INSERT INTO webhook_schema VALUES (99, 0)"]).await;
    assert_eq!(status, SchemaStatus::Newer(99));
    assert!(advice.contains("update this program"), "{advice}");
}

#[tokio::test]
async fn tables_of_the_same_name_that_are_not_ours_are_left_alone() {
    for table in ["webhook_events", "webhook_schema"] {
        let (status, advice) = refused(&[&format!("CREATE TABLE {table} (a TEXT)")]).await;
        assert_eq!(status, SchemaStatus::Foreign);
        assert!(advice.contains("another database or table prefix"), "{advice}");
    }
}

#[tokio::test]
async fn our_tables_live_beside_those_of_the_application() {
    let (_folder, url) = folder();
    connect(&url).await.execute_unprepared("CREATE TABLE orders (id INTEGER)").await.unwrap();
    let store = SeaOrmStore::connect(&url).await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Missing);
    store.migrate().await.unwrap();
    let prefixed = SeaOrmStore::builder(&url).table_prefix("other_").connect().await.unwrap();
    prefixed.migrate().await.unwrap();
    add_endpoint(&store).await;
    let other = prefixed.snapshot(&TenantId::default()).await.unwrap();
    assert!(other.endpoints().is_empty(), "a prefix is a store of its own");
}

/// Why a URL does not open, as a user reads it.
async fn unopenable(url: &str) -> String {
    let error = SeaOrmStore::connect(url).await.unwrap_err();
    assert!(matches!(error, ConnectError::Open { .. }), "{error:?}");
    format!("{error}: {}", error.source().unwrap())
}

#[tokio::test]
async fn what_does_not_open_is_named_with_the_reason() {
    let (folder, _) = folder();
    let path = |name: &str| format!("sqlite://{}/{name}", folder.path().display());
    let missing = unopenable(&path("missing.db")).await;
    assert!(missing.contains("missing.db; add ?mode=rwc"), "{missing}");
    let unreachable = unopenable(&path("no/such/folder.db?mode=rwc")).await;
    assert!(unreachable.contains("no/such/folder.db"), "{unreachable}");
    fs::write(folder.path().join("text.db"), "this is no database, but a text ".repeat(50))
        .unwrap();
    let text = unopenable(&path("text.db?mode=rw")).await;
    assert!(text.contains("text.db: ") && text.contains("not a database"), "{text}");
    assert!(fs::read(folder.path().join("text.db")).unwrap().starts_with(b"this is no"));
}

#[tokio::test]
async fn a_url_of_another_kind_says_what_is_expected() {
    let error = SeaOrmStore::connect("oracle://user:secret@host/db").await.unwrap_err();
    assert!(matches!(error, ConnectError::Scheme), "{error:?}");
    let error = SeaOrmStore::builder("sqlite::memory:").table_prefix("a; --").connect().await;
    assert!(matches!(error.unwrap_err(), ConnectError::Prefix));
}

#[tokio::test]
async fn a_store_shows_nothing_of_its_url() {
    let (_folder, url) = folder();
    let shown = format!("{:?} {:?}", SeaOrmStore::builder(&url), open(&url).await);
    assert!(!shown.contains("webhooks.db"), "{shown}");
}

#[tokio::test]
async fn a_limit_out_of_reach_is_moved_into_it() {
    use std::time::Duration;
    for limit in [Duration::ZERO, Duration::MAX] {
        let opened = SeaOrmStore::builder("sqlite::memory:").unit_limit(limit).connect().await;
        opened.unwrap();
    }
}
