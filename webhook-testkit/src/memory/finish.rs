//! Recording the outcomes of attempts, fenced by the lease epoch.

use webhook_core::store_state::Transition;
use webhook_core::{
    Timestamp,
    store::{Finish, Finished, Lease},
};

use super::State;

impl State {
    pub(super) fn finish(&mut self, item: Finish, now: Timestamp) -> Finished {
        let answer = self.record_outcome(item, now);
        self.count_lost(answer)
    }

    pub(super) fn release(&mut self, lease: Lease, now: Timestamp) -> Finished {
        let answer = self.release_claim(lease, now);
        self.count_lost(answer)
    }

    /// Counts writes whose lease was lost.
    fn count_lost(&mut self, answer: Finished) -> Finished {
        self.leases_lost += u64::from(answer == Finished::LeaseLost);
        answer
    }

    fn record_outcome(&mut self, item: Finish, now: Timestamp) -> Finished {
        let Some(row) = self.deliveries.get_mut(&item.lease.delivery) else {
            return Finished::LeaseLost;
        };
        let Transition { result, change } = row.state.finished(&item, now);
        let Some(change) = change else { return result };
        row.state = change.state;
        item.attempts.iter().for_each(|attempt| row.record(attempt.clone()));
        self.apply_health(&item, now);
        change.notice.into_iter().for_each(|notice| self.add_notice(notice));
        self.unblock_line(item.lease.delivery, change.next_due_at);
        result
    }

    fn release_claim(&mut self, lease: Lease, now: Timestamp) -> Finished {
        let Some(row) = self.deliveries.get_mut(&lease.delivery) else {
            return Finished::LeaseLost;
        };
        let Transition { result, change } = row.state.released(lease, now);
        let Some(change) = change else { return result };
        row.state = change.state;
        self.apply_health(&Finish::void(lease), now);
        result
    }
}
