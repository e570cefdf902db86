//! Publishing into SQLite.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod dropped;

use webhook_registry::SeaOrmStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_publish_is_stored_wholly_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/webhooks.db?mode=rwc", folder.path().display());
    dropped::a_dropped_publish_is_stored_wholly_or_not_at_all(SeaOrmStore::builder(url)).await;
}
