use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use webhook_core::Enqueued;

use super::{Judgement, Law};
use crate::{
    StoreCall,
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Actor, Happening, Pid, What},
    },
};

// Catches `an unsent lease not released` in webhook-core/src/engine/publish.rs:
// - self.release(settled.unsent).await;
// + drop(settled.unsent);
/// A publisher releases its leases if the dispatcher of its process has ended in the meantime.
#[derive(Debug, Default)]
pub(super) struct Released {
    /// Processes with new leases whose answer has not arrived.
    leasing: BTreeSet<Pid>,
    /// Time at which a publisher learned that its leases are stored.
    unused: BTreeMap<Pid, Duration>,
}

impl Law for Released {
    fn text(&self) -> (&'static str, &'static str) {
        ("released", "a publisher releases its leases if its dispatcher has ended meanwhile")
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let late = self.unused.iter().find(|(_, at)| it.at > **at).map(|(pid, _)| *pid);
        if let Some(pid) = late {
            return Judgement::Broken(None, format!("{pid:?} kept the leases"));
        }
        let Actor::Worker(pid) = it.by else { return Judgement::Silent };
        match &it.what {
            What::Effect(Effect::Enqueued { item, answer: Enqueued::Routed(_) }) => {
                let mut new = item.fan_out.iter().flat_map(|fan_out| &fan_out.deliveries);
                if new.any(|new| new.lease.is_some()) {
                    self.leasing.insert(pid);
                }
            }
            What::CallAnswered(StoreCall::Enqueue) => {
                let ended = before.workers.get(&pid).is_some_and(|worker| worker.ended);
                if self.leasing.remove(&pid) && ended {
                    self.unused.insert(pid, it.at);
                }
            }
            What::CallBegun(StoreCall::Release) => {
                return match self.unused.remove(&pid) {
                    Some(_) => Judgement::Held(1),
                    None => Judgement::Silent,
                };
            }
            What::CallFailed(StoreCall::Enqueue) => {
                self.leasing.remove(&pid);
            }
            What::Crashed | What::Stalled { .. } => {
                self.leasing.remove(&pid);
                self.unused.remove(&pid);
            }
            _ => {}
        }
        Judgement::Silent
    }
}
