//! Publishing into MySQL or MariaDB.

#![cfg(feature = "mysql")]

mod dropped;

use dropped::{a_dropped_publish_is_stored_wholly_or_not_at_all as case, leaving, run, server};
use webhook_registry::SeaOrmStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL or MariaDB server: cargo xtask test finds one"]
async fn a_dropped_publish_is_stored_wholly_or_not_at_all() {
    let (server, name) = server("WEBHOOK_TEST_MYSQL");
    let (base, parameters) = server.split_once('?').unwrap_or((&server, ""));
    let host = base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let url = format!("{host}/{name}?{parameters}");
    run(&server, &format!("CREATE DATABASE {name}")).await;
    let leave = [format!("DROP DATABASE IF EXISTS {name}")];
    leaving(case(SeaOrmStore::builder(url)), &server, &leave).await;
}
