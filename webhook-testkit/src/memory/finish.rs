//! Writing down what followed from an attempt, fenced by the lease epoch.

use std::{mem, time::Duration};

use webhook_core::{DeliveryStatus, Finish, Finished, Lease, Notice, Settle, Timestamp};

use super::{State, row::DeliveryRow};

impl State {
    pub(super) fn finish(&mut self, item: Finish, now: Timestamp) -> Finished {
        let answer = self.write_down(item, now);
        self.counted(answer)
    }

    pub(super) fn release(&mut self, lease: Lease, now: Timestamp) -> Finished {
        let answer = self.give_back(lease, now);
        self.counted(answer)
    }

    /// Counts writes that come too late.
    fn counted(&mut self, answer: Finished) -> Finished {
        self.leases_lost += u64::from(answer == Finished::LeaseLost);
        answer
    }

    fn write_down(&mut self, item: Finish, now: Timestamp) -> Finished {
        let Some(row) = self.last_leased(item.lease) else { return Finished::LeaseLost };
        if !mem::take(&mut row.held) {
            // It is said again: the first answer was lost.
            return Finished::Recorded;
        }
        row.count_attempts(item.attempts_made);
        row.forgiven = item.forgiven;
        item.attempts.iter().for_each(|attempt| row.record(attempt.clone()));
        let settles = row.status == DeliveryStatus::InFlight;
        if settles {
            settle(row, item.settle, now);
        }
        self.apply_health_change(&item, now);
        if let Some((tenant, kind)) = item.notice.filter(|_| settles) {
            self.tell(Notice::new(item.lease, now, tenant, kind));
        }
        self.move_up(item.lease.delivery, now);
        Finished::Recorded
    }

    fn give_back(&mut self, lease: Lease, now: Timestamp) -> Finished {
        let Some(row) = self.last_leased(lease).filter(|row| row.held) else {
            return Finished::LeaseLost;
        };
        row.held = false;
        row.count_attempts(row.attempts.saturating_sub(1));
        if row.status == DeliveryStatus::InFlight {
            settle(row, Settle::Retry(Duration::ZERO), now);
        }
        self.apply_health_change(&Finish::void(lease), now);
        Finished::Recorded
    }

    /// The delivery, if nobody has claimed it since. One that was cancelled meanwhile is still held,
    /// so that its attempt in flight gets recorded.
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
