//! A store with a stopped clock.

use std::{sync::Mutex, time::Duration};

use webhook_core::Timestamp;
use webhook_store_seaorm::SeaOrmStore;

/// A migrated store with a stopped clock, and what has to stay until it is gone.
pub struct Fixed<K> {
    pub store: SeaOrmStore,
    pub keep: K,
    now: Mutex<Timestamp>,
    /// Other connections to the same data.
    opened_anew: Mutex<Vec<SeaOrmStore>>,
}

impl<K> Fixed<K> {
    pub async fn new(store: SeaOrmStore, keep: K) -> Self {
        store.migrate().await.unwrap();
        let now = Timestamp::from_unix_secs(1_767_225_600);
        store.set_clock(now);
        Self { store, keep, now: Mutex::new(now), opened_anew: Mutex::default() }
    }

    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = now.after(by);
        let opened_anew = self.opened_anew.lock().unwrap();
        for store in opened_anew.iter().chain([&self.store]) {
            store.set_clock(*now);
        }
    }

    /// Gives a store, that was opened anew, the same clock.
    pub fn reopened(&self, store: SeaOrmStore) -> SeaOrmStore {
        store.set_clock(*self.now.lock().unwrap());
        self.opened_anew.lock().unwrap().push(store.clone());
        store
    }
}
