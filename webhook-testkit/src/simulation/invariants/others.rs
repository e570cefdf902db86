use std::{collections::BTreeMap, time::Duration};

use webhook_core::{DeliveryId, Finished, Settle};

use super::{Judgement, Law};
use crate::{
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Happening, What},
    },
};

/// While one endpoint is silent, what is due at the others goes out in its time, whatever has piled up
/// for the silent one.
#[derive(Debug, Default)]
pub(super) struct Others {
    due: BTreeMap<DeliveryId, Duration>,
}

const SLACK: Duration = Duration::from_secs(300);

impl Law for Others {
    fn text(&self) -> (&'static str, &'static str) {
        ("others", "while one endpoint is silent, what is due at the others goes out in its time")
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let Some(silent) = before.silent else { return Judgement::Silent };
        match &it.what {
            // What it had claimed waits for the end of its lease.
            What::Crashed => {
                let leases = before.workers.values().map(|it| it.facts.lease);
                let free_at = it.at + leases.max().unwrap_or_default();
                self.due.values_mut().for_each(|due| *due = free_at.max(*due));
                Judgement::Silent
            }
            // It may have rested until now.
            What::Effect(Effect::Turned(endpoint) | Effect::Edited(endpoint)) => {
                let its = self.due.iter_mut().filter(|(id, _)| id.endpoint == endpoint.id);
                its.for_each(|(_, due)| *due = it.at.max(*due));
                Judgement::Silent
            }
            What::Effect(Effect::Finished { finish, answer: Finished::Recorded, .. }) => {
                if let Settle::Retry(wait) = finish.settle {
                    self.due.insert(finish.lease.delivery, it.at + wait);
                }
                Judgement::Silent
            }
            What::Effect(Effect::Claimed { claimed, .. }) => {
                let Some(healed_at) = before.healed_at else { return Judgement::Silent };
                let poll = before.workers.values().map(|it| it.facts.poll).max();
                let most = poll.unwrap_or_default() * 11 / 10 + SLACK;
                let claims = claimed.claims.iter().map(|claim| claim.lease.delivery);
                let others = claims.filter(|id| id.endpoint != silent);
                Judgement::all(others.filter_map(|id| {
                    let due = self.due.remove(&id)?.max(healed_at);
                    let endpoint = &before.endpoint(id)?.now;
                    // What stands in a line, or under a rate, has its own reasons to be late.
                    let free = endpoint.health.is_well()
                        && endpoint.rate.is_none()
                        && endpoint.order.is_none();
                    let by = due + most;
                    let late = || format!("due {:?} ago", it.at.saturating_sub(due));
                    free.then(|| Judgement::of(it.at <= by, id, late))
                }))
            }
            _ => Judgement::Silent,
        }
    }
}
