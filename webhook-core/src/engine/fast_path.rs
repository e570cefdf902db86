//! The fast lane: what a process publishes, and also delivers, is sent from memory.
//!
//! A publisher takes slots before it stores an event, stores those deliveries already leased, and
//! hands them over once they are stored: no claim, no second look at the store. What finds no slot is
//! stored pending, and claimed in its turn. Nothing depends on the lane: should the process die, or
//! the publisher give up, the lease runs out and somebody claims the delivery.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, select_biased};

use crate::{
    engine::admission::{Bay, Delivering, takes_attempts, wait_queue::PATIENCE},
    model::{
        delivery::Lease,
        endpoint::Endpoint,
        event::Event,
        id::{DeliveryId, EndpointId, LeaseEpoch},
        routing::Snapshot,
    },
    port::store::deliveries::{Claim, Enqueue, Enqueued, FanOut, NewDelivery},
};

/// Way from the publishers of a process to its dispatcher.
///
/// Open while the dispatcher runs, until it is told to stop. Clones are the same way; the default one
/// is never open.
#[derive(Clone, Debug, Default)]
pub(super) struct FastLane(Arc<Mutex<Option<Arc<Bay>>>>);

impl FastLane {
    /// Begins a batch. Best called when there is nothing left to wait for but the store's commit: the
    /// leases are reckoned from here.
    pub(super) fn reserve(&self) -> Reservation {
        let bay = self.door().clone();
        let asked_at = bay.as_ref().map(|bay| bay.clock.monotonic()).unwrap_or_default();
        Reservation { bay, asked_at, ahead: None, events: Vec::new() }
    }

    /// Opens the lane into `bay`, unless it leads elsewhere.
    pub(super) fn open(&self, bay: &Arc<Bay>) {
        self.door().get_or_insert_with(|| Arc::clone(bay));
    }

    /// Closes the lane, if it leads into `bay`.
    pub(super) fn close(&self, bay: &Arc<Bay>) {
        self.door().take_if(|open| Arc::ptr_eq(open, bay));
    }

    fn door(&self) -> MutexGuard<'_, Option<Arc<Bay>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Slots taken for a batch of events that is being stored. Dropped, it gives them back.
#[derive(Debug)]
#[must_use = "the slots are given back when it is dropped"]
pub(super) struct Reservation {
    bay: Option<Arc<Bay>>,
    asked_at: Duration,
    /// The endpoint that a slot was taken for ahead of the event.
    ahead: Option<EndpointId>,
    events: Vec<Reserved>,
}

/// What was reserved for one event.
#[derive(Debug, Default)]
struct Reserved {
    claims: Vec<Delivering>,
    /// Whether a delivery waits in the store for somebody to claim it, without having been refused a
    /// slot: nobody works here, or it has to wait for its turn.
    left_waiting: bool,
    /// The endpoints that had no slot free.
    refused: Vec<Arc<Endpoint>>,
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    /// Whether something was stored that a dispatcher has to look for.
    pub(super) left_waiting: bool,
    /// Leases that nobody is going to use, since the dispatcher has ended meanwhile: best given back
    /// to the store.
    pub(super) unsent: Vec<Lease>,
}

impl Reservation {
    /// Takes a slot for `event`, the next one of the batch, if it is for one endpoint; where that is full, and
    /// slots come free so fast that it takes but a moment, it waits for one: at most 250 ms, and no time
    /// for an endpoint that is known to be slow. Done for the first event of each batch, publishers that are faster than
    /// what is sent slow down to its pace, instead of storing what has to be claimed.
    pub(super) async fn wait_for_slots(&mut self, event: &Event, snapshot: &Snapshot) {
        let Some(bay) = self.bay.clone().filter(|bay| bay.clock.passes_by_itself()) else { return };
        let until = self.asked_at.saturating_add(PATIENCE);
        let mut again = false;
        while let Some(turn) = bay.take_or_line_up(event, snapshot, &mut self.ahead, again) {
            let left = until.saturating_sub(bay.clock.monotonic());
            select_biased! {
                told = turn.fuse() => again = told.is_ok(),
                () = bay.clock.sleep(left).fuse() => break,
            }
        }
        self.asked_at = bay.clock.monotonic();
    }

    /// The event as a store takes it, the next one of the batch: routed by `snapshot`, its deliveries
    /// leased as far as there are slots; to be routed later, when there is none.
    pub(super) fn route(&mut self, event: Event, snapshot: Option<&Snapshot>) -> Enqueue {
        let mut reserved = Reserved::default();
        let item = match snapshot {
            None => Enqueue::unrouted(event),
            Some(snapshot) => {
                let mut deliveries = self.deliveries(&event, snapshot, &mut reserved);
                let missing = snapshot.missing(&event.event_type);
                deliveries.extend(missing.into_iter().map(|it| NewDelivery::missed(it.id)));
                Enqueue::routed(event, FanOut::by(snapshot.version(), deliveries))
            }
        };
        self.events.push(reserved);
        item
    }

    fn deliveries(
        &mut self,
        event: &Event,
        snapshot: &Snapshot,
        reserved: &mut Reserved,
    ) -> Vec<NewDelivery> {
        let endpoints = snapshot.routed(&event.event_type);
        let Some(bay) = self.bay.clone().filter(|_| !endpoints.is_empty()) else {
            reserved.left_waiting = endpoints.iter().any(|endpoint| endpoint.state.is_active());
            return endpoints.iter().map(|endpoint| NewDelivery::pending(endpoint.id)).collect();
        };
        // The body is shared, however many endpoints get it.
        let (mut state, event, now) = (bay.state(), Arc::new(event.clone()), bay.clock.now());
        let new = |endpoint: &Arc<Endpoint>| {
            if !takes_attempts(endpoint, now) {
                return NewDelivery::pending(endpoint.id);
            }
            // Whether it is its turn is known to the store alone.
            if endpoint.keeps_order_of(&event) {
                reserved.left_waiting = true;
                return NewDelivery::pending(endpoint.id);
            }
            if self.has_ahead(endpoint.id) || state.open && state.slots.reserve(endpoint) {
                reserved.claims.push(self.delivering(&event, endpoint));
                let leased = NewDelivery::leased(endpoint.id, bay.lease);
                return leased.with_worker(bay.worker.clone());
            }
            reserved.refused.push(Arc::clone(endpoint));
            NewDelivery::pending(endpoint.id)
        };
        endpoints.into_iter().map(new).collect()
    }

    /// Uses the slot that was taken ahead for an endpoint, if one was.
    fn has_ahead(&mut self, endpoint: EndpointId) -> bool {
        self.ahead.take_if(|id| *id == endpoint).is_some()
    }

    fn delivering(&self, event: &Arc<Event>, endpoint: &Arc<Endpoint>) -> Delivering {
        let delivery = DeliveryId::new(event.id, endpoint.id);
        let lease = Lease { delivery, epoch: LeaseEpoch::default().next() };
        let claim = Claim::new(lease, Arc::clone(event), endpoint.revision);
        Delivering { claim, endpoint: Arc::clone(endpoint), asked_at: self.asked_at }
    }

    /// Hands over what is stored, by the store's `answers` to the batch, and gives the slots of the
    /// rest back.
    ///
    /// Only for a store that has answered: of a batch that may be stored or not, nothing is sent from
    /// memory, and dropping the reservation is all there is to do.
    pub(super) fn settle(mut self, answers: &[Enqueued]) -> Settled {
        let mut settled = Settled::default();
        self.give_back_ahead();
        let events = std::mem::take(&mut self.events);
        for (at, reserved) in events.into_iter().enumerate() {
            match answers.get(at) {
                Some(Enqueued::Routed(_)) => {
                    settled.left_waiting |= self.note_refused(&reserved) || reserved.left_waiting;
                    settled.unsent.extend(self.hand_over(reserved));
                }
                Some(Enqueued::Later) | None => {
                    settled.left_waiting = true;
                    self.give_back(&reserved);
                }
                Some(Enqueued::Duplicate(_) | Enqueued::Conflict(_) | Enqueued::EndpointGone) => {
                    self.give_back(&reserved);
                }
            }
        }
        settled
    }

    /// Notes that work of those that were refused is stored: only from now on a claim can see it.
    /// Answers whether it is worth looking for. Where the endpoint is full, the end of one of its
    /// attempts says when; a look at each event of a slow one would be at the others' expense.
    fn note_refused(&self, reserved: &Reserved) -> bool {
        let Some(bay) = &self.bay else { return false };
        let mut state = bay.state();
        let slots = &mut state.slots;
        // Its rate says when to look, where some of its work waits already.
        let waits = |it: &Endpoint| it.rate.is_some() && slots.is_behind(it.id);
        let worth = reserved.refused.iter().any(|it| !slots.is_full(it) && !waits(it));
        reserved.refused.iter().for_each(|endpoint| slots.note_behind(endpoint));
        worth
    }

    /// Answers the leases that nobody takes any more.
    fn hand_over(&self, reserved: Reserved) -> Vec<Lease> {
        let Some(bay) = &self.bay else { return Vec::new() };
        let mut state = bay.state();
        if state.ended {
            return reserved.claims.iter().map(|handed| handed.claim.lease).collect();
        }
        let ends = self.asked_at.saturating_add(bay.lease);
        for handed in &reserved.claims {
            state.slots.hand_over(handed.claim.lease, ends);
        }
        let news = !reserved.claims.is_empty();
        state.handed_over.extend(reserved.claims);
        drop(state);
        if news {
            bay.news.wake();
        }
        Vec::new()
    }

    fn give_back(&self, reserved: &Reserved) {
        self.free(reserved.claims.iter().map(|handed| handed.endpoint.id).collect());
    }

    fn give_back_ahead(&mut self) {
        let ahead = self.ahead.take();
        self.free(ahead.into_iter().collect());
    }

    /// Frees a slot of each.
    fn free(&self, endpoints: Vec<EndpointId>) {
        let Some(bay) = self.bay.as_ref().filter(|_| !endpoints.is_empty()) else { return };
        bay.slots(|slots| endpoints.into_iter().for_each(|endpoint| slots.give_back(endpoint)));
        // A dispatcher that is ending waits for these slots.
        bay.news.wake();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back_ahead();
        self.events.iter().for_each(|reserved| self.give_back(reserved));
    }
}
