//! Finishing as it nearly always is: the attempt of this claim succeeded, and nothing else follows from it.
//!
//! Such deliveries are not looked at first. They are changed on condition that each is as its claim left
//! it; were one not, by whatever means, nothing is written and the unit runs again and looks.

use std::collections::BTreeMap;

use webhook_core::{
    DeliveryId, DeliveryStatus,
    store::{Finish, LeaseEpoch, Settle},
};

use super::{attempt_row, insert_attempts};
use crate::{
    db::{
        fault::Fault,
        row::ToValue,
        tx::{ROWS_PER_STATEMENT, Tx},
    },
    work::health::may_change_health,
};

/// Whether an item is of that kind.
pub(super) fn is_plain(item: &Finish) -> bool {
    let [attempt] = item.attempts.as_slice() else { return false };
    item.settle == Settle::Success
        && attempt.number == item.attempts_made
        && attempt.failure.is_none()
        && !may_change_health(item)
        && item.notice.is_none()
        && !item.ordered
}

/// Values of claimed deliveries that one statement changes together.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct ClaimValues {
    epoch: LeaseEpoch,
    attempts: u32,
    forgiven: u32,
}

/// Writes down the success of plain items, or nothing.
pub(super) async fn succeed(tx: &Tx, items: &[&Finish]) -> Result<(), Fault> {
    let mut kinds = BTreeMap::<_, Vec<_>>::new();
    for item in items {
        let alike = ClaimValues {
            epoch: item.lease.epoch,
            attempts: item.attempts_made,
            forgiven: item.forgiven,
        };
        kinds.entry(alike).or_default().push(item.lease.delivery);
    }
    for (alike, mut ids) in kinds {
        ids.sort_unstable();
        for ids in ids.chunks(ROWS_PER_STATEMENT) {
            alike.succeed(tx, ids).await?;
        }
    }
    let attempts = items
        .iter()
        .flat_map(|item| item.attempts.iter().map(|attempt| attempt_row(item.lease, attempt)));
    // Were one there already, its delivery would be in flight no more.
    insert_attempts(tx, attempts.collect(), "").await
}

impl ClaimValues {
    async fn succeed(&self, tx: &Tx, ids: &[DeliveryId]) -> Result<(), Fault> {
        let set = format!(
            "status = ?, recorded = ?, forgiven = ?, due_at = NULL, finished_at = {}, last_error = NULL",
            tx.clock()
        );
        let to = [
            DeliveryStatus::Success.to_value(),
            self.attempts.to_value(),
            self.forgiven.to_value(),
        ];
        // Were the status compared as it is, a planner might look for them among all that is in flight.
        let are = "COALESCE(status, '') = ? AND epoch = ? AND attempts = ?";
        let what =
            [DeliveryStatus::InFlight.to_value(), self.epoch.to_value(), self.attempts.to_value()];
        let changed = tx.change_those_that((&set, &to), (are, &what), ids).await?;
        if usize::try_from(changed) == Ok(ids.len()) {
            Ok(())
        } else {
            Err(Fault::optimistic_miss())
        }
    }
}
