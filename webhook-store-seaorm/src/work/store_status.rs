//! How the store is doing: capped counts, and probes of indexes.

use async_trait::async_trait;
use webhook_core::{
    DeliveryId, Timestamp,
    store::{FailingEndpoint, Finished, StoreStatus},
};

use crate::{
    db::{
        fault::Fault,
        row::{Row, ToValue, limit},
        tx::Tx,
        unit::Unit,
    },
    work::backlog::count_left,
};

/// Looks how the store is doing.
pub(crate) struct ReadStoreStatus;

#[async_trait]
impl Unit for ReadStoreStatus {
    type Output = StoreStatus;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<StoreStatus, Fault> {
        let now = tx.now().await?;
        let (left, earliest) = count_left(tx, now, StoreStatus::CAP).await?;
        let mut status = StoreStatus::default();
        (status.unrouted, status.in_flight) = (left.unrouted, left.in_flight);
        (status.pending, status.waiting) = (left.pending, left.waiting);
        let overdue = |due_at: Timestamp| (due_at <= now).then(|| now.since(due_at));
        status.oldest_due = earliest.and_then(overdue);
        status.failing = failing(tx).await?;
        status.leases_lost = leases_lost(tx).await?;
        Ok(status)
    }
}

/// For each active endpoint its oldest pending delivery, where that has been tried and has failed:
/// two steps in an index for each endpoint.
const FAILING_ENDPOINTS: &str = "\
    SELECT d.event_id, d.endpoint_id, d.tenant, d.attempts, d.last_error, d.created_at \
    FROM (SELECT e.id, (SELECT o.event_id FROM {deliveries} AS o {by_endpoint} \
            WHERE o.endpoint_id = e.id AND o.status = 'pending' {not_in_flight} AND o.due_at IS NOT NULL \
            ORDER BY o.created_at, o.event_id LIMIT 1) AS oldest \
        FROM {endpoints} AS e WHERE e.state = 'active' AND e.removed_at IS NULL) AS h \
    JOIN {deliveries} AS d ON d.event_id = h.oldest AND d.endpoint_id = h.id \
    WHERE d.attempts > d.budget_from AND d.last_error IS NOT NULL ORDER BY d.endpoint_id LIMIT ?";

async fn failing(tx: &Tx) -> Result<Vec<FailingEndpoint>, Fault> {
    let rows = tx.all(FAILING_ENDPOINTS, [limit(StoreStatus::MAX_FAILING)]).await?;
    // What cannot be read is told elsewhere; the rest is worth knowing.
    Ok(rows.iter().filter_map(|row| failing_endpoint(row).ok()).collect())
}

fn failing_endpoint(row: &Row) -> Result<FailingEndpoint, Fault> {
    let delivery = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
    Ok(FailingEndpoint::new(
        delivery,
        row.parse("tenant")?,
        row.number("attempts")?,
        row.get("last_error")?,
        row.time("created_at")?,
    ))
}

async fn leases_lost(tx: &Tx) -> Result<u64, Fault> {
    let row = tx.one("SELECT value FROM {counters} WHERE name = 'leases_lost'", []).await?;
    row.map_or(Ok(0), |row| row.number("value"))
}

/// Counts the writes that came too late, in their own transaction.
pub(crate) async fn count_leases_lost(tx: &Tx, answers: &[Finished]) -> Result<(), Fault> {
    let lost = answers.iter().filter(|answer| **answer == Finished::LeaseLost).count();
    let lost = u32::try_from(lost).unwrap_or(u32::MAX);
    if lost == 0 {
        return Ok(());
    }
    let raise = "UPDATE {counters} SET value = value + ? WHERE name = 'leases_lost'";
    if tx.run(raise, [lost.to_value()]).await? == 0 {
        // Another may be the first, too: then this unit runs again.
        let first = "INSERT INTO {counters} (name, value) VALUES ('leases_lost', ?)";
        tx.run(first, [lost.to_value()]).await?;
    }
    Ok(())
}
