//! What is left to do, counted up to a limit.

use async_trait::async_trait;
use sea_orm::Value;
use webhook_core::{Timestamp, store::Backlog};

use crate::{
    db::{fault::Fault, row::ToValue, tx::Tx, unit::Unit},
    work::{order::unless_parked, unrouted::UNREADABLE_IF_DUE_AFTER},
};

/// Counts what is left to do.
pub(crate) struct CountBacklog;

/// Unrouted events, except unreadable ones, which are put off for a day.
const UNROUTED_EVENTS: &str = "SELECT 1 FROM {events} WHERE route_due_at <= ?";

/// Deliveries under a lease that has not ended.
const IN_FLIGHT_DELIVERIES: &str =
    "SELECT 1 FROM {deliveries} {by_in_flight} WHERE status = 'in_flight' AND due_at > ?";

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
    SELECT MIN(CASE WHEN h.cools_down_until > h.due_at THEN h.cools_down_until ELSE h.due_at END) AS due_at \
    FROM (SELECT e.cools_down_until, (SELECT d.due_at FROM {deliveries} AS d {by_open} \
        WHERE d.{open_endpoint} = e.id AND d.due_at IS NOT NULL \
        AND (d.status = 'pending' OR d.due_at <= ?) \
        ORDER BY d.due_at LIMIT 1) AS due_at \
    FROM {endpoints} AS e WHERE e.state = 'active' AND e.removed_at IS NULL) AS h";

#[async_trait]
impl Unit for CountBacklog {
    type Output = Backlog;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Backlog, Fault> {
        let now = tx.now().await?;
        let (mut left, earliest) = count_left(tx, now, Backlog::CAP).await?;
        left.next_due = earliest.map(|due_at| due_at.since(now));
        Ok(left)
    }
}

/// What is left, each number up to `cap`, and when the earliest delivery that nobody holds of an
/// active endpoint is due, or was; not before the rest of its endpoint is over.
///
/// In one statement: what is claimed between two of them would be neither here nor there.
pub(crate) async fn count_left(
    tx: &Tx,
    now: Timestamp,
    cap: u64,
) -> Result<(Backlog, Option<Timestamp>), Fault> {
    let (active, others) = (free("e.state = 'active'"), free("e.state <> 'active'"));
    let sql = format!(
        "SELECT {} AS unrouted, {} AS in_flight, {} AS pending, {} AS waiting, ({NEXT_DUE}) AS next_due",
        count(UNROUTED_EVENTS),
        count(IN_FLIGHT_DELIVERIES),
        count(&active),
        count(&others)
    );
    let capped = |time: Timestamp| [time.to_value(), cap_of(cap)];
    let values =
        [capped(now.after(UNREADABLE_IF_DUE_AFTER)), capped(now), capped(now), capped(now)];
    let values = values.into_iter().flatten().chain([now.to_value()]);
    let row = tx.one(&sql, values).await?;
    let row = row.ok_or_else(|| Fault::corrupt("the database counts nothing"))?;
    let left = Backlog::new(
        row.number("unrouted")?,
        row.number("in_flight")?,
        row.number("pending")?,
        row.number("waiting")?,
        None,
    );
    Ok((left, row.time_if_any("next_due")?.and_then(unless_parked)))
}

fn cap_of(cap: u64) -> Value {
    u32::try_from(cap).unwrap_or(u32::MAX).to_value()
}

fn count(rows: &str) -> String {
    format!("(SELECT COUNT(*) FROM ({rows} LIMIT ?) AS counted)")
}
