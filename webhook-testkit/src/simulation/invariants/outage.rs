use std::{collections::BTreeMap, time::Duration};

use super::{Action, Actor, Invariant, Model, Pid, StoreCall, TraceEvent, Verdict, WorkerEntry};

// Catches `a long pause after each failure` in webhook-core/src/engine/dispatcher/schedule.rs:
// - const MAX_STORE_PAUSE: Duration = Duration::from_secs(5);
// + const MAX_STORE_PAUSE: Duration = Duration::from_secs(500);
/// A worker that could not reach the store claims again within seconds after the outage.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// Waiting processes, and the end of the outage.
    waiting: BTreeMap<Pid, Duration>,
}

/// Maximum pause of a dispatcher, plus the maximum duration of a call under way.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(15);

impl Invariant for Outage {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Actor::Worker(pid) = traced.by else { return Verdict::NotApplicable };
        let Some(worker) = before.workers.get(&pid) else { return Verdict::NotApplicable };
        match &traced.action {
            Action::CallFailed(StoreCall::ClaimDue) => {
                let until = worker.disconnected_until.max(before.outage_until);
                if until > traced.at {
                    self.waiting.insert(pid, until);
                }
                Verdict::NotApplicable
            }
            Action::CallStarted(StoreCall::ClaimDue) => {
                let faults_ended_at = before.faults_ended_at.unwrap_or(Duration::MAX);
                self.check_reconnect(pid, worker, faults_ended_at, traced.at)
            }
            _ => Verdict::NotApplicable,
        }
    }
}

impl Outage {
    fn check_reconnect(
        &mut self,
        pid: Pid,
        worker: &WorkerEntry,
        faults_ended_at: Duration,
        now: Duration,
    ) -> Verdict {
        let until = self.waiting.get(&pid).map(|until| faults_ended_at.min(*until));
        let Some(until) = until.filter(|until| *until <= now) else {
            return Verdict::NotApplicable;
        };
        self.waiting.remove(&pid);
        let free_at = until.max(worker.stalled_until);
        if now <= free_at + MAX_RECONNECT_DELAY || worker.stop_requested_at.is_some() {
            return Verdict::Held(1);
        }
        let late = now.saturating_sub(free_at);
        Verdict::Violated(None, format!("{pid:?} claimed again after {late:?}"))
    }
}
