use std::{collections::BTreeMap, time::Duration};

use webhook_core::DeliveryId;

use super::{Action, Actor, Effect, Invariant, Model, Pid, TraceEvent, Verdict, WorkerEntry};

// Catches `a lease that lasts for ever` in webhook-testkit/src/memory/claim.rs:
// - .claimed(ask.lease, ask
// + .claimed(ask.lease * 200, ask
/// The claims of a dead worker are claimed again, once the leases have expired and another worker
/// has polled.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    /// Time by which each delivery must be claimed.
    waited_for: BTreeMap<DeliveryId, Duration>,
}

/// Time for the deliveries that are claimed before.
const MAX_TAKEOVER_DELAY: Duration = Duration::from_secs(300);

impl Invariant for Takeover {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        match (&traced.action, traced.by) {
            (Action::Crashed, Actor::Worker(pid)) => self.wait_for(pid, traced.at, before),
            (Action::Effect(Effect::Claimed { claimed, .. }), _) => {
                return Verdict::all(claimed.claims.iter().map(|claim| {
                    let id = claim.lease.delivery;
                    match self.waited_for.remove(&id) {
                        Some(by) => Verdict::of(traced.at <= by, id, || {
                            "it was claimed too late".to_owned()
                        }),
                        None => Verdict::NotApplicable,
                    }
                }));
            }
            // The delivery may now wait for another reason.
            (Action::Effect(Effect::Refreshed(endpoint) | Effect::Edited(endpoint)), _) => {
                self.waited_for.retain(|id, _| id.endpoint != endpoint.id);
            }
            // An outcome of the dead worker still arrived.
            (Action::Effect(Effect::Finished { finish, .. }), _) => {
                self.waited_for.remove(&finish.lease.delivery);
            }
            (Action::Effect(Effect::Cancelled { delivery, .. }), _) => {
                self.waited_for.remove(delivery);
            }
            (Action::Effect(Effect::Removed(endpoint)), _) => {
                self.waited_for.retain(|id, _| id.endpoint != *endpoint);
            }
            (
                Action::Stalled { .. }
                | Action::Disconnected { .. }
                | Action::CallFailed(_)
                | Action::StopRequested,
                _,
            ) => self.waited_for.clear(),
            _ => {}
        }
        let late = self.waited_for.iter().find(|(_, by)| traced.at > **by).map(|(id, _)| *id);
        match late {
            Some(id) => Verdict::Violated(Some(id), "no worker has claimed it".to_owned()),
            None => Verdict::NotApplicable,
        }
    }
}

impl Takeover {
    /// Expects that the undisturbed workers take over from a dead one.
    fn wait_for(&mut self, dead: Pid, now: Duration, model: &Model) {
        self.waited_for.clear();
        let lives = |(pid, worker): &(&Pid, &WorkerEntry)| {
            let free_at =
                worker.stalled_until.max(worker.disconnected_until).max(model.outage_until);
            **pid != dead && !worker.ended && worker.stop_requested_at.is_none() && free_at <= now
        };
        let polls = model.workers.iter().filter(lives).map(|(_, worker)| worker.settings.poll);
        let Some(poll) = polls.min() else { return };
        let orphans = model.open().filter_map(|(id, entry)| {
            let claim = entry.claims.last().filter(|claim| !claim.closed && claim.by == dead)?;
            let endpoint = model.endpoint(*id)?;
            let free = !endpoint.removed
                && endpoint.now.state.is_active()
                && endpoint.now.health.is_unrestricted()
                && endpoint.now.rate.is_none();
            // Polls have a jitter of a tenth.
            free.then(|| (*id, claim.ends.max(now) + poll * 11 / 10 + MAX_TAKEOVER_DELAY))
        });
        self.waited_for = orphans.collect();
    }
}
