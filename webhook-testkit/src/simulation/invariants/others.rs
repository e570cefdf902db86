use std::{collections::BTreeMap, time::Duration};

use webhook_core::{
    DeliveryId,
    store::{Finished, Settle},
};

use super::{Action, Effect, Invariant, Model, TraceEvent, Verdict};

/// While one endpoint is silent, deliveries to other endpoints start in time, regardless of the
/// backlog of the silent one.
#[derive(Debug, Default)]
pub(super) struct Others {
    due: BTreeMap<DeliveryId, Duration>,
}

const MAX_START_DELAY: Duration = Duration::from_secs(300);

impl Invariant for Others {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Some(silent) = before.silent else { return Verdict::NotApplicable };
        match &traced.action {
            // The dead worker's claims wait for the end of their leases.
            Action::Crashed => {
                let leases = before.workers.values().map(|worker| worker.settings.lease);
                let free_at = traced.at + leases.max().unwrap_or_default();
                self.due.values_mut().for_each(|due| *due = free_at.max(*due));
                Verdict::NotApplicable
            }
            // The endpoint may have cooled down until now.
            Action::Effect(Effect::Refreshed(endpoint) | Effect::Edited(endpoint)) => {
                let its = self.due.iter_mut().filter(|(id, _)| id.endpoint == endpoint.id);
                its.for_each(|(_, due)| *due = traced.at.max(*due));
                Verdict::NotApplicable
            }
            Action::Effect(Effect::Finished { finish, answer: Finished::Recorded, .. }) => {
                if let Settle::Retry(wait) = finish.settle {
                    self.due.insert(finish.lease.delivery, traced.at + wait);
                }
                Verdict::NotApplicable
            }
            Action::Effect(Effect::Claimed { claimed, .. }) => {
                let Some(faults_ended_at) = before.faults_ended_at else {
                    return Verdict::NotApplicable;
                };
                let poll = before.workers.values().map(|worker| worker.settings.poll).max();
                let most = poll.unwrap_or_default() * 11 / 10 + MAX_START_DELAY;
                let claims = claimed.claims.iter().map(|claim| claim.lease.delivery);
                let others = claims.filter(|id| id.endpoint != silent);
                Verdict::all(others.filter_map(|id| {
                    let due = self.due.remove(&id)?.max(faults_ended_at);
                    let endpoint = &before.endpoint(id)?.now;
                    // Ordered or rate-limited deliveries may be late for other reasons.
                    let free = endpoint.health.is_unrestricted()
                        && endpoint.rate.is_none()
                        && endpoint.order.is_none();
                    let by = due + most;
                    let late = || format!("due {:?} ago", traced.at.saturating_sub(due));
                    free.then(|| Verdict::of(traced.at <= by, id, late))
                }))
            }
            _ => Verdict::NotApplicable,
        }
    }
}
