//! Publishing inside transactions of the caller's own, on SQLite.

#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod common;
mod outbox;

use sea_orm::TransactionTrait as _;
use webhook_store_seaorm::{PublishInError, SeaOrmStore};

use common::{connect, folder, open};
use outbox::{event, unrouted};

macro_rules! on_a_file {
    ($($case:ident)*) => {$(
        #[tokio::test]
        async fn $case() {
            let (_folder, url) = folder();
            outbox::$case(&open(&url).await, &url).await;
        }
    )*};
}

on_a_file! {
    a_committed_event_is_found_and_a_rolled_back_one_is_not
    an_uncommitted_event_is_seen_by_nobody
    the_same_key_names_the_first_event_or_is_a_conflict
    the_same_id_is_the_same_event_or_a_conflict
    a_body_that_is_too_large_is_refused_and_the_transaction_goes_on
}

#[tokio::test]
async fn a_plain_insert_of_three_columns_publishes() {
    let (_folder, url) = folder();
    let insert = "INSERT INTO webhook_events (id, event_type, body) \
                  VALUES (randomblob(16), 'invoice.paid', CAST('{}' AS BLOB))";
    outbox::a_plain_insert_of_three_columns_publishes(&open(&url).await, &url, insert).await;
}

#[tokio::test]
async fn a_database_without_our_tables_is_told_as_such() {
    let (_folder, url) = folder();
    let store = SeaOrmStore::connect(&url).await.unwrap();
    let database = connect(&url).await;
    let transaction = database.begin().await.unwrap();
    let error = store.publish_in(&transaction, event("1")).await.unwrap_err();
    let PublishInError::Store(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), webhook_core::StoreErrorKind::Schema);
}

#[cfg(feature = "sqlx")]
#[tokio::test]
async fn transactions_of_sqlx_are_joined_alike() {
    use sea_orm::sqlx::{Connection as _, SqliteConnection};

    let (_folder, url) = folder();
    let store = open(&url).await;
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    store.publish_in(&mut transaction, event("1")).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let keyed = || event("2").key("k").unwrap();
    let id = store.publish_in(&mut transaction, keyed()).await.unwrap();
    assert_eq!(store.publish_in(&mut transaction, keyed()).await.unwrap(), id);
    transaction.commit().await.unwrap();
    assert_eq!(unrouted(&store).await, [id]);
}
