use webhook_core::store::{Finished, Lease};

use super::{Action, Change, Effect, EndState, Invariant, Model, TraceEvent, Verdict};

// Catches `no fencing` in webhook-testkit/src/memory/finish.rs:
// - let Transition { result, change } = row.state.finished(&item, now);
// + let mut item = item;
// + item.lease.epoch = row.state.epoch;
// + let Transition { result, change } = row.state.finished(&item, now);
/// A write under an older epoch changes nothing, returns `LeaseLost`, and is counted.
#[derive(Debug, Default)]
pub(super) struct Fence {
    late: u64,
}

impl Invariant for Fence {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let (lease, answer, change) = match &traced.action {
            Action::Effect(Effect::Finished { finish, answer, change }) => {
                (finish.lease, *answer, change)
            }
            Action::Effect(Effect::Released { lease, answer, change }) => (*lease, *answer, change),
            _ => return Verdict::NotApplicable,
        };
        self.late += u64::from(answer == Finished::LeaseLost);
        judge(lease, answer, change, before)
    }

    fn check_end(&mut self, end: &EndState, _: &Model) -> Verdict {
        if end.leases_lost == self.late {
            return Verdict::NotApplicable;
        }
        let (lost, counted) = (self.late, end.leases_lost);
        Verdict::Violated(None, format!("{lost} leases were lost, {counted} are counted"))
    }
}

fn judge(lease: Lease, answer: Finished, change: &Change, before: &Model) -> Verdict {
    let entry = before.deliveries.get(&lease.delivery);
    if entry.is_none_or(|entry| lease.epoch >= entry.epoch) {
        return Verdict::NotApplicable;
    }
    let unchanged = change.before == change.after;
    Verdict::of(unchanged && answer == Finished::LeaseLost, lease.delivery, || {
        format!("epoch {} has ended, but the result was {answer:?}", lease.epoch)
    })
}
