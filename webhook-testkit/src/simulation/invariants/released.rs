use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use webhook_core::store::Enqueued;

use super::{Action, Actor, Effect, Invariant, Model, Pid, StoreCall, TraceEvent, Verdict};

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

impl Invariant for Released {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let late = self.unused.iter().find(|(_, at)| traced.at > **at).map(|(pid, _)| *pid);
        if let Some(pid) = late {
            return Verdict::Violated(None, format!("{pid:?} kept the leases"));
        }
        let Actor::Worker(pid) = traced.by else { return Verdict::NotApplicable };
        match &traced.action {
            Action::Effect(Effect::Enqueued { item, answer: Enqueued::Routed(_) }) => {
                let mut new = item.fan_out.iter().flat_map(|fan_out| &fan_out.deliveries);
                if new.any(|new| new.lease.is_some()) {
                    self.leasing.insert(pid);
                }
            }
            Action::CallReturned(StoreCall::Enqueue) => {
                let ended = before.workers.get(&pid).is_some_and(|worker| worker.ended);
                if self.leasing.remove(&pid) && ended {
                    self.unused.insert(pid, traced.at);
                }
            }
            Action::CallStarted(StoreCall::Release) => {
                return match self.unused.remove(&pid) {
                    Some(_) => Verdict::Held(1),
                    None => Verdict::NotApplicable,
                };
            }
            Action::CallFailed(StoreCall::Enqueue) => {
                self.leasing.remove(&pid);
            }
            Action::Crashed | Action::Stalled { .. } => {
                self.leasing.remove(&pid);
                self.unused.remove(&pid);
            }
            _ => {}
        }
        Verdict::NotApplicable
    }
}
