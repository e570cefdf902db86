//! A store in a few maps: the required methods and the log. It decides nothing; the decisions are
//! functions of `store_state`.

mod claim;
mod log;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use webhook_registry::{
    Clock, Endpoint, EndpointId, Health, StoreError, StoreErrorKind, TenantId, Timestamp,
    store::{
        Backlog, Capabilities, Capability, ClaimDue, Claimed, ClaimedUnrouted, DeliveryLog,
        Enqueue, Enqueued, Finish, Finished, Lease, Route, Routed, RoutingEntry, RoutingUpdate,
        Store, TenantVersion, Updated,
    },
    store_state::edited_endpoint,
};

use state::State;

/// Keeps everything in memory. Clones are the same store.
#[derive(Clone, Debug)]
pub struct SmallStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

impl SmallStore {
    /// Creates an empty store whose due times and leases are counted by `clock`.
    pub fn new(clock: impl Clock) -> Self {
        Self { state: Arc::default(), clock: Arc::new(clock) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn each<T, R>(&self, batch: Vec<T>, change: fn(&mut State, T, Timestamp) -> R) -> Vec<R> {
        let (mut state, now) = (self.state(), self.now());
        batch.into_iter().map(|item| change(&mut state, item, now)).collect()
    }
}

#[async_trait]
impl Store for SmallStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE.with(Capability::SharedHealth)
    }

    fn log(&self) -> Option<&dyn DeliveryLog> {
        Some(self)
    }

    async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.endpoints.contains_key(&endpoint.id) {
            return Err(StoreError::new(StoreErrorKind::Exists));
        }
        state.raise_version(&endpoint.tenant);
        state.endpoints.insert(endpoint.id, Some(endpoint.with_health(Health::HEALTHY)));
        Ok(())
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError> {
        let mut state = self.state();
        Ok(match edited_endpoint(state.endpoint(endpoint.id), endpoint) {
            Ok(edited) => {
                let revision = edited.revision;
                state.raise_version(&edited.tenant);
                state.endpoints.insert(edited.id, Some(edited));
                Updated::Done(revision)
            }
            Err(result) => result,
        })
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        if state.endpoint(id).is_none_or(|endpoint| endpoint.tenant != *tenant) {
            return Ok(false);
        }
        state.endpoints.insert(id, None);
        state.raise_version(tenant);
        state.cancel_all(id, now);
        Ok(true)
    }

    async fn endpoints(
        &self,
        ids: &[EndpointId],
    ) -> Result<Vec<Result<Option<Endpoint>, StoreError>>, StoreError> {
        let state = self.state();
        Ok(ids.iter().map(|id| Ok(state.endpoint(*id).cloned())).collect())
    }

    async fn routing(
        &self,
        tenant: &TenantId,
        _known: Option<TenantVersion>,
    ) -> Result<RoutingUpdate, StoreError> {
        let state = self.state();
        let its = state.present().filter(|endpoint| endpoint.tenant == *tenant);
        let (version, entries) = (state.version(tenant), its.map(RoutingEntry::of).collect());
        Ok(RoutingUpdate::Whole { version, entries })
    }

    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        Ok(self.each(batch, State::enqueue))
    }

    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError> {
        Ok(self.state().claim_unrouted(limit, lease, self.now()))
    }

    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError> {
        Ok(self.each(batch, State::route))
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError> {
        Ok(self.state().claim_due(&claim, self.now()))
    }

    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        Ok(self.each(batch, State::finish))
    }

    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        Ok(self.each(batch, State::release))
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        Ok(self.state().backlog(self.now()))
    }
}
