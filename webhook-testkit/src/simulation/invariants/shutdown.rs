use std::time::Duration;

use super::{Action, Actor, Invariant, Model, Pid, StoreCall, TraceEvent, Verdict, WorkerEntry};

// Catches `the drain is skipped` in webhook-core/src/engine/dispatcher/schedule.rs:
// - let due = !self.is_draining() && now >= self.claim_at.max(self.store_retry_at);
// + let due = now >= self.claim_at.max(self.store_retry_at);
// Catches `a shutdown that takes its time` in webhook-core/src/engine/dispatcher/schedule.rs:
// - self.drain_until.get_or_insert(now.saturating_add(self.config.drain));
// + self.drain_until.get_or_insert(now.saturating_add(self.config.drain * 50));
/// A worker that is asked to stop claims nothing, starts no send, and ends by its deadline. It cuts
/// no send short that had time to end.
#[derive(Debug, Default)]
pub(super) struct Shutdown;

impl Invariant for Shutdown {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Actor::Worker(pid) = traced.by else { return Verdict::NotApplicable };
        let Some(worker) = before.workers.get(&pid) else { return Verdict::NotApplicable };
        let Some(requested_at) = worker.stop_requested_at else { return Verdict::NotApplicable };
        // A stalled process learns of the stop later.
        let noticed_at = requested_at.max(worker.stalled_until);
        match &traced.action {
            Action::CallStarted(StoreCall::ClaimDue | StoreCall::ClaimUnrouted)
            | Action::SendStarted(_)
                if traced.at > noticed_at =>
            {
                Verdict::Violated(sent(traced), format!("{pid:?} was asked to stop before"))
            }
            Action::Stopped(report) => stopped(pid, worker, requested_at, traced.at, report.cut),
            _ => Verdict::NotApplicable,
        }
    }
}

fn sent(traced: &TraceEvent) -> Option<webhook_core::DeliveryId> {
    if let Action::SendStarted(start) = &traced.action { Some(start.delivery) } else { None }
}

fn stopped(
    pid: Pid,
    worker: &WorkerEntry,
    requested_at: Duration,
    now: Duration,
    cut: usize,
) -> Verdict {
    // The process may have stalled before it learned of the stop, or later.
    let (first, last) = (requested_at, requested_at.max(worker.stalled_until));
    let drained = |noticed_at: Duration| noticed_at + worker.settings.drain;
    let latest = drained(last) + worker.settings.recording_budget + Duration::from_secs(1);
    if now > latest || (cut > 0 && now < drained(first)) {
        let took = now.saturating_sub(requested_at);
        return Verdict::Violated(
            None,
            format!("{pid:?} took {took:?} to stop, and cut {cut} short"),
        );
    }
    Verdict::Held(1)
}
