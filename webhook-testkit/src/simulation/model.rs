//! What is known of everything that has happened: facts, no judgements.

mod entries;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use webhook_core::{
    Cancelled, Claim, DeliveryId, DeliveryStatus, DisabledReason, Endpoint, EndpointId,
    EndpointState, Enqueue, Enqueued, Event, EventId, Finished, Lease, LeaseEpoch, NewDelivery,
    OrderPolicy, OrderingKey, Routed, Settle, Skipped,
};

use super::trace::{Actor, Came, Happening, Pid, SendId, SendStart, What, WorkerFacts};
use crate::observed::Effect;

pub(super) use entries::{ClaimBook, DeliveryBook, EndpointBook, EventBook, SendBook, WorkerBook};

/// What is known, up to now.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) workers: BTreeMap<Pid, WorkerBook>,
    pub(super) endpoints: BTreeMap<EndpointId, EndpointBook>,
    pub(super) events: BTreeMap<EventId, EventBook>,
    pub(super) deliveries: BTreeMap<DeliveryId, DeliveryBook>,
    /// Deliveries in the order in which they go, for each endpoint and key.
    pub(super) lines: BTreeMap<(EndpointId, OrderingKey), Vec<DeliveryId>>,
    /// What each send in flight belongs to.
    pub(super) flying: BTreeMap<SendId, (DeliveryId, Pid)>,
    pub(super) healed_at: Option<Duration>,
    /// Until when nobody reaches the store.
    pub(super) outage_until: Duration,
    /// Whether nothing ever goes wrong.
    pub(super) calm: bool,
    /// An endpoint that goes on being silent for a while after everything else is right.
    pub(super) silent: Option<EndpointId>,
}

impl Ledger {
    /// Notes what has happened.
    pub(super) fn note(&mut self, it: &Happening) {
        let at = it.at;
        match (&it.what, it.by) {
            (What::Started(facts), Actor::Worker(pid)) => self.start(pid, *facts, at),
            (What::Effect(effect), by) => self.note_effect(effect, by, at),
            (What::SendStarted(start), Actor::Worker(pid)) => self.start_send(start, pid, at),
            (What::SendEnded { send, came }, _) => self.end_send(*send, came, at),
            (What::Accepted { stored, .. }, _) => self.event(*stored).accepted = true,
            (What::RolledBack(event), _) => self.event(*event).rolled_back = true,
            (What::Healed, _) => self.healed_at = Some(at),
            (What::CutOff { until }, Actor::World) => {
                self.outage_until = self.outage_until.max(*until);
            }
            (what, Actor::Worker(pid)) => self.note_worker(what, pid, at),
            _ => {}
        }
    }

    fn start(&mut self, pid: Pid, facts: WorkerFacts, at: Duration) {
        let book = WorkerBook {
            facts,
            told_to_stop_at: None,
            ended: false,
            stalled_until: Duration::ZERO,
            cut_off_until: Duration::ZERO,
            claim_began_at: at,
            enqueue_began_at: at,
            is_storing: false,
        };
        self.workers.insert(pid, book);
    }

    fn note_worker(&mut self, what: &What, pid: Pid, at: Duration) {
        let Some(worker) = self.workers.get_mut(&pid) else { return };
        match what {
            What::Crashed | What::Stopped(_) => worker.ended = true,
            What::Stalled { until } => worker.stalled_until = *until,
            What::CutOff { until } => {
                worker.cut_off_until = worker.cut_off_until.max(*until);
            }
            What::ToldToStop => worker.told_to_stop_at = Some(at),
            What::CallBegun(call) => match call {
                crate::StoreCall::ClaimDue => worker.claim_began_at = at,
                crate::StoreCall::Enqueue => {
                    worker.enqueue_began_at = at;
                    worker.is_storing = true;
                }
                _ => {}
            },
            What::CallAnswered(crate::StoreCall::Enqueue)
            | What::CallFailed(crate::StoreCall::Enqueue) => worker.is_storing = false,
            _ => {}
        }
    }

    fn event(&mut self, id: EventId) -> &mut EventBook {
        self.events.entry(id).or_default()
    }

    fn note_effect(&mut self, effect: &Effect, by: Actor, at: Duration) {
        match effect {
            Effect::Enqueued { item, answer } => self.note_enqueued(item, *answer, by, at),
            Effect::Routed { route, answer: Routed::Done } => {
                let event = self.event(route.event);
                event.unrouted = false;
                let Some(event) = event.event.clone() else { return };
                self.create(&event, &route.deliveries, by, at);
            }
            Effect::Claimed { ask, claimed } => {
                let Actor::Worker(pid) = by else { return };
                let asked_at = self.workers.get(&pid).map(|it| it.claim_began_at);
                for claim in &claimed.claims {
                    self.claim(claim.clone(), pid, asked_at.unwrap_or(at), at, ask.lease);
                }
            }
            Effect::Finished { finish, answer: Finished::Recorded, change } => {
                let held = self.is_held(finish.lease);
                self.close(finish.lease);
                let Some(book) = self.deliveries.get_mut(&finish.lease.delivery) else { return };
                if held && book.status == DeliveryStatus::InFlight {
                    book.status = match finish.settle {
                        Settle::Success => DeliveryStatus::Success,
                        Settle::Failed => DeliveryStatus::Failed,
                        Settle::Retry(_) => DeliveryStatus::Pending,
                    };
                }
                if let Some(after) = &change.after {
                    book.status = after.status;
                }
                self.leave_line(finish.lease.delivery);
            }
            Effect::Released { lease, answer: Finished::Recorded, .. } => {
                self.close(*lease);
                let Some(book) = self.deliveries.get_mut(&lease.delivery) else { return };
                book.released += 1;
                if book.status == DeliveryStatus::InFlight {
                    book.status = DeliveryStatus::Pending;
                }
            }
            Effect::Added(endpoint) | Effect::Edited(endpoint) | Effect::Turned(endpoint) => {
                self.know(endpoint);
            }

            Effect::Removed(id) => self.remove(*id, at),
            Effect::Redelivered { delivery, .. } => self.reopen(*delivery),
            Effect::Cancelled { delivery, answer: Cancelled::Done | Cancelled::InFlight } => {
                if let Some(book) = self.deliveries.get_mut(delivery) {
                    book.status = DeliveryStatus::Cancelled;
                    book.cancelled_at = Some(at);
                }
                self.leave_line(*delivery);
            }
            Effect::Skipped { delivery, answer: Skipped::Done } => self.out_of_line(*delivery),
            _ => {}
        }
    }

    fn is_held(&self, lease: Lease) -> bool {
        let claim = self.deliveries.get(&lease.delivery).and_then(|it| it.claim_at(lease.epoch));
        claim.is_some_and(|claim| !claim.over)
    }

    fn note_enqueued(&mut self, item: &Enqueue, answer: Enqueued, by: Actor, at: Duration) {
        if !matches!(answer, Enqueued::Routed(_) | Enqueued::Later) {
            return;
        }
        let event = Arc::new(item.event.clone());
        let book = self.event(event.id);
        (book.event, book.stored) = (Some(Arc::clone(&event)), true);
        book.unrouted = answer == Enqueued::Later;
        if let (Enqueued::Routed(_), Some(fan_out)) = (answer, &item.fan_out) {
            self.create(&event, &fan_out.deliveries, by, at);
        }
    }

    fn create(&mut self, event: &Arc<Event>, new: &[NewDelivery], by: Actor, at: Duration) {
        for new in new {
            let id = DeliveryId::new(event.id, new.endpoint);
            let book = DeliveryBook {
                status: new.status(),
                epoch: LeaseEpoch::default(),
                claims: Vec::new(),
                sends: Vec::new(),
                lost: 0,
                released: 0,
                reopened: 0,
                reopened_epoch: LeaseEpoch::default(),
                cancelled_at: None,
            };
            self.deliveries.entry(id).or_insert(book);
            let endpoint = self.endpoints.get(&new.endpoint).map(|it| it.now.clone());
            if let (Some(lease), Actor::Worker(pid)) = (new.lease, by) {
                let lease_id = Lease { delivery: id, epoch: LeaseEpoch::default().next() };
                let revision = endpoint.as_ref().map(|it| it.revision).unwrap_or_default();
                let claim = Claim::new(lease_id, Arc::clone(event), revision);
                let asked_at = self.workers.get(&pid).map_or(at, |it| it.enqueue_began_at);
                self.claim(claim, pid, asked_at, at, lease);
            } else if new.status() == DeliveryStatus::Pending {
                self.line_up(id, event, endpoint.as_ref());
            }
        }
    }

    fn line_up(&mut self, id: DeliveryId, event: &Event, endpoint: Option<&Endpoint>) {
        let ordered = endpoint.is_some_and(|it| it.keeps_order_of(event));
        let Some(key) = event.ordering_key.clone().filter(|_| ordered) else { return };
        let line = self.lines.entry((id.endpoint, key)).or_default();
        if !line.contains(&id) {
            line.push(id);
        }
    }

    /// Takes a delivery out of its line, if it is over in a way that lets the others go on.
    fn leave_line(&mut self, id: DeliveryId) {
        let policy = self.endpoints.get(&id.endpoint).and_then(|it| it.now.order);
        let status = self.deliveries.get(&id).map(|it| it.status);
        if let (Some(policy), Some(status)) = (policy, status)
            && policy.leaves_line(status)
        {
            self.out_of_line(id);
        }
    }

    fn out_of_line(&mut self, id: DeliveryId) {
        let key = self.events.get(&id.event).and_then(|it| it.event.as_ref()?.ordering_key.clone());
        let Some(key) = key else { return };
        if let Some(line) = self.lines.get_mut(&(id.endpoint, key)) {
            line.retain(|it| *it != id);
        }
    }

    fn claim(&mut self, claim: Claim, by: Pid, asked_at: Duration, at: Duration, lease: Duration) {
        let Some(book) = self.deliveries.get_mut(&claim.lease.delivery) else { return };
        if let Some(last) = book.claims.last_mut().filter(|last| !last.over) {
            last.over = true;
            book.lost += 1;
        }
        (book.status, book.epoch) = (DeliveryStatus::InFlight, claim.lease.epoch);
        let ends = at + lease;
        book.claims.push(ClaimBook { claim, by, asked_at, at, ends, over: false, send: None });
    }

    fn close(&mut self, lease: Lease) {
        let Some(book) = self.deliveries.get_mut(&lease.delivery) else { return };
        let of_epoch = |it: &&mut ClaimBook| it.claim.lease.epoch == lease.epoch;
        book.claims.iter_mut().filter(of_epoch).for_each(|claim| claim.over = true);
    }

    fn know(&mut self, endpoint: &Endpoint) {
        let book = self.endpoints.entry(endpoint.id).or_insert_with(|| EndpointBook {
            now: endpoint.clone(),
            revisions: BTreeMap::new(),
            removed: false,
        });
        let order_was = book.now.order;
        book.now = endpoint.clone();
        book.revisions.insert(endpoint.revision, endpoint.clone());
        if order_was == Some(OrderPolicy::Block) && endpoint.order == Some(OrderPolicy::Skip) {
            self.let_blocked_lines_go(endpoint.id);
        }
    }

    fn let_blocked_lines_go(&mut self, endpoint: EndpointId) {
        let lines = self.lines.iter().filter(|((of, _), _)| *of == endpoint);
        let firsts: Vec<_> = lines.filter_map(|(_, line)| line.first().copied()).collect();
        firsts.into_iter().for_each(|id| self.leave_line(id));
    }

    fn remove(&mut self, id: EndpointId, at: Duration) {
        if let Some(book) = self.endpoints.get_mut(&id) {
            book.removed = true;
        }
        let its = self.deliveries.iter_mut().filter(|(it, _)| it.endpoint == id);
        for (_, book) in its.filter(|(_, book)| !book.status.is_final()) {
            book.status = DeliveryStatus::Cancelled;
            book.cancelled_at = Some(at);
        }
        self.lines.retain(|(of, _), _| *of != id);
    }

    fn reopen(&mut self, id: DeliveryId) {
        let Some(book) = self.deliveries.get_mut(&id) else { return };
        book.status = DeliveryStatus::Pending;
        book.epoch = book.epoch.next();
        book.reopened += 1;
        book.reopened_epoch = book.epoch;
        book.cancelled_at = None;
        // A claim of before has nothing more to say.
        book.claims.iter_mut().for_each(|claim| claim.over = true);
        let event = self.events.get(&id.event).and_then(|it| it.event.clone());
        let endpoint = self.endpoints.get(&id.endpoint).map(|it| it.now.clone());
        if let Some(event) = event {
            self.line_up(id, &event, endpoint.as_ref());
        }
    }

    fn start_send(&mut self, start: &SendStart, by: Pid, at: Duration) {
        self.flying.insert(start.send, (start.delivery, by));
        let Some(book) = self.deliveries.get_mut(&start.delivery) else { return };
        let claim = book.claims.iter_mut().rev().find(|claim| claim.by == by);
        let epoch = claim.map(|claim| {
            claim.send = Some(start.send);
            claim.claim.lease.epoch
        });
        let clock = start.clock;
        book.sends.push(SendBook { id: start.send, at, clock, epoch, came: None });
    }

    fn end_send(&mut self, send: SendId, came: &Came, at: Duration) {
        let Some((delivery, _)) = self.flying.remove(&send) else { return };
        let Some(book) = self.deliveries.get_mut(&delivery) else { return };
        if let Some(send) = book.sends.iter_mut().find(|it| it.id == send) {
            send.came = Some((at, came.clone()));
        }
    }

    /// Whether everything that was accepted is over: nothing unrouted, nothing open.
    pub(super) fn is_settled(&self) -> bool {
        self.events.values().all(|event| !event.unrouted)
            && self.deliveries.values().all(|it| it.status.is_final())
    }

    /// The deliveries that are not over.
    pub(super) fn open(&self) -> impl Iterator<Item = (&DeliveryId, &DeliveryBook)> {
        self.deliveries.iter().filter(|(_, book)| !book.status.is_final())
    }

    /// The endpoint of this delivery as it is now.
    pub(super) fn endpoint(&self, id: DeliveryId) -> Option<&EndpointBook> {
        self.endpoints.get(&id.endpoint)
    }

    /// The deliveries that were given up for good.
    pub(super) fn failed(&self) -> Vec<DeliveryId> {
        let failed = |book: &DeliveryBook| book.status == DeliveryStatus::Failed;
        self.deliveries.iter().filter(|(_, book)| failed(book)).map(|(id, _)| *id).collect()
    }

    /// The longest that a delivery may wait after a failure, and then its endpoint rest.
    pub(super) fn longest_wait(&self) -> Duration {
        let of = |book: &EndpointBook| {
            let retry = &book.now.retry;
            let waits = retry.plan().attempts.into_iter().map(|it| it.wait).max();
            // Jitter makes a wait twice as long at most.
            2 * waits.unwrap_or_default() + 2 * retry.max_retry_after()
        };
        self.endpoints.values().map(of).max().unwrap_or_default()
    }

    /// The tenants' endpoints that are still there.
    pub(super) fn present(&self) -> BTreeSet<EndpointId> {
        self.endpoints.iter().filter(|(_, it)| !it.removed).map(|(id, _)| *id).collect()
    }
}

/// Whether the engine itself has disabled an endpoint in this state.
pub(super) const fn is_given_up(state: EndpointState) -> bool {
    matches!(state, EndpointState::Disabled(DisabledReason::Gone | DisabledReason::Failing))
}
