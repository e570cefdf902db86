//! The contract of a store, proven on a file and in memory.

#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tempfile::TempDir;
use webhook_core::{Store, Timestamp};
use webhook_store_seaorm::SeaOrmStore;
use webhook_testkit::StoreHarness;

/// A store with a stopped clock, and the folder it lives in.
struct Fixed {
    store: SeaOrmStore,
    now: Mutex<Timestamp>,
    _folder: Option<TempDir>,
}

impl Fixed {
    async fn open(url: &str, folder: Option<TempDir>) -> Self {
        let store = SeaOrmStore::connect(url).await.unwrap();
        store.migrate().await.unwrap();
        let now = Timestamp::from_unix_secs(1_767_225_600);
        store.set_clock(now);
        Self { store, now: Mutex::new(now), _folder: folder }
    }

    fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = now.after(by);
        self.store.set_clock(*now);
    }
}

macro_rules! prove {
    ($module:ident, $open:expr) => {
        mod $module {
            use super::*;

            struct Harness(Fixed);

            impl StoreHarness for Harness {
                async fn fresh() -> Self {
                    Self($open.await)
                }

                fn store(&self) -> Arc<dyn Store> {
                    Arc::new(self.0.store.clone())
                }

                async fn advance(&self, by: Duration) {
                    self.0.advance(by);
                }
            }

            webhook_testkit::store_conformance!(Harness);
        }
    };
}

prove!(on_a_file, async {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/webhooks.db?mode=rwc", folder.path().display());
    Fixed::open(&url, Some(folder)).await
});

prove!(in_memory, Fixed::open("sqlite::memory:", None));
