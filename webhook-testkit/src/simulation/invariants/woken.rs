use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Judgement, Law};
use crate::{
    StoreCall,
    simulation::{
        model::Ledger,
        trace::{Actor, Happening, Pid, What},
    },
};

// Catches `no worker woken after a repeat` in webhook-core/src/engine/publish.rs:
// - Ok(answers) => return Ok(self.after_repeat(&batch, answers)),
// + Ok(answers) => return Ok(batch.iter().zip(answers).map(repeated).collect()),
/// After a publish whose answer was lost and that was repeated, the worker of the process looks for
/// work: long before its next poll, since no other worker knows of the events.
#[derive(Debug, Default)]
pub(super) struct Woken {
    /// Processes whose publisher lost an answer and stores the batch again.
    repeating: BTreeSet<Pid>,
    /// Time by which a worker has to look for work.
    claims_by: BTreeMap<Pid, Duration>,
}

/// Time for a claim that is under way and for the next one to begin. Polls are a minute apart.
const MAX_CLAIM_DELAY: Duration = Duration::from_secs(20);

impl Law for Woken {
    fn text(&self) -> (&'static str, &'static str) {
        ("woken", "after a repeated publish the worker of the process looks for work immediately")
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let late = self.claims_by.iter().find(|(_, by)| it.at > **by).map(|(pid, _)| *pid);
        if let Some(pid) = late {
            return Judgement::Broken(None, format!("{pid:?} did not look for work"));
        }
        let pid = match (&it.what, it.by) {
            (What::CutOff { .. } | What::Effect(_), Actor::World | Actor::Operator) => {
                self.claims_by.clear();
                return Judgement::Silent;
            }
            (_, Actor::Worker(pid)) => pid,
            _ => return Judgement::Silent,
        };
        match &it.what {
            What::CallFailed(StoreCall::Enqueue) => {
                self.repeating.insert(pid);
                self.claims_by.remove(&pid);
            }
            What::CallAnswered(StoreCall::Enqueue) => {
                if self.repeating.remove(&pid) && is_idle(pid, before) {
                    self.claims_by.insert(pid, it.at + MAX_CLAIM_DELAY);
                }
            }
            What::CallBegun(StoreCall::ClaimDue | StoreCall::ClaimUnrouted) => {
                return match self.claims_by.remove(&pid) {
                    Some(_) => Judgement::Held(1),
                    None => Judgement::Silent,
                };
            }
            // The publisher has returned the error to its caller.
            What::PublishBegun(_) => {
                self.repeating.remove(&pid);
            }
            What::CallFailed(_)
            | What::Crashed
            | What::Stalled { .. }
            | What::CutOff { .. }
            | What::ToldToStop
            | What::Stopped(_)
            | What::Panicked(_) => {
                self.repeating.remove(&pid);
                self.claims_by.remove(&pid);
            }
            _ => {}
        }
        Judgement::Silent
    }
}

/// Returns true if the worker runs undisturbed and holds no claim, so that it has room for one.
fn is_idle(pid: Pid, ledger: &Ledger) -> bool {
    let Some(worker) = ledger.workers.get(&pid) else { return false };
    let mut claims = ledger.deliveries.values().flat_map(|book| &book.claims);
    !worker.ended
        && worker.told_to_stop_at.is_none()
        && !claims.any(|claim| claim.by == pid && !claim.over)
}
