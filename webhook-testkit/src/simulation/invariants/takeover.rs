use std::{collections::BTreeMap, time::Duration};

use webhook_core::DeliveryId;

use super::{Judgement, Law};
use crate::{
    observed::Effect,
    simulation::{
        model::{Ledger, WorkerBook},
        trace::{Actor, Happening, Pid, What},
    },
};

// Catches `a lease that lasts for ever` in webhook-testkit/src/memory/row.rs:
// - self.due_at = now.after(lease);
// + self.due_at = now.after(lease * 200);
/// What a dead worker had claimed is claimed by another once the lease has run out and somebody has
/// looked.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    /// By when each has to be claimed.
    waited_for: BTreeMap<DeliveryId, Duration>,
}

/// Others may be first: so long for the work before it.
const SLACK: Duration = Duration::from_secs(300);

impl Law for Takeover {
    fn text(&self) -> (&'static str, &'static str) {
        (
            "takeover",
            "what a dead worker had claimed is claimed by another soon after its lease has run out",
        )
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        match (&it.what, it.by) {
            (What::Crashed, Actor::Worker(pid)) => self.wait_for(pid, it.at, before),
            (What::Effect(Effect::Claimed { claimed, .. }), _) => {
                return Judgement::all(claimed.claims.iter().map(|claim| {
                    let id = claim.lease.delivery;
                    match self.waited_for.remove(&id) {
                        Some(by) => {
                            Judgement::of(it.at <= by, id, || "it came too late".to_owned())
                        }
                        None => Judgement::Silent,
                    }
                }));
            }
            // Whatever holds it back now is none of a dead worker's doing.
            (What::Effect(Effect::Turned(endpoint) | Effect::Edited(endpoint)), _) => {
                self.waited_for.retain(|id, _| id.endpoint != endpoint.id);
            }
            // It was not all that dead.
            (What::Effect(Effect::Finished { finish, .. }), _) => {
                self.waited_for.remove(&finish.lease.delivery);
            }
            (What::Effect(Effect::Cancelled { delivery, .. }), _) => {
                self.waited_for.remove(delivery);
            }
            (What::Effect(Effect::Removed(endpoint)), _) => {
                self.waited_for.retain(|id, _| id.endpoint != *endpoint);
            }
            (
                What::Stalled { .. } | What::CutOff { .. } | What::CallFailed(_) | What::ToldToStop,
                _,
            ) => self.waited_for.clear(),
            _ => {}
        }
        let late = self.waited_for.iter().find(|(_, by)| it.at > **by).map(|(id, _)| *id);
        match late {
            Some(id) => Judgement::Broken(Some(id), "nobody has claimed it".to_owned()),
            None => Judgement::Silent,
        }
    }
}

impl Takeover {
    /// One dies; whoever lives undisturbed from now on has to take over.
    fn wait_for(&mut self, dead: Pid, now: Duration, ledger: &Ledger) {
        self.waited_for.clear();
        let lives = |(pid, worker): &(&Pid, &WorkerBook)| {
            let free_at = worker.stalled_until.max(worker.cut_off_until).max(ledger.outage_until);
            **pid != dead && !worker.ended && worker.told_to_stop_at.is_none() && free_at <= now
        };
        let polls = ledger.workers.iter().filter(lives).map(|(_, it)| it.facts.poll);
        let Some(poll) = polls.min() else { return };
        let orphans = ledger.open().filter_map(|(id, book)| {
            let claim = book.claims.last().filter(|claim| !claim.over && claim.by == dead)?;
            let endpoint = ledger.endpoint(*id)?;
            let free = !endpoint.removed
                && endpoint.now.state.is_active()
                && endpoint.now.health.is_well()
                && endpoint.now.rate.is_none();
            // Polls are spread by a tenth.
            free.then(|| (*id, claim.ends.max(now) + poll * 11 / 10 + SLACK))
        });
        self.waited_for = orphans.collect();
    }
}
