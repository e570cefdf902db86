//! Removing what is over and old, a few rows at a time.
//!
//! Deliveries are found by their status and when they came about: what is final and came about before
//! the cut is nearly always finished before it, so no index of its own has to be written for this.

use async_trait::async_trait;
use sea_orm::Value;
use webhook_core::{
    DeliveryId, DeliveryStatus, EndpointId, EventId, Timestamp,
    store::{Cursor, Prune, PruneCursor, Pruned},
};

use crate::db::{
    fault::Fault,
    row::{Row, ToValue, limit},
    rows::pairs,
    tx::{ROWS_PER_STATEMENT, Tx},
    unit::Unit,
};

/// Reads a number of rows, and removes those that are old enough. Counts them if it does not write.
pub(crate) struct PruneBatch<const WRITES: bool>(pub(crate) Prune);

#[async_trait]
impl<const WRITES: bool> Unit for PruneBatch<WRITES> {
    type Output = Pruned;
    const WRITES: bool = WRITES;

    async fn run(&self, tx: &Tx) -> Result<Pruned, Fault> {
        let cut = tx.now().await?.before(self.0.older_than);
        let page =
            PrunePage { tx, cut, rows: self.0.limit.clamp(1, Prune::MAX_LIMIT), writes: WRITES };
        match self.0.cursor.unwrap_or_default() {
            PruneCursor::Deliveries(status, after) => page.deliveries(status, after).await,
            PruneCursor::Events(after) => page.events(after).await,
            PruneCursor::Endpoints(after) => page.endpoints(after).await,
            PruneCursor::Notices => page.notices().await,
        }
    }
}

/// One step of pruning.
struct PrunePage<'a> {
    tx: &'a Tx,
    /// What was over before this is old.
    cut: Timestamp,
    rows: usize,
    writes: bool,
}

/// What has to be true of a delivery to be removed.
const IS_FINAL: &str = "status IN ('success', 'failed', 'cancelled', 'missed')";

/// That a delivery stands in a line. One that is over and does so all the same blocks it.
fn is_in_a_line(delivery: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM {{ordered_deliveries}} AS l {{by_delivery}} \
         WHERE l.event_id = {delivery}.event_id AND l.endpoint_id = {delivery}.endpoint_id)"
    )
}

/// Only what has failed blocks.
fn but_what_blocks(status: DeliveryStatus) -> String {
    match status {
        DeliveryStatus::Failed => format!("AND NOT {}", is_in_a_line("{deliveries}")),
        _ => String::new(),
    }
}

impl PrunePage<'_> {
    /// Locks what it removes, so that none of it is made due again on the way.
    fn lock(&self) -> &'static str {
        if self.writes { "{for_update_skip_locked}" } else { "" }
    }

    async fn deliveries(
        &self,
        status: DeliveryStatus,
        after: Option<Cursor>,
    ) -> Result<Pruned, Fault> {
        let mut values = vec![status.to_value(), self.cut.to_value()];
        let mut behind = "";
        if let Some(Cursor { created_at, id, .. }) = after {
            behind = "AND created_at >= ? AND (created_at, event_id, endpoint_id) > (?, ?, ?)";
            values.extend([created_at.to_value(), created_at.to_value()]);
            values.extend(pairs(&[id]));
        }
        values.push(limit(self.rows));
        let sql = format!(
            "SELECT event_id, endpoint_id, created_at, finished_at FROM {{deliveries}} {{by_status}} \
             WHERE status = ? {{not_open}} AND created_at < ? {behind} {} \
             ORDER BY created_at, event_id, endpoint_id LIMIT ? {}",
            but_what_blocks(status),
            self.lock()
        );
        let rows = self.tx.all(&sql, values).await?;
        let mut pruned = Pruned::default();
        let old = rows.iter().filter_map(|row| self.old(row).ok().flatten());
        for ids in old.collect::<Vec<_>>().chunks(ROWS_PER_STATEMENT) {
            pruned.attempts += self.take_attempts(ids).await?;
            pruned.deliveries += self.take_deliveries(ids).await?;
        }
        let last = rows.last().filter(|_| rows.len() == self.rows).map(cursor).transpose()?;
        Ok(pruned.with_next(Some(match (last, next_status(status)) {
            (Some(last), _) => PruneCursor::Deliveries(status, Some(last)),
            (None, Some(status)) => PruneCursor::Deliveries(status, None),
            (None, None) => PruneCursor::Events(None),
        })))
    }

    /// The delivery, if it was over before the cut. One that cannot be read stays.
    fn old(&self, row: &Row) -> Result<Option<DeliveryId>, Fault> {
        let id = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
        let finished_at = row.time_if_any("finished_at")?;
        Ok(finished_at.filter(|at| *at < self.cut).map(|_| id))
    }

    async fn take_attempts(&self, ids: &[DeliveryId]) -> Result<u64, Fault> {
        let these = self.tx.sql().dialect.pairs(ids.len());
        if self.writes {
            let sql = format!("DELETE FROM {{attempts}} WHERE (event_id, endpoint_id) IN {these}");
            return self.tx.run(&sql, pairs(ids)).await;
        }
        let sql = format!(
            "SELECT COUNT(*) AS number FROM {{attempts}} WHERE (event_id, endpoint_id) IN {these}"
        );
        let row = self.tx.one(&sql, pairs(ids)).await?;
        row.map_or(Ok(0), |row| row.number("number"))
    }

    async fn take_deliveries(&self, ids: &[DeliveryId]) -> Result<u64, Fault> {
        if !self.writes {
            return Ok(count(ids.len()));
        }
        let sql = format!(
            "DELETE FROM {{deliveries}} WHERE (event_id, endpoint_id) IN {} AND {IS_FINAL}",
            self.tx.sql().dialect.pairs(ids.len())
        );
        self.tx.run(&sql, pairs(ids)).await
    }

    /// Events that are routed, and have no deliveries that stay.
    async fn events(&self, after: Option<(Timestamp, EventId)>) -> Result<Pruned, Fault> {
        let (stays, mut values) = self.stays();
        values.push(self.cut.to_value());
        let mut behind = "";
        if let Some((created_at, id)) = after {
            behind = "AND e.created_at >= ? AND (e.created_at, e.id) > (?, ?)";
            values.extend([created_at.to_value(), created_at.to_value(), id.to_value()]);
        }
        values.push(limit(self.rows));
        let sql = format!(
            "SELECT e.id, e.created_at, (SELECT MIN(d.created_at) FROM {{deliveries}} AS d \
                 WHERE d.event_id = e.id {stays}) AS used_since \
             FROM {{events}} AS e WHERE e.route_due_at IS NULL AND e.created_at < ? {behind} \
             ORDER BY e.created_at, e.id LIMIT ? {}",
            self.lock()
        );
        let rows = self.tx.all(&sql, values).await?;
        let unused = rows.iter().filter(|row| matches!(row.time_if_any("used_since"), Ok(None)));
        let ids: Vec<_> = unused.filter_map(|row| row.event("id").ok()).collect();
        let ids = ids.iter().map(ToValue::to_value).collect();
        let last = rows.last().filter(|_| rows.len() == self.rows);
        let last = last.map(|row| Ok::<_, Fault>((row.time("created_at")?, row.event("id")?)));
        let next = match last.transpose()? {
            Some(last) => PruneCursor::Events(Some(last)),
            None => PruneCursor::Endpoints(None),
        };
        Ok(Pruned::default()
            .with_events(self.take(UNUSED_EVENTS, ids).await?)
            .with_next(Some(next)))
    }

    /// Narrows deliveries down to those that stay: all that are left, once the others are removed.
    fn stays(&self) -> (String, Vec<Value>) {
        if self.writes {
            return (String::new(), Vec::new());
        }
        let stays = format!(
            "AND (d.created_at >= ? OR d.finished_at IS NULL OR d.finished_at >= ? OR NOT d.{IS_FINAL} \
             OR {})",
            is_in_a_line("d")
        );
        (stays, vec![self.cut.to_value(), self.cut.to_value()])
    }

    /// Endpoints that were removed, and have no deliveries left.
    async fn endpoints(&self, after: Option<EndpointId>) -> Result<Pruned, Fault> {
        let mut values = vec![self.cut.to_value()];
        values.extend(after.map(|id| id.to_value()));
        let behind = if after.is_some() { "AND e.id > ?" } else { "" };
        let (stays, kept) = self.stays();
        values.extend(kept);
        values.push(limit(self.rows));
        let sql = format!(
            "SELECT e.id FROM {{endpoints}} AS e WHERE e.removed_at < ? {behind} \
             AND {} ORDER BY e.id LIMIT ? {}",
            has_none("e.id", &stays),
            self.lock()
        );
        let rows = self.tx.all(&sql, values).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.endpoint("id")).collect::<Result<_, _>>()?;
        let next = ids.last().filter(|_| ids.len() == self.rows);
        let next = match next {
            Some(last) => PruneCursor::Endpoints(Some(*last)),
            None => PruneCursor::Notices,
        };
        let ids = ids.iter().map(ToValue::to_value).collect();
        let unused = format!(
            "DELETE FROM {{endpoints}} WHERE id {{in_list}} AND removed_at IS NOT NULL AND {}",
            has_none("{endpoints}.id", "")
        );
        Ok(Pruned::default().with_endpoints(self.take(&unused, ids).await?).with_next(Some(next)))
    }

    /// Notices that nobody has acknowledged. A dry run counts them all at once: there is no place to go on
    /// from.
    async fn notices(&self) -> Result<Pruned, Fault> {
        let old = "FROM {notices} WHERE noticed_at < ?";
        if !self.writes {
            let count = format!("SELECT COUNT(*) AS number {old}");
            let row = self.tx.one(&count, [self.cut.to_value()]).await?;
            return Ok(
                Pruned::default().with_notices(row.map_or(Ok(0), |row| row.number("number"))?)
            );
        }
        let sql = format!("SELECT id {old} ORDER BY noticed_at, id LIMIT ? {}", self.lock());
        let rows = self.tx.all(&sql, [self.cut.to_value(), limit(self.rows)]).await?;
        let ids = rows.iter().map(|row| row.get::<String>("id").map(Value::from));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let next = (ids.len() == self.rows).then_some(PruneCursor::Notices);
        let taken = self.take("DELETE FROM {notices} WHERE id {in_list}", ids).await?;
        Ok(Pruned::default().with_notices(taken).with_next(next))
    }

    /// Removes rows by their ids, or counts them.
    async fn take(&self, delete: &str, ids: Vec<Value>) -> Result<u64, Fault> {
        if !self.writes {
            return Ok(count(ids.len()));
        }
        self.tx.run_of(delete, None, ids).await
    }
}

/// Looks again: something may have come in since these were found.
const UNUSED_EVENTS: &str = "\
    DELETE FROM {events} WHERE id {in_list} AND route_due_at IS NULL \
    AND NOT EXISTS (SELECT 1 FROM {deliveries} AS d WHERE d.event_id = {events}.id)";

/// That an endpoint has no deliveries, as far as these would stay. What is in flight stays.
fn has_none(id: &str, stays: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM {{deliveries}} AS d {{by_endpoint}} \
             WHERE d.endpoint_id = {id} {{not_in_flight}} {stays}) \
         AND NOT EXISTS (SELECT 1 FROM {{deliveries}} AS d {{by_in_flight}} \
             WHERE d.endpoint_id = {id} AND d.status = 'in_flight')"
    )
}

/// The final status after this one.
const fn next_status(status: DeliveryStatus) -> Option<DeliveryStatus> {
    match status {
        DeliveryStatus::Success => Some(DeliveryStatus::Failed),
        DeliveryStatus::Failed => Some(DeliveryStatus::Cancelled),
        DeliveryStatus::Cancelled => Some(DeliveryStatus::Missed),
        _ => None,
    }
}

fn cursor(row: &Row) -> Result<Cursor, Fault> {
    let id = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
    Ok(Cursor::new(row.time("created_at")?, id))
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
