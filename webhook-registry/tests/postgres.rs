//! Publishing into PostgreSQL.

#![cfg(feature = "postgres")]

mod dropped;

use dropped::{a_dropped_publish_is_stored_wholly_or_not_at_all as case, leaving, server};
use webhook_registry::SeaOrmStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
async fn a_dropped_publish_is_stored_wholly_or_not_at_all() {
    let (server, name) = server("WEBHOOK_TEST_POSTGRES");
    let mark = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{mark}application_name={name}");
    // Whatever the test has left open would hold the schema.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name =";
    let leave = [format!("{end} '{name}'"), format!("DROP SCHEMA IF EXISTS {name} CASCADE")];
    leaving(case(SeaOrmStore::builder(url).schema(&name)), &server, &leave).await;
}
