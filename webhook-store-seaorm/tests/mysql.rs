//! The contract of a store, proven on MySQL or MariaDB.

#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod cases;
mod common;

use std::{sync::Arc, time::Duration};

use common::{
    fixed::Fixed,
    place::Place,
    roles::{Roles, assert_same, grant, printed},
};
use webhook_core::store::Store;
use webhook_store_seaorm::{DatabaseKind, SchemaStatus, SeaOrmStore, TableNames};
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

    async fn reopen(&self) -> Arc<dyn Store> {
        let place = &self.0.keep;
        let store = SeaOrmStore::connect(&place.url).await.unwrap();
        Arc::new(self.0.reopened(store))
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

const ROLES: [&str; 4] = ["publisher", "worker", "operator", "reader"];

#[tokio::test]
#[ignore = "needs a MySQL or MariaDB server: cargo xtask test finds one"]
async fn what_is_printed_gives_what_migrating_gives() {
    let (migrated, by_hand) = (Place::on_mysql().await, Place::on_mysql().await);
    SeaOrmStore::connect(&migrated.url).await.unwrap().migrate().await.unwrap();
    printed(&by_hand, DatabaseKind::MySql, &TableNames::new()).await;
    let store = SeaOrmStore::connect(&by_hand.url).await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Current);
    let columns = "SELECT CONCAT_WS(' ', table_name, column_name, column_type, is_nullable, \
                   column_default, collation_name, extra) AS line FROM information_schema.columns \
                   WHERE table_schema = '{place}' ORDER BY 1";
    assert_same(&migrated, &by_hand, columns).await;
    let indexes = "SELECT CONCAT_WS(' ', table_name, index_name, seq_in_index, column_name, \
                   non_unique) AS line FROM information_schema.statistics \
                   WHERE table_schema = '{place}' ORDER BY 1";
    assert_same(&migrated, &by_hand, indexes).await;
}

#[tokio::test]
#[ignore = "needs a MySQL or MariaDB server: cargo xtask test finds one"]
async fn each_role_may_do_its_own_work_and_no_more() {
    let mut place = Place::on_mysql().await;
    let prefix = format!("{}_", place.name);
    for role in ROLES {
        let (create, drop) = ("CREATE USER {user} IDENTIFIED BY 'hooks'", "DROP USER {user}");
        place.user(&format!("{prefix}{role}"), create, drop).await;
    }
    let owner = SeaOrmStore::connect(&place.url).await.unwrap();
    owner.migrate().await.unwrap();
    grant(&place, DatabaseKind::MySql, &TableNames::new(), &prefix).await;
    let open = |place: &Place, user: &str| SeaOrmStore::builder(place.url_of(user)).pool_size(1);
    Roles { place: &place, prefix, open }.assert_enough_and_no_more(&owner).await;
}
