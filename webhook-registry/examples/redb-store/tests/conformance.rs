//! `RedbStore` keeps the contract of a store.

#![allow(clippy::unwrap_used, reason = "a panic is the failed test")]

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use redb_store::RedbStore;
use tempfile::TempDir;
use webhook_registry::store::Store;
use webhook_testkit::{ManualClock, StoreHarness};

struct Redb {
    folder: TempDir,
    store: RedbStore,
    clock: ManualClock,
    /// The present file, and the number of copies before it.
    file: Mutex<(PathBuf, u32)>,
}

impl StoreHarness for Redb {
    async fn fresh() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let path = folder.path().join("webhooks.redb");
        let store = RedbStore::open(&path, clock.clone(), None).unwrap();
        Self { folder, store, clock, file: Mutex::new((path, 0)) }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Opens a copy of the file, as another process finds it after a crash. A file can be open once
    /// at a time, and the case still holds the former store.
    async fn reopen(&self) -> Arc<dyn Store> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = self.folder.path().join(format!("copy-{}.redb", file.1));
        std::fs::copy(&file.0, &copy).unwrap();
        *file = (copy.clone(), file.1 + 1);
        Arc::new(RedbStore::open(copy, self.clock.clone(), None).unwrap())
    }
}

webhook_testkit::store_conformance!(Redb);
