//! A store in memory, under the same contract as a database.

mod claim;
mod deliveries;
mod endpoints;
mod enqueue;
mod finish;
mod health;
mod log;
mod maintenance;
mod order;
mod ports;
mod prune;
mod replay;
mod row;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use webhook_core::store_state::OrderQueue;
use webhook_core::{
    Clock, DeliveryId, EndpointId, EventId, EventKey, Notice, NoticeId, OrderingKey, TenantId,
    Timestamp,
    store::{Capabilities, Capability, TenantVersion},
};

use crate::ManualClock;
use row::{DeliveryRow, EndpointRow, EventRow};

/// A store in memory. Clones are the same store; with the last of them everything is gone.
///
/// It keeps the whole contract of [`Store`](webhook_core::store::Store) and passes the suite that a
/// database has to pass, but it looks through everything it holds on each claim: for tests and
/// trials, not for a backlog.
///
/// ```
/// use std::sync::Arc;
/// use webhook_testkit::{ManualClock, MemoryStore};
///
/// let clock = ManualClock::new();
/// let store = MemoryStore::new(Arc::new(clock.clone())); // turning the clock makes work due
/// # let _ = store;
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    capabilities: Capabilities,
}

/// Everything stored. Each method of the ports is one call under the lock, and so all or nothing.
#[derive(Default)]
struct State {
    tenants: BTreeMap<TenantId, TenantVersion>,
    endpoints: BTreeMap<EndpointId, EndpointRow>,
    events: BTreeMap<EventId, EventRow>,
    keys: BTreeMap<(TenantId, EventKey), EventId>,
    deliveries: BTreeMap<DeliveryId, DeliveryRow>,
    /// Queues of deliveries that are sent one after the other. None is empty.
    lines: BTreeMap<(EndpointId, OrderingKey), OrderQueue>,
    leases_lost: u64,
    notices: BTreeMap<(Timestamp, NoticeId), Notice>,
    /// When events were stored.
    stored_at: BTreeMap<EventId, Timestamp>,
}

impl MemoryStore {
    /// An empty store that reckons due times and leases by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        // The data ends with the process.
        let capabilities = Capabilities::ALL.without(Capability::Durability);
        Self { state: Arc::default(), clock, capabilities }
    }

    /// Removes a capability from this handle, for tests of a program that must do without it.
    #[must_use]
    pub const fn without(mut self, capability: Capability) -> Self {
        self.capabilities = self.capabilities.without(capability);
        self
    }

    const fn has(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    /// An empty store with a clock of its own that stands still.
    fn default() -> Self {
        Self::new(Arc::new(ManualClock::new()))
    }
}

impl State {
    fn version(&self, tenant: &TenantId) -> TenantVersion {
        self.tenants.get(tenant).copied().unwrap_or_default()
    }

    fn raise_version(&mut self, tenant: &TenantId) {
        let version = self.tenants.entry(tenant.clone()).or_default();
        *version = version.next();
    }
}

impl fmt::Debug for MemoryStore {
    /// Numbers only: rows hold secrets and payloads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MemoryStore")
            .field("endpoints", &state.endpoints.len())
            .field("events", &state.events.len())
            .field("deliveries", &state.deliveries.len())
            .finish_non_exhaustive()
    }
}
