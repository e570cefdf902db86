//! `MemoryStore` keeps the contract of a store.

use std::{sync::Arc, time::Duration};

use webhook_core::store::Store;
use webhook_testkit::{ManualClock, MemoryStore, StoreHarness};

struct Memory {
    store: MemoryStore,
    clock: ManualClock,
}

impl StoreHarness for Memory {
    async fn fresh() -> Self {
        let clock = ManualClock::new();
        Self { store: MemoryStore::new(Arc::new(clock.clone())), clock }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

webhook_testkit::store_conformance!(Memory);
