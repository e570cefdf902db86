//! What only a file of SQLite can show: its mode, its one lock, its rights.

#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod common;

use std::time::Duration;

use common::{add_endpoint, connect, enqueue, event, folder, open};
use sea_orm::{
    ConnectionTrait as _, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use webhook_core::{
    StoreErrorKind,
    store::{DeliveryLog as _, Store as _},
};
use webhook_store_seaorm::SeaOrmStore;

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
async fn work_that_cannot_begin_in_time_is_surely_not_written() {
    let (_folder, url) = folder();
    let store = open(&url).await;
    let version = add_endpoint(&store).await;
    let hasty = SeaOrmStore::builder(&url).unit_limit(Duration::from_millis(500)).connect().await;
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
