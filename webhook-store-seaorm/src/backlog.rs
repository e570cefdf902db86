//! What is left to do, counted up to a limit.

use std::time::Duration;

use async_trait::async_trait;
use webhook_core::{Backlog, Timestamp};

use crate::{fault::Fault, row::ToValue, tx::Tx, unit::Unit};

/// Counts what is left to do.
pub(crate) struct CountBacklog;

/// Without those that cannot be read and were put off for a day: nobody waits for them.
const UNROUTED: &str = "SELECT 1 FROM {events} WHERE route_due_at <= ?";

/// Longer than any lease, shorter than what cannot be read is put off.
const SOON: Duration = Duration::from_secs(12 * 60 * 60);

const IN_FLIGHT: &str =
    "SELECT 1 FROM {deliveries} {by_status} WHERE status = 'in_flight' AND due_at > ?";

/// Deliveries that nobody holds, by endpoint: those pending, and those whose lease has ended. `state`
/// narrows the endpoints down.
fn free(state: &str) -> String {
    format!(
        "SELECT 1 FROM {{endpoints}} AS e {{then_join}} {{deliveries}} AS d {{by_open}} \
         ON d.{{open_endpoint}} = e.id AND d.due_at IS NOT NULL AND (d.status = 'pending' OR d.due_at <= ?) \
         WHERE e.removed_at IS NULL AND {state}"
    )
}

const NEXT_DUE: &str = "\
    SELECT MIN(h.due_at) AS due_at FROM (SELECT (SELECT d.due_at FROM {deliveries} AS d {by_open} \
        WHERE d.{open_endpoint} = e.id AND d.due_at IS NOT NULL \
        AND (d.status = 'pending' OR d.due_at <= ?) \
        ORDER BY d.due_at LIMIT 1) AS due_at \
    FROM {endpoints} AS e WHERE e.state = 'active' AND e.removed_at IS NULL) AS h";

#[async_trait]
impl Unit for CountBacklog {
    type Answer = Backlog;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Backlog, Fault> {
        let now = tx.now().await?;
        let mut left = count_left(tx, now, Backlog::CAP).await?;
        left.next_due = earliest(tx, now).await?.map(|due_at| due_at.since(now));
        Ok(left)
    }
}

/// What is left, each number up to `cap`.
pub(crate) async fn count_left(tx: &Tx, now: Timestamp, cap: u64) -> Result<Backlog, Fault> {
    Ok(Backlog::new(
        count(tx, UNROUTED, now.after(SOON), cap).await?,
        count(tx, IN_FLIGHT, now, cap).await?,
        count(tx, &free("e.state = 'active'"), now, cap).await?,
        count(tx, &free("e.state <> 'active'"), now, cap).await?,
        None,
    ))
}

/// When the earliest delivery that nobody holds of an active endpoint is due, or was.
pub(crate) async fn earliest(tx: &Tx, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
    let row = tx.one(NEXT_DUE, [now.to_value()]).await?;
    Ok(row.map(|row| row.time_if_any("due_at")).transpose()?.flatten())
}

async fn count(tx: &Tx, rows: &str, now: Timestamp, cap: u64) -> Result<u64, Fault> {
    let sql = format!("SELECT COUNT(*) AS number FROM ({rows} LIMIT ?) AS counted");
    let cap = u32::try_from(cap).unwrap_or(u32::MAX);
    let row = tx.one(&sql, [now.to_value(), cap.to_value()]).await?;
    row.map_or(Ok(0), |row| row.number("number"))
}
