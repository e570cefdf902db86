//! Publishing into MySQL or MariaDB.

#![cfg(feature = "mysql")]

mod dropped;
mod outbox;
mod replayed;

use std::future::Future;

use webhook_registry::database::SeaOrmStore;

use dropped::{leaving, run, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL or MariaDB server: cargo xtask test finds one"]
async fn a_dropped_publish_is_stored_wholly_or_not_at_all() {
    in_database("publish", |url| {
        dropped::a_dropped_publish_is_stored_wholly_or_not_at_all(SeaOrmStore::builder(url))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL or MariaDB server: cargo xtask test finds one"]
async fn a_replay_killed_half_way_and_repeated_sends_each_once() {
    in_database("replay", |url| {
        replayed::a_replay_killed_half_way_and_repeated_sends_each_once(SeaOrmStore::builder(url))
    })
    .await;
}

#[cfg(all(feature = "http", feature = "sqlite", feature = "sqlx"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL or MariaDB server: cargo xtask test finds one"]
async fn a_row_and_its_event_commit_together_or_not_at_all() {
    in_database("outbox", outbox::a_row_and_its_event_commit_together_or_not_at_all).await;
}

/// Runs `case` with a database of its own.
async fn in_database<C>(what: &str, case: impl FnOnce(String) -> C)
where
    C: Future<Output = ()> + Send + 'static,
{
    let (server, name) = server("WEBHOOK_TEST_MYSQL", what);
    let (base, parameters) = server.split_once('?').unwrap_or((&server, ""));
    let host = base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let url = format!("{host}/{name}?{parameters}");
    run(&server, &format!("CREATE DATABASE {name}")).await;
    let leave = [format!("DROP DATABASE IF EXISTS {name}")];
    leaving(case(url), &server, &leave).await;
}
