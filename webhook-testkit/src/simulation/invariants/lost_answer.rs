use std::collections::{BTreeMap, BTreeSet};

use webhook_core::{DeliveryId, Enqueue, Enqueued, EventId};

use super::{Judgement, Law};
use crate::{
    StoreCall,
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Actor, Happening, Pid, What},
    },
};

// Catches `sent from memory after a lost answer` in webhook-core/src/engine/publish.rs:
// - drop(reservation);
// + let stored = |it: &Enqueue| Enqueued::Routed(it.fan_out.as_ref().map_or(0, |all| all.deliveries.len()));
// + drop(reservation.settle(&batch.iter().map(stored).collect::<Vec<_>>()));
// Catches `repeated with leases` in webhook-core/src/engine/publish.rs:
// - let batch: Vec<_> = batch.into_iter().map(Enqueue::without_leases).collect();
// + let batch: Vec<_> = batch;
/// If the answer of the store to new events is lost, nothing is sent from memory, and the events are
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

impl Law for LostAnswer {
    fn text(&self) -> (&'static str, &'static str) {
        let law = "after a lost answer nothing is sent from memory, and a repeat takes no leases";
        ("lost-answer", law)
    }

    fn see(&mut self, it: &Happening, _: &Ledger) -> Judgement {
        let Actor::Worker(pid) = it.by else { return Judgement::Silent };
        match &it.what {
            What::PublishBegun(_) | What::Crashed => {
                self.repeated.retain(|(by, _)| *by != pid);
                self.unanswered.retain(|_, by| *by != pid);
            }
            What::Effect(Effect::Enqueued { item, answer }) => {
                return self.store(pid, item, *answer);
            }
            What::Effect(Effect::Claimed { claimed, .. }) => {
                claimed.claims.iter().for_each(|claim| {
                    self.lost.remove(&claim.lease.delivery);
                    self.unanswered.remove(&claim.lease.delivery);
                });
            }
            What::CallAnswered(StoreCall::Enqueue) => self.unanswered.retain(|_, by| *by != pid),
            What::CallFailed(StoreCall::Enqueue) => {
                let (unanswered, others) = std::mem::take(&mut self.unanswered)
                    .into_iter()
                    .partition(|(_, by)| *by == pid);
                self.unanswered = others;
                let lost: BTreeMap<_, _> = unanswered;
                self.repeated.extend(lost.keys().map(|delivery| (pid, delivery.event)));
                self.lost.extend(lost.into_keys());
            }
            What::SendStarted(start) => {
                let id = start.delivery;
                let early = self.unanswered.contains_key(&id) || self.lost.contains(&id);
                return if early {
                    Judgement::Broken(Some(id), "it was sent without the store's answer".into())
                } else {
                    Judgement::Silent
                };
            }
            _ => {}
        }
        Judgement::Silent
    }
}

impl LostAnswer {
    fn store(&mut self, pid: Pid, item: &Enqueue, answer: Enqueued) -> Judgement {
        let event = item.event.id;
        let new = item.fan_out.iter().flat_map(|fan_out| &fan_out.deliveries);
        let leased = new.filter(|new| new.lease.is_some());
        let leased: Vec<_> = leased.map(|new| DeliveryId::new(event, new.endpoint)).collect();
        if self.repeated.contains(&(pid, event)) {
            let first = leased.first().copied();
            return match first {
                Some(id) => Judgement::Broken(Some(id), "the repeat took a lease".into()),
                None => Judgement::Held(1),
            };
        }
        if let Enqueued::Routed(_) = answer {
            self.unanswered.extend(leased.into_iter().map(|id| (id, pid)));
        }
        Judgement::Silent
    }
}
