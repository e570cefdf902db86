//! Publishing into SQLite.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod dropped;
mod outbox;
mod replayed;

use tempfile::TempDir;
use webhook_registry::database::SeaOrmStore;

/// A database of its own, and the folder that it vanishes with.
fn file() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/webhooks.db?mode=rwc", folder.path().display());
    (folder, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_publish_is_stored_wholly_or_not_at_all() {
    let (_folder, url) = file();
    dropped::a_dropped_publish_is_stored_wholly_or_not_at_all(SeaOrmStore::builder(url)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_killed_half_way_and_repeated_sends_each_once() {
    let (_folder, url) = file();
    replayed::a_replay_killed_half_way_and_repeated_sends_each_once(SeaOrmStore::builder(url))
        .await;
}

#[cfg(all(feature = "http", feature = "sqlx"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_and_its_event_commit_together_or_not_at_all() {
    let (_folder, url) = file();
    outbox::a_row_and_its_event_commit_together_or_not_at_all(url).await;
}
