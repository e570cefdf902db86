//! The contract of a store, proven on PostgreSQL.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod cases;
mod common;

use std::{sync::Arc, time::Duration};

use common::{fixed::Fixed, place::Place};
use webhook_core::{EndpointStore as _, Store};
use webhook_store_seaorm::{ConnectError, SchemaStatus, SeaOrmStore};
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
