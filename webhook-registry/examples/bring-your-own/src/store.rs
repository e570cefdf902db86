//! A store in a few maps. Small, not fast: each method walks what it needs.

mod claim;
mod deliveries;
mod endpoints;
mod log;
mod maintenance;
mod order;
mod ports;
mod prune;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use webhook_registry::{Clock, Timestamp};

use state::State;

/// Keeps everything in memory. Clones are the same store.
#[derive(Clone, Debug)]
pub struct SmallStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

impl SmallStore {
    /// An empty store whose due times and leases go by `clock`.
    pub fn new(clock: impl Clock) -> Self {
        Self { state: Arc::default(), clock: Arc::new(clock) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
