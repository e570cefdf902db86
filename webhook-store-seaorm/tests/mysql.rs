//! The contract of a store, proven on MySQL or MariaDB.

#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod cases;
mod common;

use std::{sync::Arc, time::Duration};

use common::{fixed::Fixed, place::Place};
use webhook_core::Store;
use webhook_store_seaorm::{SchemaStatus, SeaOrmStore};
use webhook_testkit::StoreHarness;

struct Harness(Fixed<Place>);

impl StoreHarness for Harness {
    async fn fresh() -> Self {
        let place = Place::on_mysql().await;
        let store = SeaOrmStore::connect(&place.url).await.unwrap();
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
    #[ignore = "needs a MySQL or MariaDB server: cargo xtask test finds one"]
);

cases::on!(
    Place::on_mysql(),
    #[ignore = "needs a MySQL or MariaDB server: cargo xtask test finds one"]
);

cases::on_server!(
    Place::on_mysql(),
    #[ignore = "needs a MySQL or MariaDB server: cargo xtask test finds one"]
);

#[tokio::test]
#[ignore = "needs a MySQL or MariaDB server: cargo xtask test finds one"]
async fn a_step_that_was_cut_off_is_completed_by_taking_it_again() {
    let place = Place::on_mysql().await;
    let store = place.open().await;
    // As a process leaves it that dies between two statements: each is committed by itself.
    let cut = [
        "DROP TABLE webhook_attempts",
        "ALTER TABLE webhook_deliveries DROP INDEX webhook_deliveries_endpoint",
        "DELETE FROM webhook_schema",
    ];
    for statement in cut {
        place.sql(statement).await;
    }
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Older(0));
    store.migrate().await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Current);
    common::add_endpoint(&store).await;
    place.sql("ALTER TABLE webhook_deliveries DROP INDEX webhook_deliveries_endpoint").await;
    place.sql("SELECT 1 FROM webhook_attempts").await;
}
