//! Model of the system, derived from the trace alone. The invariants compare with it.

mod entries;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use webhook_core::{
    DeliveryId, DeliveryStatus, DisabledReason, Endpoint, EndpointId, EndpointState, Event,
    EventId, OrderPolicy, OrderingKey,
    store::{
        Cancelled, Claim, Enqueue, Enqueued, Finished, Lease, LeaseEpoch, NewDelivery, Routed,
        Settle, Skipped,
    },
};

use super::trace::{
    Action, Actor, Pid, SendId, SendOutcome, SendStart, TraceEvent, WorkerSettings,
};
use crate::observed::Effect;

pub(super) use entries::{
    ClaimEntry, DeliveryEntry, EndpointEntry, EventEntry, SendEntry, WorkerEntry,
};

/// State of the system after the trace up to now.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) workers: BTreeMap<Pid, WorkerEntry>,
    pub(super) endpoints: BTreeMap<EndpointId, EndpointEntry>,
    pub(super) events: BTreeMap<EventId, EventEntry>,
    pub(super) deliveries: BTreeMap<DeliveryId, DeliveryEntry>,
    /// Deliveries in sending order, by endpoint and ordering key.
    pub(super) lines: BTreeMap<(EndpointId, OrderingKey), Vec<DeliveryId>>,
    /// Delivery and process of each send in flight.
    pub(super) sends_in_flight: BTreeMap<SendId, (DeliveryId, Pid)>,
    pub(super) faults_ended_at: Option<Duration>,
    /// End of the latest outage of the store.
    pub(super) outage_until: Duration,
    /// True for a run without faults.
    pub(super) calm: bool,
    /// An endpoint that stays silent for a while after the other faults have ended.
    pub(super) silent: Option<EndpointId>,
}

impl Model {
    /// Applies an event of the trace.
    pub(super) fn apply(&mut self, traced: &TraceEvent) {
        let at = traced.at;
        match (&traced.action, traced.by) {
            (Action::Started(settings), Actor::Worker(pid)) => self.start(pid, *settings, at),
            (Action::Effect(effect), by) => self.apply_effect(effect, by, at),
            (Action::SendStarted(start), Actor::Worker(pid)) => self.start_send(start, pid, at),
            (Action::SendEnded { send, outcome }, _) => self.end_send(*send, outcome, at),
            (Action::Accepted { stored, .. }, _) => self.event(*stored).accepted = true,
            (Action::RolledBack(event), _) => self.event(*event).rolled_back = true,
            (Action::FaultsEnded, _) => self.faults_ended_at = Some(at),
            (Action::Disconnected { until }, Actor::World) => {
                self.outage_until = self.outage_until.max(*until);
            }
            (action, Actor::Worker(pid)) => self.apply_worker_action(action, pid, at),
            _ => {}
        }
    }

    fn start(&mut self, pid: Pid, settings: WorkerSettings, at: Duration) {
        let entry = WorkerEntry {
            settings,
            stop_requested_at: None,
            ended: false,
            stalled_until: Duration::ZERO,
            disconnected_until: Duration::ZERO,
            claim_began_at: at,
            enqueue_began_at: at,
            is_storing: false,
        };
        self.workers.insert(pid, entry);
    }

    fn apply_worker_action(&mut self, action: &Action, pid: Pid, at: Duration) {
        let Some(worker) = self.workers.get_mut(&pid) else { return };
        match action {
            Action::Crashed | Action::Stopped(_) => worker.ended = true,
            Action::Stalled { until } => worker.stalled_until = *until,
            Action::Disconnected { until } => {
                worker.disconnected_until = worker.disconnected_until.max(*until);
            }
            Action::StopRequested => worker.stop_requested_at = Some(at),
            Action::CallStarted(call) => match call {
                crate::StoreCall::ClaimDue => worker.claim_began_at = at,
                crate::StoreCall::Enqueue => {
                    worker.enqueue_began_at = at;
                    worker.is_storing = true;
                }
                _ => {}
            },
            Action::CallReturned(crate::StoreCall::Enqueue)
            | Action::CallFailed(crate::StoreCall::Enqueue) => worker.is_storing = false,
            _ => {}
        }
    }

    fn event(&mut self, id: EventId) -> &mut EventEntry {
        self.events.entry(id).or_default()
    }

    fn apply_effect(&mut self, effect: &Effect, by: Actor, at: Duration) {
        match effect {
            Effect::Enqueued { item, answer } => self.apply_enqueued(item, *answer, by, at),
            Effect::Routed { route, answer: Routed::Done } => {
                let event = self.event(route.event);
                event.unrouted = false;
                let Some(event) = event.event.clone() else { return };
                self.create(&event, &route.deliveries, by, at);
            }
            Effect::Claimed { ask, claimed } => {
                let Actor::Worker(pid) = by else { return };
                let asked_at = self.workers.get(&pid).map(|worker| worker.claim_began_at);
                for claim in &claimed.claims {
                    self.claim(claim.clone(), pid, asked_at.unwrap_or(at), at, ask.lease);
                }
            }
            Effect::Finished { finish, answer: Finished::Recorded, change } => {
                let held = self.is_held(finish.lease);
                self.close_claim(finish.lease);
                let Some(entry) = self.deliveries.get_mut(&finish.lease.delivery) else { return };
                if held && entry.status == DeliveryStatus::InFlight {
                    entry.status = match finish.settle {
                        Settle::Success => DeliveryStatus::Success,
                        Settle::Failed => DeliveryStatus::Failed,
                        Settle::Retry(_) => DeliveryStatus::Pending,
                    };
                }
                if let Some(after) = &change.after {
                    entry.status = after.status;
                }
                self.leave_line(finish.lease.delivery);
            }
            Effect::Released { lease, answer: Finished::Recorded, .. } => {
                self.close_claim(*lease);
                let Some(entry) = self.deliveries.get_mut(&lease.delivery) else { return };
                entry.released += 1;
                if entry.status == DeliveryStatus::InFlight {
                    entry.status = DeliveryStatus::Pending;
                }
            }
            Effect::Added(endpoint) | Effect::Edited(endpoint) | Effect::Refreshed(endpoint) => {
                self.set_endpoint(endpoint);
            }

            Effect::Removed(id) => self.remove(*id, at),
            Effect::Redelivered { delivery, .. } => self.reopen(*delivery),
            Effect::Cancelled { delivery, answer: Cancelled::Done | Cancelled::InFlight } => {
                if let Some(entry) = self.deliveries.get_mut(delivery) {
                    entry.status = DeliveryStatus::Cancelled;
                    entry.cancelled_at = Some(at);
                }
                self.leave_line(*delivery);
            }
            Effect::Skipped { delivery, answer: Skipped::Done } => self.remove_from_line(*delivery),
            _ => {}
        }
    }

    fn is_held(&self, lease: Lease) -> bool {
        let claim =
            self.deliveries.get(&lease.delivery).and_then(|entry| entry.claim_at(lease.epoch));
        claim.is_some_and(|claim| !claim.closed)
    }

    fn apply_enqueued(&mut self, item: &Enqueue, answer: Enqueued, by: Actor, at: Duration) {
        if !matches!(answer, Enqueued::Routed(_) | Enqueued::Later) {
            return;
        }
        let event = Arc::new(item.event.clone());
        let entry = self.event(event.id);
        (entry.event, entry.stored) = (Some(Arc::clone(&event)), true);
        entry.unrouted = answer == Enqueued::Later;
        if let (Enqueued::Routed(_), Some(fan_out)) = (answer, &item.fan_out) {
            self.create(&event, &fan_out.deliveries, by, at);
        }
    }

    fn create(&mut self, event: &Arc<Event>, new: &[NewDelivery], by: Actor, at: Duration) {
        for new in new {
            let id = DeliveryId::new(event.id, new.endpoint);
            let entry = DeliveryEntry {
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
            self.deliveries.entry(id).or_insert(entry);
            let endpoint = self.endpoints.get(&new.endpoint).map(|entry| entry.now.clone());
            if let (Some(lease), Actor::Worker(pid)) = (new.lease, by) {
                let lease_id = Lease { delivery: id, epoch: LeaseEpoch::default().next() };
                let revision =
                    endpoint.as_ref().map(|endpoint| endpoint.revision).unwrap_or_default();
                let claim = Claim::new(lease_id, Arc::clone(event), revision);
                let asked_at = self.workers.get(&pid).map_or(at, |worker| worker.enqueue_began_at);
                self.claim(claim, pid, asked_at, at, lease);
            } else if new.status() == DeliveryStatus::Pending {
                self.append_to_line(id, event, endpoint.as_ref());
            }
        }
    }

    fn append_to_line(&mut self, id: DeliveryId, event: &Event, endpoint: Option<&Endpoint>) {
        let ordered = endpoint.is_some_and(|endpoint| endpoint.keeps_order_of(event));
        let Some(key) = event.ordering_key.clone().filter(|_| ordered) else { return };
        let line = self.lines.entry((id.endpoint, key)).or_default();
        if !line.contains(&id) {
            line.push(id);
        }
    }

    /// Removes a delivery from its line if its status unblocks the next one.
    fn leave_line(&mut self, id: DeliveryId) {
        let policy = self.endpoints.get(&id.endpoint).and_then(|entry| entry.now.order);
        let status = self.deliveries.get(&id).map(|entry| entry.status);
        if let (Some(policy), Some(status)) = (policy, status)
            && policy.leaves_line(status)
        {
            self.remove_from_line(id);
        }
    }

    fn remove_from_line(&mut self, id: DeliveryId) {
        let key =
            self.events.get(&id.event).and_then(|entry| entry.event.as_ref()?.ordering_key.clone());
        let Some(key) = key else { return };
        if let Some(line) = self.lines.get_mut(&(id.endpoint, key)) {
            line.retain(|other| *other != id);
        }
    }

    fn claim(&mut self, claim: Claim, by: Pid, asked_at: Duration, at: Duration, lease: Duration) {
        let Some(entry) = self.deliveries.get_mut(&claim.lease.delivery) else { return };
        if let Some(last) = entry.claims.last_mut().filter(|last| !last.closed) {
            last.closed = true;
            entry.lost += 1;
        }
        (entry.status, entry.epoch) = (DeliveryStatus::InFlight, claim.lease.epoch);
        let ends = at + lease;
        entry.claims.push(ClaimEntry { claim, by, asked_at, at, ends, closed: false, send: None });
    }

    fn close_claim(&mut self, lease: Lease) {
        let Some(entry) = self.deliveries.get_mut(&lease.delivery) else { return };
        let of_epoch = |claim: &&mut ClaimEntry| claim.claim.lease.epoch == lease.epoch;
        entry.claims.iter_mut().filter(of_epoch).for_each(|claim| claim.closed = true);
    }

    fn set_endpoint(&mut self, endpoint: &Endpoint) {
        let entry = self.endpoints.entry(endpoint.id).or_insert_with(|| EndpointEntry {
            now: endpoint.clone(),
            revisions: BTreeMap::new(),
            removed: false,
        });
        let order_was = entry.now.order;
        entry.now = endpoint.clone();
        entry.revisions.insert(endpoint.revision, endpoint.clone());
        if order_was == Some(OrderPolicy::Block) && endpoint.order == Some(OrderPolicy::Skip) {
            self.unblock_lines(endpoint.id);
        }
    }

    fn unblock_lines(&mut self, endpoint: EndpointId) {
        let lines = self.lines.iter().filter(|((of, _), _)| *of == endpoint);
        let firsts: Vec<_> = lines.filter_map(|(_, line)| line.first().copied()).collect();
        firsts.into_iter().for_each(|id| self.leave_line(id));
    }

    fn remove(&mut self, id: EndpointId, at: Duration) {
        if let Some(entry) = self.endpoints.get_mut(&id) {
            entry.removed = true;
        }
        let its = self.deliveries.iter_mut().filter(|(other, _)| other.endpoint == id);
        for (_, entry) in its.filter(|(_, entry)| !entry.status.is_final()) {
            entry.status = DeliveryStatus::Cancelled;
            entry.cancelled_at = Some(at);
        }
        self.lines.retain(|(of, _), _| *of != id);
    }

    fn reopen(&mut self, id: DeliveryId) {
        let Some(entry) = self.deliveries.get_mut(&id) else { return };
        entry.status = DeliveryStatus::Pending;
        entry.epoch = entry.epoch.next();
        entry.reopened += 1;
        entry.reopened_epoch = entry.epoch;
        entry.cancelled_at = None;
        // Earlier claims can no longer record an outcome.
        entry.claims.iter_mut().for_each(|claim| claim.closed = true);
        let event = self.events.get(&id.event).and_then(|entry| entry.event.clone());
        let endpoint = self.endpoints.get(&id.endpoint).map(|entry| entry.now.clone());
        if let Some(event) = event {
            self.append_to_line(id, &event, endpoint.as_ref());
        }
    }

    fn start_send(&mut self, start: &SendStart, by: Pid, at: Duration) {
        self.sends_in_flight.insert(start.send, (start.delivery, by));
        let Some(entry) = self.deliveries.get_mut(&start.delivery) else { return };
        let claim = entry.claims.iter_mut().rev().find(|claim| claim.by == by);
        let epoch = claim.map(|claim| {
            claim.send = Some(start.send);
            claim.claim.lease.epoch
        });
        let clock = start.clock;
        entry.sends.push(SendEntry { id: start.send, at, clock, epoch, outcome: None });
    }

    fn end_send(&mut self, send: SendId, outcome: &SendOutcome, at: Duration) {
        let Some((delivery, _)) = self.sends_in_flight.remove(&send) else { return };
        let Some(entry) = self.deliveries.get_mut(&delivery) else { return };
        if let Some(send) = entry.sends.iter_mut().find(|item| item.id == send) {
            send.outcome = Some((at, outcome.clone()));
        }
    }

    /// Returns true if all accepted events are routed and all deliveries are final.
    pub(super) fn is_settled(&self) -> bool {
        self.events.values().all(|event| !event.unrouted)
            && self.deliveries.values().all(|entry| entry.status.is_final())
    }

    /// Deliveries that are not final.
    pub(super) fn open(&self) -> impl Iterator<Item = (&DeliveryId, &DeliveryEntry)> {
        self.deliveries.iter().filter(|(_, entry)| !entry.status.is_final())
    }

    /// Present state of this delivery's endpoint.
    pub(super) fn endpoint(&self, id: DeliveryId) -> Option<&EndpointEntry> {
        self.endpoints.get(&id.endpoint)
    }

    /// Deliveries that failed.
    pub(super) fn failed(&self) -> Vec<DeliveryId> {
        let failed = |entry: &DeliveryEntry| entry.status == DeliveryStatus::Failed;
        self.deliveries.iter().filter(|(_, entry)| failed(entry)).map(|(id, _)| *id).collect()
    }

    /// Maximum wait of a delivery after a failure, plus the maximum pause of its endpoint.
    pub(super) fn longest_wait(&self) -> Duration {
        let of = |entry: &EndpointEntry| {
            let retry = &entry.now.retry;
            let waits = retry.plan().attempts.into_iter().map(|attempt| attempt.wait).max();
            // Jitter at most doubles a wait.
            2 * waits.unwrap_or_default() + 2 * retry.max_retry_after()
        };
        self.endpoints.values().map(of).max().unwrap_or_default()
    }

    /// Endpoints that are not removed.
    pub(super) fn present(&self) -> BTreeSet<EndpointId> {
        self.endpoints.iter().filter(|(_, entry)| !entry.removed).map(|(id, _)| *id).collect()
    }
}

/// Returns true if the engine has disabled an endpoint in this state.
pub(super) const fn is_given_up(state: EndpointState) -> bool {
    matches!(state, EndpointState::Disabled(DisabledReason::Gone | DisabledReason::Failing))
}
