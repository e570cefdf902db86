use std::collections::{BTreeMap, BTreeSet};

use webhook_core::{
    DeliveryId, EventId,
    store::{Enqueue, Enqueued},
};

use super::{Action, Actor, Effect, Invariant, Model, Pid, StoreCall, TraceEvent, Verdict};

// Catches `sent from memory after a lost answer` in webhook-core/src/engine/publish.rs:
// - drop(reservation);
// + let stored = |it: &Enqueue| Enqueued::Routed(it.fan_out.as_ref().map_or(0, |all| all.deliveries.len()));
// + drop(reservation.settle(&batch.iter().map(stored).collect::<Vec<_>>()));
// Catches `repeated with leases` in webhook-core/src/engine/publish.rs:
// - let batch: Vec<_> = batch.into_iter().map(Enqueue::without_leases).collect();
// + let batch: Vec<_> = batch;
/// If the result of storing new events is lost, nothing is sent from memory, and the events are
/// stored again without leases.
#[derive(Debug, Default)]
pub(super) struct LostAnswer {
    /// Leases of stored deliveries whose publisher has no answer yet.
    unanswered: BTreeMap<DeliveryId, Pid>,
    /// Leases whose answer was lost. No process may use them.
    lost: BTreeSet<DeliveryId>,
    /// Events whose answer was lost, until their publisher begins another call.
    repeated: BTreeSet<(Pid, EventId)>,
}

impl Invariant for LostAnswer {
    fn check(&mut self, traced: &TraceEvent, _: &Model) -> Verdict {
        let Actor::Worker(pid) = traced.by else { return Verdict::NotApplicable };
        match &traced.action {
            Action::PublishStarted(_) | Action::Crashed => {
                self.repeated.retain(|(by, _)| *by != pid);
                self.unanswered.retain(|_, by| *by != pid);
            }
            Action::Effect(Effect::Enqueued { item, answer }) => {
                return self.store(pid, item, *answer);
            }
            Action::Effect(Effect::Claimed { claimed, .. }) => {
                claimed.claims.iter().for_each(|claim| {
                    self.lost.remove(&claim.lease.delivery);
                    self.unanswered.remove(&claim.lease.delivery);
                });
            }
            Action::CallReturned(StoreCall::Enqueue) => self.unanswered.retain(|_, by| *by != pid),
            Action::CallFailed(StoreCall::Enqueue) => {
                let (unanswered, others) = std::mem::take(&mut self.unanswered)
                    .into_iter()
                    .partition(|(_, by)| *by == pid);
                self.unanswered = others;
                let lost: BTreeMap<_, _> = unanswered;
                self.repeated.extend(lost.keys().map(|delivery| (pid, delivery.event)));
                self.lost.extend(lost.into_keys());
            }
            Action::SendStarted(start) => {
                let id = start.delivery;
                let early = self.unanswered.contains_key(&id) || self.lost.contains(&id);
                return if early {
                    Verdict::Violated(Some(id), "it was sent without the store's result".into())
                } else {
                    Verdict::NotApplicable
                };
            }
            _ => {}
        }
        Verdict::NotApplicable
    }
}

impl LostAnswer {
    fn store(&mut self, pid: Pid, item: &Enqueue, answer: Enqueued) -> Verdict {
        let event = item.event.id;
        let new = item.fan_out.iter().flat_map(|fan_out| &fan_out.deliveries);
        let leased = new.filter(|new| new.lease.is_some());
        let leased: Vec<_> = leased.map(|new| DeliveryId::new(event, new.endpoint)).collect();
        if self.repeated.contains(&(pid, event)) {
            let first = leased.first().copied();
            return match first {
                Some(id) => Verdict::Violated(Some(id), "the repeat took a lease".into()),
                None => Verdict::Held(1),
            };
        }
        if let Enqueued::Routed(_) = answer {
            self.unanswered.extend(leased.into_iter().map(|id| (id, pid)));
        }
        Verdict::NotApplicable
    }
}
