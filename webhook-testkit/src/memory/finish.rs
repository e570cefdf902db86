//! Recording the outcomes of attempts, fenced by the lease epoch.

use std::{mem, time::Duration};

use webhook_core::{DeliveryStatus, Finish, Finished, Lease, Notice, Settle, Timestamp};

use super::{State, row::DeliveryRow};

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
        let Some(row) = self.last_leased(item.lease) else { return Finished::LeaseLost };
        if !mem::take(&mut row.held) {
            // A repeat, because the first result was lost.
            return Finished::Recorded;
        }
        row.count_attempts(item.attempts_made);
        row.forgiven = item.forgiven;
        item.attempts.iter().for_each(|attempt| row.record(attempt.clone()));
        let settles = row.status == DeliveryStatus::InFlight;
        if settles {
            settle(row, item.settle, now);
        }
        self.apply_health(&item, now);
        if let Some((tenant, kind)) = item.notice.filter(|_| settles) {
            self.add_notice(Notice::new(item.lease, now, tenant, kind));
        }
        self.unblock_line(item.lease.delivery, now);
        Finished::Recorded
    }

    fn release_claim(&mut self, lease: Lease, now: Timestamp) -> Finished {
        let Some(row) = self.last_leased(lease).filter(|row| row.held) else {
            return Finished::LeaseLost;
        };
        row.held = false;
        row.count_attempts(row.attempts.saturating_sub(1));
        if row.status == DeliveryStatus::InFlight {
            settle(row, Settle::Retry(Duration::ZERO), now);
        }
        self.apply_health(&Finish::void(lease), now);
        Finished::Recorded
    }

    /// The delivery, if no other worker has claimed it since. A cancelled delivery is still held,
    /// so that its attempt in flight is recorded.
    fn last_leased(&mut self, lease: Lease) -> Option<&mut DeliveryRow> {
        self.deliveries.get_mut(&lease.delivery).filter(|row| row.epoch == lease.epoch)
    }
}

fn settle(row: &mut DeliveryRow, settle: Settle, now: Timestamp) {
    row.status = match settle {
        Settle::Success => DeliveryStatus::Success,
        Settle::Failed => DeliveryStatus::Failed,
        Settle::Retry(wait) => {
            row.due_at = now.after(wait);
            DeliveryStatus::Pending
        }
    };
    row.finished_at = row.status.is_final().then_some(now);
}
