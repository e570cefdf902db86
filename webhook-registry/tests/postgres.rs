//! Publishing into PostgreSQL.

#![cfg(feature = "postgres")]

mod dropped;
mod outbox;
mod replayed;

use std::future::Future;

use webhook_registry::database::SeaOrmStore;

use dropped::{leaving, run, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
async fn a_dropped_publish_is_stored_wholly_or_not_at_all() {
    in_schema("publish", |url, schema| {
        let open = SeaOrmStore::builder(url).schema(schema);
        dropped::a_dropped_publish_is_stored_wholly_or_not_at_all(open)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
async fn a_replay_killed_half_way_and_repeated_sends_each_once() {
    in_schema("replay", |url, schema| {
        let open = SeaOrmStore::builder(url).schema(schema);
        replayed::a_replay_killed_half_way_and_repeated_sends_each_once(open)
    })
    .await;
}

#[cfg(all(feature = "http", feature = "sqlite", feature = "sqlx"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server: cargo xtask test finds one"]
async fn a_row_and_its_event_commit_together_or_not_at_all() {
    in_schema("outbox", |url, schema| {
        let url = format!("{url}&options=-csearch_path%3D{schema}");
        outbox::a_row_and_its_event_commit_together_or_not_at_all(url)
    })
    .await;
}

/// Runs `case` with a schema of its own, which is there for it alone.
async fn in_schema<C>(what: &str, case: impl FnOnce(String, String) -> C)
where
    C: Future<Output = ()> + Send + 'static,
{
    let (server, name) = server("WEBHOOK_TEST_POSTGRES", what);
    let mark = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{mark}application_name={name}");
    run(&server, &format!("CREATE SCHEMA {name}")).await;
    // Whatever the test has left open would hold the schema.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name =";
    let leave = [format!("{end} '{name}'"), format!("DROP SCHEMA {name} CASCADE")];
    leaving(case(url, name), &server, &leave).await;
}
