//! The contract of a store, proven on PostgreSQL.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod cases;
mod common;

use std::{process::Command, sync::Arc, time::Duration};

use common::{
    fixed::Fixed,
    place::Place,
    roles::{Roles, assert_same, grant, printed},
};
use webhook_core::store::{Enqueue, Store, WorkSignal as _};
use webhook_store_seaorm::{ConnectError, DatabaseKind, SchemaStatus, SeaOrmStore, TableNames};
use webhook_testkit::StoreHarness;

struct Harness(Fixed<Place>);

impl StoreHarness for Harness {
    async fn fresh() -> Self {
        let place = Place::on_postgres().await;
        let store = SeaOrmStore::builder(&place.url).schema(&place.name).connect().await.unwrap();
        Self(Fixed::new(store, place).await)
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.0.store.clone())
    }

    async fn advance(&self, by: Duration) {
        self.0.advance(by);
    }

    async fn reopen(&self) -> Arc<dyn Store> {
        let place = &self.0.keep;
        let store = SeaOrmStore::builder(&place.url).schema(&place.name).connect().await.unwrap();
        Arc::new(self.0.reopened(store))
    }
}

webhook_testkit::store_conformance!(
    Harness,
    #[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
);

cases::on!(
    Place::on_postgres(),
    #[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
);

cases::on_server!(
    Place::on_postgres(),
    #[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
);

#[tokio::test]
#[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
async fn a_schema_is_created_with_the_tables_and_named_with_each() {
    let place = Place::on_postgres().await;
    let store = SeaOrmStore::builder(&place.server).schema(&place.name).connect().await.unwrap();
    place.beside(&format!("DROP SCHEMA {}", place.name)).await;
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Empty);
    store.migrate().await.unwrap();
    common::add_endpoint(&store).await;
    // The search path of the other leads there, and finds what this one wrote.
    let other = SeaOrmStore::connect(&place.url).await.unwrap();
    assert_eq!(other.schema_status().await.unwrap(), SchemaStatus::Current);
    assert_eq!(other.endpoints(&[common::endpoint()]).await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
async fn a_search_path_that_leads_nowhere_is_told() {
    let place = Place::on_postgres().await;
    place.beside(&format!("DROP SCHEMA {}", place.name)).await;
    let error = SeaOrmStore::connect(&place.url).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoSearchPath { .. }), "{error:?}");
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
async fn work_stored_by_one_process_is_notified_to_another() {
    let place = Place::on_postgres().await;
    let (store, other) = (place.open().await, place.open().await);
    // It hears one when it begins to listen, in case something was said before.
    other.work_notified().await;
    store.enqueue(vec![Enqueue::unrouted(common::event(1))]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), other.work_notified()).await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(50), other.work_notified()).await;
    assert!(nothing.is_err(), "nothing was stored since");
    // Who has committed work of his own says so.
    store.notify_work();
    tokio::time::timeout(Duration::from_secs(10), other.work_notified()).await.unwrap();
}

/// The contract of plain SQL, as another program speaks it, at each isolation level.
#[tokio::test]
#[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
async fn psql_publishes_by_a_plain_insert() {
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let place = Place::on_postgres().await;
        let store = place.open().await;
        let insert = "INSERT INTO webhook_events (id, event_type, body) \
                      VALUES (gen_random_uuid(), 'invoice.paid', convert_to('{}', 'UTF8'))";
        for end in ["ROLLBACK", "COMMIT"] {
            let search = format!("SET search_path = {}", place.name);
            let sql = format!("{search}; BEGIN ISOLATION LEVEL {level}; {insert}; {end}");
            let mut psql = Command::new("psql");
            let done = psql.args([&place.server, "-v", "ON_ERROR_STOP=1", "-qc", &sql]).status();
            assert!(done.unwrap().success(), "{level}");
        }
        cases::outbox::assert_a_plain_insert_was_published(&store).await;
    }
}

const ROLES: [&str; 4] = ["publisher", "worker", "operator", "reader"];

#[tokio::test]
#[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
async fn what_is_printed_gives_what_migrating_gives() {
    let (migrated, by_hand) = (Place::on_postgres().await, Place::on_postgres().await);
    let open = |place: &Place| SeaOrmStore::builder(&place.url).schema(&place.name).connect();
    open(&migrated).await.unwrap().migrate().await.unwrap();
    printed(&by_hand, DatabaseKind::Postgres, &TableNames::new().schema(&by_hand.name)).await;
    let store = open(&by_hand).await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Current);
    let columns = "SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable \
                   || COALESCE(' ' || column_default, '') || COALESCE(' ' || collation_name, '') AS line \
                   FROM information_schema.columns WHERE table_schema = '{place}' ORDER BY 1";
    assert_same(&migrated, &by_hand, columns).await;
    let indexes = "SELECT indexdef AS line FROM pg_indexes WHERE schemaname = '{place}' ORDER BY 1";
    assert_same(&migrated, &by_hand, indexes).await;
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
async fn each_role_may_do_its_own_work_and_no_more() {
    let mut place = Place::on_postgres().await;
    let prefix = format!("{}_", place.name);
    for role in ROLES {
        let (create, drop) = ("CREATE ROLE {user} LOGIN PASSWORD 'hooks'", "DROP ROLE {user}");
        place.user(&format!("{prefix}{role}"), create, drop).await;
    }
    let names = TableNames::new().schema(&place.name);
    let owner = SeaOrmStore::builder(&place.url).schema(&place.name).connect().await.unwrap();
    owner.migrate().await.unwrap();
    grant(&place, DatabaseKind::Postgres, &names, &prefix).await;
    let open = |place: &Place, user: &str| {
        SeaOrmStore::builder(place.url_of(user)).schema(&place.name).pool_size(1)
    };
    Roles { place: &place, prefix, open }.assert_enough_and_no_more(&owner).await;
}
