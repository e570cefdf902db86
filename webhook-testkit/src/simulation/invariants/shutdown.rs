use std::time::Duration;

use super::{Judgement, Law};
use crate::{
    StoreCall,
    simulation::{
        model::{Ledger, WorkerBook},
        trace::{Actor, Happening, Pid, What},
    },
};

// Catches `the drain is skipped` in webhook-core/src/engine/dispatcher/schedule.rs:
// - let due = !self.is_draining() && now >= self.claim_at.max(self.store_at);
// + let due = now >= self.claim_at.max(self.store_at);
// Catches `a shutdown that takes its time` in webhook-core/src/engine/dispatcher/schedule.rs:
// - self.drain_until.get_or_insert(now.saturating_add(self.config.drain));
// + self.drain_until.get_or_insert(now.saturating_add(self.config.drain * 50));
/// A worker that is told to stop claims nothing more, starts no send, and ends by its deadline with
/// nothing held that had time to end.
#[derive(Debug)]
pub(super) struct Shutdown;

impl Law for Shutdown {
    fn text(&self) -> (&'static str, &'static str) {
        let law =
            "a worker that is told to stop claims nothing more, starts no send, and ends in time";
        ("shutdown", law)
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let Actor::Worker(pid) = it.by else { return Judgement::Silent };
        let Some(worker) = before.workers.get(&pid) else { return Judgement::Silent };
        let Some(told_at) = worker.told_to_stop_at else { return Judgement::Silent };
        // What stands still hears nothing.
        let heard_at = told_at.max(worker.stalled_until);
        match &it.what {
            What::CallBegun(StoreCall::ClaimDue | StoreCall::ClaimUnrouted)
            | What::SendStarted(_)
                if it.at > heard_at =>
            {
                Judgement::Broken(sent(it), format!("{pid:?} was told to stop before"))
            }
            What::Stopped(report) => stopped(pid, worker, told_at, it.at, report.cut),
            _ => Judgement::Silent,
        }
    }
}

fn sent(it: &Happening) -> Option<webhook_core::DeliveryId> {
    if let What::SendStarted(start) = &it.what { Some(start.delivery) } else { None }
}

fn stopped(
    pid: Pid,
    worker: &WorkerBook,
    told_at: Duration,
    now: Duration,
    cut: usize,
) -> Judgement {
    // It may have stood still before it heard of that, or since.
    let (first, last) = (told_at, told_at.max(worker.stalled_until));
    let drained = |heard_at: Duration| heard_at + worker.facts.drain;
    let latest = drained(last) + worker.facts.recording_budget + Duration::from_secs(1);
    if now > latest || (cut > 0 && now < drained(first)) {
        let took = now.saturating_sub(told_at);
        return Judgement::Broken(
            None,
            format!("{pid:?} took {took:?} to stop, and cut {cut} short"),
        );
    }
    Judgement::Held(1)
}
