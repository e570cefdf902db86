use std::collections::BTreeMap;

use webhook_core::{
    TenantId,
    store::{Enqueue, Enqueued, TenantVersion},
};

use super::{Action, Actor, Effect, Invariant, Model, Pid, StoreCall, TraceEvent, Verdict};

// Catches `the snapshot kept after Later` in webhook-core/src/engine/publish.rs:
// - self.cache.forget(&event.tenant);
// + let _ = event;
/// A publisher whose version of a tenant's endpoints was refused does not use that version again.
#[derive(Debug, Default)]
pub(super) struct FreshSnapshot {
    /// Highest version of each tenant that a process has read.
    known: BTreeMap<TenantId, TenantVersion>,
    /// Versions refused by the store in a call that is not answered yet.
    refused: BTreeMap<(Pid, TenantId), TenantVersion>,
    /// Versions that the publisher knows to be stale.
    stale: BTreeMap<(Pid, TenantId), TenantVersion>,
}

impl Invariant for FreshSnapshot {
    fn check(&mut self, traced: &TraceEvent, _: &Model) -> Verdict {
        if let Action::Effect(Effect::Read { tenant, version }) = &traced.action {
            let known = self.known.entry(tenant.clone()).or_default();
            *known = (*version).max(*known);
        }
        let Actor::Worker(pid) = traced.by else { return Verdict::NotApplicable };
        match &traced.action {
            Action::Effect(Effect::Enqueued { item, answer }) => self.store(pid, item, *answer),
            Action::CallReturned(StoreCall::Enqueue) => {
                // The store also answers Later while an endpoint cools down, at the same version.
                let known = &self.known;
                let is_stale = |((_, tenant), version): &(&(Pid, TenantId), &TenantVersion)| {
                    known.get(tenant).is_some_and(|known| known > *version)
                };
                let (of_pid, others) = std::mem::take(&mut self.refused)
                    .into_iter()
                    .partition(|((by, _), _)| *by == pid);
                self.refused = others;
                let refused: BTreeMap<_, _> = of_pid;
                let stale = refused.iter().filter(is_stale);
                self.stale.extend(stale.map(|(key, version)| (key.clone(), *version)));
                Verdict::NotApplicable
            }
            Action::CallFailed(StoreCall::Enqueue) | Action::Crashed => {
                self.refused.retain(|(by, _), _| *by != pid);
                Verdict::NotApplicable
            }
            _ => Verdict::NotApplicable,
        }
    }
}

impl FreshSnapshot {
    fn store(&mut self, pid: Pid, item: &Enqueue, answer: Enqueued) -> Verdict {
        let Some(version) = item.fan_out.as_ref().and_then(|fan_out| fan_out.version) else {
            return Verdict::NotApplicable;
        };
        let key = (pid, item.event.tenant.clone());
        let verdict = match self.stale.get(&key) {
            Some(stale) if version <= *stale => {
                let reason = format!("{pid:?} used version {version:?} of {} again", key.1);
                return Verdict::Violated(None, reason);
            }
            Some(_) => Verdict::Held(1),
            None => Verdict::NotApplicable,
        };
        self.stale.remove(&key);
        if answer == Enqueued::Later {
            self.refused.insert(key, version);
        }
        verdict
    }
}
