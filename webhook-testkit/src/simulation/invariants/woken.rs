use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Action, Actor, Invariant, Model, Pid, StoreCall, TraceEvent, Verdict};

// Catches `no worker woken after a repeat` in webhook-core/src/engine/publish.rs:
// - Ok(answers) => return Ok(self.after_repeat(&batch, answers)),
// + Ok(answers) => return Ok(batch.iter().zip(answers).map(repeated).collect()),
/// After a publish whose result was lost and that was repeated, the worker of the process polls
/// long before its next regular poll, because no other worker knows of the events.
#[derive(Debug, Default)]
pub(super) struct Woken {
    /// Processes whose publisher lost a result and stores the batch again.
    repeating: BTreeSet<Pid>,
    /// Time by which a worker must claim.
    claims_by: BTreeMap<Pid, Duration>,
}

/// Time for a claim that is under way and for the next one to begin. Polls are a minute apart.
const MAX_CLAIM_DELAY: Duration = Duration::from_secs(20);

impl Invariant for Woken {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let late = self.claims_by.iter().find(|(_, by)| traced.at > **by).map(|(pid, _)| *pid);
        if let Some(pid) = late {
            return Verdict::Violated(None, format!("{pid:?} did not claim"));
        }
        let pid = match (&traced.action, traced.by) {
            (Action::Disconnected { .. } | Action::Effect(_), Actor::World | Actor::Operator) => {
                self.claims_by.clear();
                return Verdict::NotApplicable;
            }
            (_, Actor::Worker(pid)) => pid,
            _ => return Verdict::NotApplicable,
        };
        match &traced.action {
            Action::CallFailed(StoreCall::Enqueue) => {
                self.repeating.insert(pid);
                self.claims_by.remove(&pid);
            }
            Action::CallReturned(StoreCall::Enqueue) => {
                let is_repeated = self.repeating.remove(&pid);
                if is_repeated && is_idle(pid, before) {
                    self.claims_by.insert(pid, traced.at + MAX_CLAIM_DELAY);
                }
            }
            Action::CallStarted(StoreCall::ClaimDue | StoreCall::ClaimUnrouted) => {
                return match self.claims_by.remove(&pid) {
                    Some(_) => Verdict::Held(1),
                    None => Verdict::NotApplicable,
                };
            }
            // The publisher has returned the error to its caller.
            Action::PublishStarted(_) => {
                self.repeating.remove(&pid);
            }
            Action::CallFailed(_)
            | Action::Crashed
            | Action::Stalled { .. }
            | Action::Disconnected { .. }
            | Action::StopRequested
            | Action::Stopped(_)
            | Action::Panicked(_) => {
                self.repeating.remove(&pid);
                self.claims_by.remove(&pid);
            }
            _ => {}
        }
        Verdict::NotApplicable
    }
}

/// Returns true if the worker runs undisturbed and holds no claim, so that it has room for one.
fn is_idle(pid: Pid, model: &Model) -> bool {
    let Some(worker) = model.workers.get(&pid) else { return false };
    let mut claims = model.deliveries.values().flat_map(|entry| &entry.claims);
    !worker.ended
        && worker.stop_requested_at.is_none()
        && !claims.any(|claim| claim.by == pid && !claim.closed)
}
