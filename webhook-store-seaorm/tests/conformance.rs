//! The contract of a store, proven on a file and in memory.

#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod common;

use std::{sync::Arc, time::Duration};

use common::fixed::Fixed;
use tempfile::TempDir;
use webhook_core::store::Store;
use webhook_store_seaorm::SeaOrmStore;
use webhook_testkit::StoreHarness;

/// A store, and its file, unless it is in memory.
async fn open(url: String, folder: Option<TempDir>) -> Fixed<(String, Option<TempDir>)> {
    let store = SeaOrmStore::connect(&url).await.unwrap();
    Fixed::new(store, (url, folder)).await
}

macro_rules! prove {
    ($module:ident, $open:expr) => {
        mod $module {
            use super::*;

            struct Harness(Fixed<(String, Option<TempDir>)>);

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

                async fn reopen(&self) -> Arc<dyn Store> {
                    match &self.0.keep {
                        (url, Some(_)) => {
                            let store = SeaOrmStore::connect(url).await.unwrap();
                            Arc::new(self.0.reopened(store))
                        }
                        // In memory, everything would be gone.
                        (_, None) => self.store(),
                    }
                }
            }

            webhook_testkit::store_conformance!(Harness);
        }
    };
}

prove!(on_a_file, async {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/webhooks.db?mode=rwc", folder.path().display());
    open(url, Some(folder)).await
});

prove!(in_memory, open("sqlite::memory:".to_owned(), None));
