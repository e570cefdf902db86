//! Cancels open deliveries, and takes final ones out of their lines.

use std::collections::BTreeMap;

use async_trait::async_trait;
use webhook_core::{
    DeliveryId, DeliveryStatus,
    store::{Cancelled, Skipped},
};

use crate::{
    db::{
        fault::Fault,
        row::ToValue,
        rows::pairs,
        tx::{ROWS_PER_STATEMENT, Tx},
        unit::Unit,
    },
    work::{
        order::{leave, lock_ordered},
        stored_deliveries::StoredDeliveries,
    },
};

pub(crate) struct CancelBatch(pub(crate) Vec<DeliveryId>);

#[async_trait]
impl Unit for CancelBatch {
    type Output = Vec<Cancelled>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Vec<Cancelled>, Fault> {
        let ordered = lock_ordered(tx, &self.0.iter().map(|id| id.endpoint).collect()).await?;
        let mut stored = StoredDeliveries::read(tx, &self.0).await?;
        let now = tx.now().await?;
        let (mut over, mut leaving) = (Vec::new(), BTreeMap::new());
        let answer = |id: &DeliveryId| {
            let Some(row) = stored.0.get_mut(id) else { return Cancelled::NotFound };
            match row.status {
                _ if row.tracked => Cancelled::Tracked,
                status if status.is_final() => Cancelled::Unchanged(status),
                status => {
                    row.status = DeliveryStatus::Cancelled;
                    over.push(*id);
                    let in_flight = status == DeliveryStatus::InFlight;
                    if ordered.contains(&id.endpoint) {
                        // Nobody tells when the attempt in flight is over; its lease does.
                        let lease_ends = row.due_at.filter(|_| in_flight).unwrap_or(now);
                        leaving.insert(*id, now.max(lease_ends));
                    }
                    if in_flight { Cancelled::InFlight } else { Cancelled::Done }
                }
            }
        };
        let answers = self.0.iter().map(answer).collect();
        cancel_all(tx, &over).await?;
        leave(tx, &leaving).await?;
        Ok(answers)
    }
}

pub(crate) struct SkipBatch(pub(crate) Vec<DeliveryId>);

#[async_trait]
impl Unit for SkipBatch {
    type Output = Vec<Skipped>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Vec<Skipped>, Fault> {
        lock_ordered(tx, &self.0.iter().map(|id| id.endpoint).collect()).await?;
        let stored = StoredDeliveries::read(tx, &self.0).await?;
        let now = tx.now().await?;
        let over = stored.0.iter().filter(|(_, row)| row.status.is_final());
        let mut left = leave(tx, &over.map(|(id, _)| (*id, now)).collect()).await?;
        let answer = |id: &DeliveryId| match stored.0.get(id) {
            None => Skipped::NotFound,
            Some(_) if left.remove(id) => Skipped::Done,
            Some(row) => Skipped::Unchanged(row.status),
        };
        Ok(self.0.iter().map(answer).collect())
    }
}

/// A pending delivery has no lease, so no attempt is left to record. MySQL reads columns further
/// left with their new values.
async fn cancel_all(tx: &Tx, ids: &[DeliveryId]) -> Result<(), Fault> {
    let now = tx.now().await?;
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let sql = format!(
            "UPDATE {{deliveries}} {{by_key}} SET \
                 recorded = CASE WHEN status = 'pending' THEN attempts ELSE recorded END, \
                 status = 'cancelled', due_at = NULL, finished_at = ? \
             WHERE (event_id, endpoint_id) IN {}",
            tx.sql().dialect.pairs(ids.len())
        );
        tx.run(&sql, [now.to_value()].into_iter().chain(pairs(ids))).await?;
    }
    Ok(())
}
