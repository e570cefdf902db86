//! `SmallStore` keeps the contract of a store.

use std::{sync::Arc, time::Duration};

use bring_your_own::SmallStore;
use webhook_registry::store::Store;
use webhook_testkit::{ManualClock, StoreHarness};

struct Small {
    store: SmallStore,
    clock: ManualClock,
}

impl StoreHarness for Small {
    async fn fresh() -> Self {
        let clock = ManualClock::new();
        Self { store: SmallStore::new(clock.clone()), clock }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

webhook_testkit::store_conformance!(Small);
