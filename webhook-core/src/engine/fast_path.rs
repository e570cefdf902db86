//! Fast path: a process that both publishes and delivers sends new deliveries from memory.
//!
//! A publisher reserves slots before it stores an event, stores those deliveries already leased,
//! and queues them for the dispatcher after the commit. They need no claim and no second read. A
//! delivery that gets no slot is stored pending and is claimed later.
//!
//! Correctness does not depend on the fast path. If the process dies, or the publisher is dropped,
//! the lease expires and a worker claims the delivery.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, select_biased};

use crate::{
    engine::{
        admission::{
            Admission, ReservedClaim, accepts_attempts, slots::Slots, wait_queue::MAX_SLOT_WAIT,
        },
        routes::Routes,
    },
    model::{
        delivery::Lease,
        endpoint::Endpoint,
        event::Event,
        id::{DeliveryId, EndpointId, LeaseEpoch},
        routing::RoutingEntry,
    },
    port::store::{
        intake::{Enqueue, Enqueued, FanOut, NewDelivery},
        work::Claim,
    },
};

/// Queues stored deliveries for the dispatcher of the same process.
///
/// It is open from the start of the dispatcher until its shutdown. Clones share one fast path. The
/// default value is never open.
#[derive(Clone, Debug, Default)]
pub(super) struct FastPath(Arc<Mutex<Option<Arc<Admission>>>>);

impl FastPath {
    /// Starts a batch.
    ///
    /// Leases are counted from this call, or from the end of
    /// [`wait_for_slots`](Reservation::wait_for_slots). Call it when only the commit is left to
    /// wait for.
    pub(super) fn reserve(&self) -> Reservation {
        let admission = self.admission().clone();
        let requested_at =
            admission.as_ref().map(|open| open.clock.monotonic()).unwrap_or_default();
        Reservation { admission, requested_at, early_slot: None, events: Vec::new() }
    }

    /// Returns true if a dispatcher of this process sends from memory.
    pub(super) fn is_open(&self) -> bool {
        self.admission().is_some()
    }

    /// Opens the fast path, unless another run of the dispatcher has opened it.
    pub(super) fn open(&self, admission: &Arc<Admission>) {
        self.admission().get_or_insert_with(|| Arc::clone(admission));
    }

    /// Closes the fast path if it was opened with `admission`.
    pub(super) fn close(&self, admission: &Arc<Admission>) {
        self.admission().take_if(|open| Arc::ptr_eq(open, admission));
    }

    fn admission(&self) -> MutexGuard<'_, Option<Arc<Admission>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Slots reserved for a batch of events that is being stored. Dropping it releases them.
#[derive(Debug)]
#[must_use = "dropping a reservation releases its slots"]
pub(super) struct Reservation {
    admission: Option<Arc<Admission>>,
    requested_at: Duration,
    /// Endpoint for which a slot was reserved before its event was routed.
    early_slot: Option<EndpointId>,
    events: Vec<ReservedEvent>,
}

/// Reservation for one event.
#[derive(Debug, Default)]
struct ReservedEvent {
    claims: Vec<ReservedClaim>,
    /// True if a delivery has to be claimed although no slot was refused: this process does not
    /// deliver, or the delivery belongs to an order queue.
    has_pending_work: bool,
    /// Endpoints that had no free slot.
    refused: Vec<Arc<Endpoint>>,
}

/// Result of settling a batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    /// True if work was stored that a dispatcher has to claim or route.
    pub(super) has_pending_work: bool,
    /// Leases that will not be used because the dispatcher has ended. The caller should release
    /// them in the store.
    pub(super) unsent: Vec<Lease>,
}

impl Reservation {
    /// Reserves a slot for `event`, the next of the batch, and waits for one if necessary.
    ///
    /// It waits at most 250 ms, and only if the event is for exactly one endpoint and slots are
    /// being released quickly. It never waits for an endpoint that is known to be slow, nor on a
    /// clock that is not real-time.
    ///
    /// Called for the first event of each batch, it applies backpressure: publishers slow down to
    /// the rate of sending, instead of storing deliveries that have to be claimed.
    pub(super) async fn wait_for_slots(&mut self, event: &Event, routes: &Routes) {
        let Some(admission) = self.admission.clone().filter(|open| open.clock.is_real_time())
        else {
            return;
        };
        let until = self.requested_at.saturating_add(MAX_SLOT_WAIT);
        let (slot, mut overtaken) = (&mut self.early_slot, false);
        while let Some(waiter) = admission.reserve_or_wait(event, routes, slot, overtaken) {
            let left = until.saturating_sub(admission.clock.monotonic());
            select_biased! {
                woken = waiter.fuse() => overtaken = woken.is_ok(),
                () = admission.clock.sleep(left).fuse() => break,
            }
        }
        self.requested_at = admission.clock.monotonic();
    }

    /// Builds the store's input for the next event of the batch.
    ///
    /// With routes, each matching endpoint gets one delivery: leased if the endpoint is loaded and
    /// accepts attempts and a slot is free, otherwise pending; `missed` if the endpoint is disabled.
    /// Without routes, the event is stored unrouted.
    pub(super) fn route(&mut self, event: Event, routes: Option<&Routes>) -> Enqueue {
        let mut reserved = ReservedEvent::default();
        let item = match routes {
            None => Enqueue::unrouted(event),
            Some(routes) => {
                let snapshot = routes.snapshot();
                let mut deliveries = self.deliveries(&event, routes, &mut reserved);
                let missing = snapshot.missing(&event.event_type);
                let missed = missing.into_iter().map(|endpoint| NewDelivery::missed(endpoint.id));
                deliveries.extend(missed);
                Enqueue::routed(event, FanOut::by(snapshot.version(), deliveries))
            }
        };
        self.events.push(reserved);
        item
    }

    fn deliveries(
        &mut self,
        event: &Event,
        routes: &Routes,
        reserved: &mut ReservedEvent,
    ) -> Vec<NewDelivery> {
        let entries = routes.snapshot().routed(&event.event_type);
        let Some(admission) = self.admission.clone().filter(|_| !entries.is_empty()) else {
            reserved.has_pending_work = entries.iter().any(|entry| entry.state.is_active());
            return entries.iter().map(|entry| NewDelivery::pending(entry.id)).collect();
        };
        let loaded = routes.loaded();
        // The body is shared between the deliveries of all endpoints.
        let event = Arc::new(event.clone());
        let (mut state, now) = (admission.state(), admission.clock.now());
        let new = |entry: &RoutingEntry| {
            let Some(endpoint) = loaded.get(entry) else {
                reserved.has_pending_work |= entry.state.is_active();
                return NewDelivery::pending(entry.id);
            };
            if !accepts_attempts(endpoint, now) {
                return NewDelivery::pending(endpoint.id);
            }
            // Only the store knows which delivery of an order queue is first.
            if endpoint.keeps_order_of(&event) {
                reserved.has_pending_work = true;
                return NewDelivery::pending(endpoint.id);
            }
            let is_reserved = self.take_early_slot(endpoint.id);
            if is_reserved || state.open && state.slots.reserve(endpoint) {
                reserved.claims.push(self.reserved_claim(&event, endpoint));
                let leased = NewDelivery::leased(endpoint.id, admission.lease);
                return leased.with_worker(admission.worker.clone());
            }
            reserved.refused.push(Arc::clone(endpoint));
            NewDelivery::pending(endpoint.id)
        };
        entries.into_iter().map(new).collect()
    }

    /// Uses the slot that was reserved early for an endpoint. Returns false if there is none.
    fn take_early_slot(&mut self, endpoint: EndpointId) -> bool {
        self.early_slot.take_if(|id| *id == endpoint).is_some()
    }

    fn reserved_claim(&self, event: &Arc<Event>, endpoint: &Arc<Endpoint>) -> ReservedClaim {
        let delivery = DeliveryId::new(event.id, endpoint.id);
        let lease = Lease { delivery, epoch: LeaseEpoch::default().next() };
        let claim = Claim::new(lease, Arc::clone(event), endpoint.revision);
        let endpoint = Arc::clone(endpoint);
        ReservedClaim { claim, endpoint, requested_at: self.requested_at }
    }

    /// Queues the stored deliveries for the dispatcher and releases all other slots.
    ///
    /// Call this only with the store's results. If it is unknown whether the batch was committed,
    /// drop the reservation: nothing of that batch may be sent from memory.
    pub(super) fn settle(mut self, results: &[Enqueued]) -> Settled {
        let mut settled = Settled::default();
        self.release_early_slot();
        let events = std::mem::take(&mut self.events);
        for (at, reserved) in events.into_iter().enumerate() {
            match results.get(at) {
                Some(Enqueued::Routed(_)) => {
                    let is_claimable = self.mark_refused(&reserved);
                    settled.has_pending_work |= is_claimable || reserved.has_pending_work;
                    settled.unsent.extend(self.queue_for_dispatcher(reserved));
                }
                Some(Enqueued::Later) | None => {
                    settled.has_pending_work = true;
                    self.release_slots(&reserved);
                }
                Some(Enqueued::Duplicate(_) | Enqueued::Conflict(_) | Enqueued::EndpointGone) => {
                    self.release_slots(&reserved);
                }
            }
        }
        settled
    }

    /// Marks the endpoints that got no slot as backlogged, now that a claim can see their work.
    /// Returns true if a claim is worthwhile.
    ///
    /// It is not for a full endpoint: the end of one of its attempts triggers the next claim. One
    /// claim per event of a slow endpoint would cost the others throughput.
    fn mark_refused(&self, reserved: &ReservedEvent) -> bool {
        let Some(admission) = &self.admission else { return false };
        let mut state = admission.state();
        let slots = &mut state.slots;
        // A backlogged endpoint with a rate limit is claimed when its rate allows.
        let waits =
            |endpoint: &Endpoint| endpoint.rate.is_some() && slots.is_backlogged(endpoint.id);
        let worthwhile = |endpoint: &Arc<Endpoint>| !slots.is_full(endpoint) && !waits(endpoint);
        let is_claimable = reserved.refused.iter().any(worthwhile);
        reserved.refused.iter().for_each(|endpoint| slots.mark_backlogged(endpoint));
        is_claimable
    }

    /// Queues the claims for the dispatcher. Returns their leases if the dispatcher has ended.
    fn queue_for_dispatcher(&self, reserved: ReservedEvent) -> Vec<Lease> {
        let Some(admission) = &self.admission else { return Vec::new() };
        let mut state = admission.state();
        if state.ended {
            return reserved.claims.iter().map(|reserved| reserved.claim.lease).collect();
        }
        let lease_ends = self.requested_at.saturating_add(admission.lease);
        for reserved in &reserved.claims {
            state.slots.convert_reserved(reserved.claim.lease, lease_ends);
        }
        let has_claims = !reserved.claims.is_empty();
        state.queued.extend(reserved.claims);
        drop(state);
        if has_claims {
            admission.wake.wake();
        }
        Vec::new()
    }

    fn release_slots(&self, reserved: &ReservedEvent) {
        self.release(reserved.claims.iter().map(|reserved| reserved.endpoint.id).collect());
    }

    fn release_early_slot(&mut self) {
        let early_slot = self.early_slot.take();
        self.release(early_slot.into_iter().collect());
    }

    /// Releases one slot of each endpoint.
    fn release(&self, endpoints: Vec<EndpointId>) {
        let Some(admission) = self.admission.as_ref().filter(|_| !endpoints.is_empty()) else {
            return;
        };
        let release =
            |slots: &mut Slots| endpoints.into_iter().for_each(|id| slots.release_slot(id));
        admission.with_slots(release);
        // A dispatcher that is shutting down waits for these slots.
        admission.wake.wake();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release_early_slot();
        self.events.iter().for_each(|reserved| self.release_slots(reserved));
    }
}
