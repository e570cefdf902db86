//! A store with a stopped clock.

use std::{sync::Mutex, time::Duration};

use webhook_core::Timestamp;
use webhook_store_seaorm::SeaOrmStore;

/// A migrated store with a stopped clock, and what has to stay until it is gone.
pub struct Fixed<K> {
    pub store: SeaOrmStore,
    now: Mutex<Timestamp>,
    _keep: K,
}

impl<K> Fixed<K> {
    pub async fn new(store: SeaOrmStore, keep: K) -> Self {
        store.migrate().await.unwrap();
        let now = Timestamp::from_unix_secs(1_767_225_600);
        store.set_clock(now);
        Self { store, now: Mutex::new(now), _keep: keep }
    }

    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = now.after(by);
        self.store.set_clock(*now);
    }
}
