use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use webhook_core::{
    EndpointId, Event,
    store::{Enqueue, Enqueued, NewDelivery},
};

use super::{
    Action, Actor, ClaimEntry, Effect, EndpointEntry, Invariant, Model, Pid, StoreCall, TraceEvent,
    Verdict, WorkerEntry,
};

// Catches `no wait for a slot` in webhook-core/src/engine/publish.rs:
// - reservation.wait_for_slots(event, routes).await;
// + let _ = (event, routes);
// Catches `a wait without end` in webhook-core/src/engine/fast_path.rs:
// - () = admission.clock.sleep(left).fuse() => break,
// + () = admission.clock.sleep(left * 1000).fuse() => break,
/// A publisher waits at most 250 ms for a slot. It does wait if all slots of the only endpoint are in
/// use, and the endpoint was idle before the present burst of events.
#[derive(Debug, Default)]
pub(super) struct SlotWait {
    publishing: BTreeMap<Pid, Publishing>,
    /// Endpoints whose slots were all in use since their worker last saw them idle. Their publishers
    /// know how fast slots are released, and need not wait.
    busy: BTreeSet<(Pid, EndpointId)>,
    /// Times at which a delivery of an endpoint may have become pending.
    pending_at: BTreeMap<EndpointId, Duration>,
    /// Times at which the last claim of a worker began that found all due work.
    claimed_at: BTreeMap<Pid, Duration>,
}

/// A publish under way.
#[derive(Debug)]
struct Publishing {
    event: Event,
    /// Time from which it waits for a slot only.
    ready_at: Duration,
    /// Time for which it waited, once it stores its events.
    waited: Option<Duration>,
    /// The endpoint whose slots were all in use when the publish began.
    full: Option<EndpointId>,
}

/// Maximum time that a publisher waits for a slot.
const MAX_SLOT_WAIT: Duration = Duration::from_millis(250);

impl Invariant for SlotWait {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        self.note_endpoint(traced, before);
        let Actor::Worker(pid) = traced.by else { return Verdict::NotApplicable };
        let Some(worker) = before.workers.get(&pid) else { return Verdict::NotApplicable };
        match &traced.action {
            Action::PublishStarted(event) => {
                let full = self.full_endpoint(pid, event, before, traced.at);
                let event = Event::clone(event);
                let begun = Publishing { event, ready_at: traced.at, waited: None, full };
                self.publishing.insert(pid, begun);
                Verdict::NotApplicable
            }
            Action::CallReturned(StoreCall::Routing | StoreCall::Endpoints)
            | Action::CallFailed(StoreCall::Endpoints) => {
                if let Some(publishing) = self.publishing.get_mut(&pid)
                    && publishing.ready_at < traced.at
                {
                    publishing.ready_at = traced.at;
                    // Slots may have been released since.
                    publishing.full = None;
                }
                Verdict::NotApplicable
            }
            Action::CallFailed(StoreCall::Routing) => {
                self.publishing.remove(&pid);
                Verdict::NotApplicable
            }
            Action::CallStarted(StoreCall::Enqueue) => self.judge_length(pid, worker, traced.at),
            Action::Effect(Effect::Enqueued { item, answer }) => {
                let verdict = self.judge_need(pid, item, *answer);
                self.publishing.remove(&pid);
                verdict
            }
            _ => Verdict::NotApplicable,
        }
    }
}

impl SlotWait {
    fn judge_length(&mut self, pid: Pid, worker: &WorkerEntry, now: Duration) -> Verdict {
        let Some(publishing) = self.publishing.get_mut(&pid) else { return Verdict::NotApplicable };
        if publishing.waited.is_some() {
            return Verdict::NotApplicable;
        }
        let waited = now.saturating_sub(publishing.ready_at);
        publishing.waited = Some(waited);
        if waited.is_zero() || worker.stalled_until > publishing.ready_at {
            return Verdict::NotApplicable;
        }
        if waited <= MAX_SLOT_WAIT {
            return Verdict::Held(1);
        }
        Verdict::Violated(None, format!("{pid:?} waited for {waited:?}"))
    }

    /// Judges a publish whose only endpoint had no free slot.
    fn judge_need(&self, pid: Pid, item: &Enqueue, answer: Enqueued) -> Verdict {
        let Some(publishing) = self.publishing.get(&pid) else { return Verdict::NotApplicable };
        let deliveries = item.fan_out.as_ref().map_or(&[][..], |fan_out| &fan_out.deliveries);
        let is_expected = item.event.id == publishing.event.id && answer == Enqueued::Routed(1);
        match (publishing.full, publishing.waited, deliveries) {
            (Some(endpoint), Some(waited), [NewDelivery { endpoint: to, lease, .. }])
                if is_expected && *to == endpoint =>
            {
                let did_wait = lease.is_some() || !waited.is_zero();
                let delivery = webhook_core::DeliveryId::new(item.event.id, endpoint);
                Verdict::of(did_wait, delivery, || format!("{pid:?} did not wait for a slot"))
            }
            _ => Verdict::NotApplicable,
        }
    }

    /// The only endpoint of this event, if the worker has to wait for one of its slots: all are in use,
    /// it was idle before this burst, and none of its deliveries waits in the store.
    fn full_endpoint(
        &mut self,
        pid: Pid,
        event: &Event,
        model: &Model,
        now: Duration,
    ) -> Option<EndpointId> {
        let wants = |entry: &&EndpointEntry| {
            let endpoint = &entry.now;
            endpoint.tenant == event.tenant && !entry.removed && endpoint.wants(&event.event_type)
        };
        let mut all = model.endpoints.values().filter(wants);
        let (endpoint, None) = (&all.next()?.now, all.next()) else { return None };
        let is_plain = endpoint.state.is_active()
            && endpoint.health.is_unrestricted()
            && endpoint.rate.is_none()
            && endpoint.order.is_none();
        let worker = model.workers.get(&pid)?;
        let works = !worker.ended && worker.stop_requested_at.is_none();
        let mut its = model.sends_in_flight.values().filter(|(_, by)| *by == pid);
        let others = its.clone().any(|(delivery, _)| delivery.endpoint != endpoint.id);
        let in_flight = its.by_ref().count();
        let unsent = unsent(pid, endpoint.id, model);
        let new = unsent.iter().filter(|claim| claim.at == now).count();
        let max = usize::try_from(endpoint.max_in_flight).unwrap_or(usize::MAX);
        let was_busy = in_flight + unsent.len() >= max && !self.busy.insert((pid, endpoint.id));
        let is_free = is_plain && works && !was_busy && !others && in_flight + new >= max;
        (is_free && !self.has_backlog(pid, endpoint.id, model)).then_some(endpoint.id)
    }

    /// Returns true if the worker may know of deliveries to this endpoint that wait in the store, or of
    /// another tenant's work.
    fn has_backlog(&self, pid: Pid, endpoint: EndpointId, model: &Model) -> bool {
        let open = model.open().filter(|(id, _)| id.endpoint == endpoint);
        let mut others = open.filter(|(_, entry)| {
            let claim = entry.claims.last();
            claim.is_none_or(|claim| claim.closed || claim.by != pid)
        });
        let pending_at = self.pending_at.get(&endpoint);
        let is_seen = pending_at
            .is_none_or(|at| self.claimed_at.get(&pid).is_some_and(|claimed_at| claimed_at > at));
        others.next().is_some() || !is_seen
    }

    /// Records the changes of endpoints that decide whether a publisher has to wait.
    fn note_endpoint(&mut self, traced: &TraceEvent, before: &Model) {
        match (&traced.action, traced.by) {
            (Action::Effect(Effect::Claimed { ask, claimed }), Actor::Worker(pid)) => {
                if claimed.claims.len() < ask.limit
                    && let Some(began_at) =
                        before.workers.get(&pid).map(|worker| worker.claim_began_at)
                {
                    self.claimed_at.insert(pid, began_at);
                }
            }
            (Action::Effect(Effect::Enqueued { item, .. }), _) => {
                let new = item.fan_out.iter().flat_map(|fan_out| &fan_out.deliveries);
                let pending = new.filter(|new| new.lease.is_none()).map(|new| new.endpoint);
                self.pending_at.extend(pending.map(|endpoint| (endpoint, traced.at)));
            }
            (Action::Effect(_) | Action::Crashed | Action::CallFailed(_), _) => {
                let all = before.endpoints.keys().map(|endpoint| (*endpoint, traced.at));
                if !matches!(
                    &traced.action,
                    Action::Effect(Effect::Refreshed(_) | Effect::Notices(_))
                ) && !is_success(&traced.action)
                {
                    self.pending_at.extend(all);
                }
            }
            (Action::SendEnded { send, .. }, _) => {
                let Some((delivery, pid)) = before.sends_in_flight.get(send).copied() else {
                    return;
                };
                let mut others = before.sends_in_flight.iter().filter(|(id, (other, by))| {
                    *id != send && *by == pid && other.endpoint == delivery.endpoint
                });
                if others.next().is_none() && unsent(pid, delivery.endpoint, before).is_empty() {
                    self.busy.remove(&(pid, delivery.endpoint));
                }
            }
            _ => {}
        }
    }
}

/// Claims of this worker for an endpoint that are not sent yet.
fn unsent(pid: Pid, endpoint: EndpointId, model: &Model) -> Vec<&ClaimEntry> {
    let open = model.open().filter(|(id, _)| id.endpoint == endpoint);
    let claims = open.filter_map(|(_, entry)| entry.claims.last());
    claims.filter(|claim| claim.by == pid && !claim.closed && claim.send.is_none()).collect()
}

/// Returns true for the record of a success, which leaves nothing pending.
fn is_success(action: &Action) -> bool {
    let Action::Effect(Effect::Finished { finish, .. }) = action else { return false };
    finish.settle == webhook_core::store::Settle::Success
}
