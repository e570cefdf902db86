//! The contract of a store, proven on MySQL or MariaDB.

#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod cases;
mod common;

use std::{sync::Arc, time::Duration};

use common::{fixed::Fixed, place::Place};
use webhook_core::Store;
use webhook_store_seaorm::SeaOrmStore;
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
