//! Durable publishing: routes events, stores them with their deliveries, and passes the deliveries
//! that this process can send itself to its dispatcher.

mod routes_cache;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    engine::{
        fast_path::{FastPath, Reservation},
        read_snapshot::read_snapshot,
        routes::Routes,
        wake::Wake,
    },
    model::{
        delivery::Lease,
        event::Event,
        id::{EndpointId, TenantId},
    },
    port::{
        Store, StoreError, StoreErrorKind,
        store::intake::{Enqueue, Enqueued, FanOut, NewDelivery},
    },
};
use routes_cache::RoutesCache;

/// Number of times that a batch is stored while the answer to its commit is lost. The ids of the
/// events make a repeat safe.
const MAX_ENQUEUE_TRIES: usize = 3;

/// Maximum number of endpoints that are loaded for one batch. Deliveries to others are stored as
/// pending.
const MAX_LOADED_ENDPOINTS: usize = 1_000;

/// Routes of the tenants of a batch; `None` for a tenant whose endpoints cannot be read.
type RoutesByTenant = BTreeMap<TenantId, Option<Arc<Routes>>>;

/// Stores events with their deliveries, and routes them by cached snapshots of their tenants.
///
/// [`Dispatcher::publisher`](crate::Dispatcher::publisher) creates a publisher whose deliveries are
/// sent from memory by that dispatcher while it has free slots. Other deliveries are stored as
/// pending and claimed by any worker.
///
/// Clones share their cache. Dropping a call is safe: the slots are released, and if the events
/// were stored, a worker claims their deliveries after the leases have expired.
///
/// ```no_run
/// # async fn publish(dispatcher: &webhook_core::Dispatcher, event: webhook_core::Event,
/// # ) -> Result<(), webhook_core::StoreError> {
/// let publisher = dispatcher.publisher();
/// let answers = publisher.publish(&[event]).await?;
/// assert_eq!(answers.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EventPublisher {
    store: Arc<dyn Store>,
    cache: Arc<RoutesCache>,
    fast_path: FastPath,
    wake: Wake,
}

impl EventPublisher {
    /// Creates a publisher for a process that does not deliver. It wakes the dispatchers that share
    /// `wake`.
    pub fn new(store: Arc<dyn Store>, wake: Wake) -> Self {
        Self::with_fast_path(store, wake, FastPath::default())
    }

    pub(super) fn with_fast_path(store: Arc<dyn Store>, wake: Wake, fast_path: FastPath) -> Self {
        Self { store, cache: Arc::default(), fast_path, wake }
    }

    /// Stores `events` in one transaction, each with a delivery for every endpoint of its tenant
    /// that wants it. Returns an answer for each event, in order.
    ///
    /// If all slots of an endpoint are in use and are released quickly, the call waits for one, at
    /// most 250 ms. If the answer to the commit is lost, the batch is stored again; an event whose
    /// earlier storing is found then counts as [`Later`](Enqueued::Later).
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the store. After [`Unknown`](StoreErrorKind::Unknown) the events may be
    /// stored; publishing the same events again is safe.
    pub async fn publish(&self, events: &[Event]) -> Result<Vec<Enqueued>, StoreError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let by_tenant = self.routes_of(events).await?;
        self.load_endpoints(events, &by_tenant).await;
        let routes = |event: &Event| by_tenant.get(&event.tenant).and_then(Option::as_deref);
        let mut reservation = self.fast_path.reserve();
        if let Some((event, routes)) = events.first().and_then(|it| Some((it, routes(it)?))) {
            reservation.wait_for_slots(event, routes).await;
        }
        let route = |event: &Event| reservation.route(event.clone(), routes(event));
        let batch = events.iter().map(route).collect();
        let answers = self.enqueue(batch, reservation).await?;
        for (event, _) in events.iter().zip(&answers).filter(|(_, it)| **it == Enqueued::Later) {
            self.cache.forget(&event.tenant);
        }
        Ok(answers)
    }

    /// Stores `event` with this delivery alone, regardless of the filters of its tenant's
    /// endpoints. If the endpoint was removed, it returns
    /// [`EndpointGone`](Enqueued::EndpointGone) and the event is not stored.
    ///
    /// # Errors
    ///
    /// [`StoreError`] as from [`publish`](Self::publish).
    pub async fn publish_directly(
        &self,
        event: Event,
        delivery: NewDelivery,
    ) -> Result<Enqueued, StoreError> {
        let batch = vec![Enqueue::routed(event, FanOut::directly(delivery))];
        let answers = match self.store.enqueue(batch.clone()).await {
            Err(error) if error.kind() == StoreErrorKind::Unknown => {
                self.enqueue_again(batch).await?
            }
            answers => {
                let answers = answers?;
                self.wake.wake();
                answers
            }
        };
        Ok(answers.into_iter().next().unwrap_or(Enqueued::Later))
    }

    /// Forgets the cached endpoints of a tenant, so that the next publish reads them again.
    ///
    /// After an edit in this process it saves the next event the detour over a dispatcher. The
    /// store notices edits by other processes.
    pub fn forget(&self, tenant: &TenantId) {
        self.cache.forget(tenant);
    }

    /// Stores a batch. Deliveries are sent from memory only after the store has confirmed them.
    async fn enqueue(
        &self,
        batch: Vec<Enqueue>,
        reservation: Reservation,
    ) -> Result<Vec<Enqueued>, StoreError> {
        match self.store.enqueue(batch.clone()).await {
            Ok(answers) => {
                let settled = reservation.settle(&answers);
                if settled.has_pending_work {
                    self.wake.wake();
                }
                self.release(settled.unsent).await;
                Ok(answers)
            }
            Err(error) if error.kind() == StoreErrorKind::Unknown => {
                drop(reservation);
                self.enqueue_again(batch).await
            }
            Err(error) => Err(error),
        }
    }

    /// Stores a batch again after a lost answer. It takes no leases: if the first commit took
    /// effect, its leases expire, and no process would use new ones.
    ///
    /// Every error is [`Unknown`](StoreErrorKind::Unknown), because the first commit may have taken
    /// effect.
    async fn enqueue_again(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        let batch: Vec<_> = batch.into_iter().map(Enqueue::without_leases).collect();
        let mut tries = 1;
        loop {
            tries += 1;
            match self.store.enqueue(batch.clone()).await {
                Err(error)
                    if error.kind() == StoreErrorKind::Unknown && tries < MAX_ENQUEUE_TRIES => {}
                Err(error) => return Err(error.with_kind(StoreErrorKind::Unknown)),
                Ok(answers) => return Ok(self.after_repeat(&batch, answers)),
            }
        }
    }

    /// Wakes a worker for the deliveries of a repeated batch, and corrects its answers.
    fn after_repeat(&self, batch: &[Enqueue], answers: Vec<Enqueued>) -> Vec<Enqueued> {
        self.wake.wake();
        batch.iter().zip(answers).map(repeated).collect()
    }

    /// Releases leases that a stopped dispatcher left unused. If that fails, they expire.
    async fn release(&self, unsent: Vec<Lease>) {
        if unsent.is_empty() {
            return;
        }
        if let Err(error) = self.store.release(unsent).await {
            tracing::warn!(
                %error,
                cause = error.cause(),
                "failed to release unstarted deliveries; they become due when their leases expire"
            );
        }
    }

    /// Routes of the events' tenants.
    async fn routes_of(&self, events: &[Event]) -> Result<RoutesByTenant, StoreError> {
        let mut by_tenant = RoutesByTenant::new();
        for event in events {
            if !by_tenant.contains_key(&event.tenant) {
                let routes = readable(self.routes(&event.tenant).await)?;
                by_tenant.insert(event.tenant.clone(), routes);
            }
        }
        Ok(by_tenant)
    }

    async fn routes(&self, tenant: &TenantId) -> Result<Arc<Routes>, StoreError> {
        if let Some(routes) = self.cache.get(tenant) {
            return Ok(routes);
        }
        let known = self.cache.known(tenant);
        Ok(self.cache.insert(read_snapshot(&*self.store, tenant, known.as_ref()).await?))
    }

    /// Loads the endpoints whose deliveries this process may send from memory. If one cannot be
    /// loaded, its deliveries are stored as pending.
    async fn load_endpoints(&self, events: &[Event], by_tenant: &RoutesByTenant) {
        if !self.fast_path.is_open() {
            return;
        }
        let routes = |event: &Event| by_tenant.get(&event.tenant).and_then(Option::as_deref);
        let missing = |event: &Event| routes(event).map(|it| it.missing(&event.event_type));
        let missing: BTreeSet<EndpointId> = events.iter().filter_map(missing).flatten().collect();
        let missing: Vec<_> = missing.into_iter().take(MAX_LOADED_ENDPOINTS).collect();
        if missing.is_empty() {
            return;
        }
        match self.store.endpoints(&missing).await {
            Ok(answers) => {
                for endpoint in answers.into_iter().filter_map(|answer| answer.ok().flatten()) {
                    if let Some(Some(routes)) = by_tenant.get(&endpoint.tenant) {
                        routes.keep(endpoint);
                    }
                }
            }
            Err(error) => tracing::debug!(
                %error,
                cause = error.cause(),
                "failed to load endpoints; their deliveries are stored as pending"
            ),
        }
    }
}

/// Maps a damaged endpoint to `None`: the events of its tenant are stored and routed later, and
/// other tenants are not affected.
fn readable(answer: Result<Arc<Routes>, StoreError>) -> Result<Option<Arc<Routes>>, StoreError> {
    match answer {
        Ok(routes) => Ok(Some(routes)),
        Err(error) if error.kind().may_concern_one_item() => {
            tracing::error!(
                %error,
                cause = error.cause(),
                "failed to load endpoints; events are stored and routed later"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Corrects the answer to a repeated item: a duplicate of the event itself was stored by an earlier
/// try.
fn repeated((item, answer): (&Enqueue, Enqueued)) -> Enqueued {
    match answer {
        Enqueued::Duplicate(first) if first == item.event.id => Enqueued::Later,
        answer => answer,
    }
}
