use std::{collections::BTreeMap, time::Duration};

use super::{Judgement, Law};
use crate::{
    StoreCall,
    simulation::{
        model::{Ledger, WorkerBook},
        trace::{Actor, Happening, Pid, What},
    },
};

// Catches `a long pause after each failure` in webhook-core/src/engine/dispatcher/schedule.rs:
// - const MAX_PAUSE: Duration = Duration::from_secs(5);
// + const MAX_PAUSE: Duration = Duration::from_secs(500);
/// When the store can be reached again, a worker that had missed it asks again within seconds.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// Who waits for the store, and until when it was away.
    waiting: BTreeMap<Pid, Duration>,
}

/// The longest pause of a dispatcher, and the longest call that may have been under way.
const SOON: Duration = Duration::from_secs(15);

impl Law for Outage {
    fn text(&self) -> (&'static str, &'static str) {
        (
            "outage",
            "when the store can be reached again, a worker that had missed it asks within seconds",
        )
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let Actor::Worker(pid) = it.by else { return Judgement::Silent };
        let Some(worker) = before.workers.get(&pid) else { return Judgement::Silent };
        match &it.what {
            What::CallFailed(StoreCall::ClaimDue) => {
                let until = worker.cut_off_until.max(before.outage_until);
                if until > it.at {
                    self.waiting.insert(pid, until);
                }
                Judgement::Silent
            }
            What::CallBegun(StoreCall::ClaimDue) => {
                let healed_at = before.healed_at.unwrap_or(Duration::MAX);
                self.asks_again(pid, worker, healed_at, it.at)
            }
            _ => Judgement::Silent,
        }
    }
}

impl Outage {
    fn asks_again(
        &mut self,
        pid: Pid,
        worker: &WorkerBook,
        healed_at: Duration,
        now: Duration,
    ) -> Judgement {
        let until = self.waiting.get(&pid).map(|until| healed_at.min(*until));
        let Some(until) = until.filter(|until| *until <= now) else {
            return Judgement::Silent;
        };
        self.waiting.remove(&pid);
        let free_at = until.max(worker.stalled_until);
        if now <= free_at + SOON || worker.told_to_stop_at.is_some() {
            return Judgement::Held(1);
        }
        let late = now.saturating_sub(free_at);
        Judgement::Broken(None, format!("{pid:?} asked again after {late:?}"))
    }
}
