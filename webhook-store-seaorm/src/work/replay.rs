//! Replaying what an endpoint did not take, or missed, a page at a time.
//!
//! What stands on a page is looked up without a lock, in the order of the index of an endpoint's
//! deliveries. Its rows are locked then, in the order of their keys as everywhere, and judged once more:
//! nobody's rows are passed over, and nothing is sent that has changed meanwhile.

use async_trait::async_trait;
use webhook_core::{
    DeliveryId, EventId, Timestamp, Trigger,
    store::{Redeliver, Redelivered, ReplayCandidate, ReplayPage, Replayed},
};

use crate::{
    db::{
        fault::Fault,
        row::{Row, ToValue, limit, unreadable},
        rows::pairs,
        tx::{ROWS_PER_STATEMENT, Tx},
        unit::Unit,
    },
    work::{
        order::lock_ordered,
        redeliver::{endpoints, redeliver},
    },
};

/// Makes some deliveries due again; or counts them, where it does not write.
pub(crate) struct ReplayBatch<const WRITES: bool>(pub(crate) ReplayPage);

#[async_trait]
impl<const WRITES: bool> Unit for ReplayBatch<WRITES> {
    type Output = Replayed;
    const WRITES: bool = WRITES;

    async fn run(&self, tx: &Tx) -> Result<Replayed, Fault> {
        let page = &self.0;
        let began_at = match page.began_at {
            Some(began_at) => began_at,
            None => tx.now().await?,
        };
        if !self.has_endpoint(tx).await? {
            return Ok(Replayed::gone(began_at));
        }
        let most = page.limit.clamp(1, ReplayPage::MAX_LIMIT);
        let rows = self.read_page(tx, began_at, most).await?;
        let last = if rows.len() == most { Some(last_place(&rows)?) } else { None };
        let ids = self.taken(&rows, began_at);
        let count = if WRITES { self.make_due(tx, &ids, began_at).await? } else { ids.len() };
        let next = page.cursor.next(page.replay.include, last);
        Ok(Replayed::new(began_at, u64::try_from(count).unwrap_or(u64::MAX), next))
    }
}

/// Columns of a delivery that may be replayed.
const REPLAY_COLUMNS: &str =
    "event_id, endpoint_id, status, event_type, created_at, finished_at, url";

impl<const WRITES: bool> ReplayBatch<WRITES> {
    /// Whether the endpoint is there; locked, where this writes: it comes before its deliveries.
    async fn has_endpoint(&self, tx: &Tx) -> Result<bool, Fault> {
        let id = self.0.replay.endpoint;
        if WRITES {
            let any = DeliveryId::new(EventId::from_uuid(uuid::Uuid::nil()), id);
            let found = endpoints(tx, &[any]).await?;
            // Its lines come before its deliveries, too.
            lock_ordered(tx, &found).await?;
            return Ok(!found.is_empty());
        }
        let sql = "SELECT id FROM {endpoints} WHERE id = ? AND removed_at IS NULL";
        Ok(tx.one(sql, [id.to_value()]).await?.is_some())
    }

    async fn read_page(
        &self,
        tx: &Tx,
        began_at: Timestamp,
        most: usize,
    ) -> Result<Vec<Row>, Fault> {
        let ReplayPage { replay, cursor, .. } = &self.0;
        let mut behind = "";
        let mut values = vec![
            replay.endpoint.to_value(),
            cursor.status.to_value(),
            replay.end(began_at).to_value(),
            replay.since.unwrap_or(Timestamp::from_unix_millis(i64::MIN)).to_value(),
        ];
        if let Some((created_at, event)) = cursor.after {
            // The first says nothing new. MySQL finds its place in the index by no comparison of rows.
            behind = "AND created_at >= ? AND (created_at, event_id) > (?, ?)";
            values.extend([created_at.to_value(), created_at.to_value(), event.to_value()]);
        }
        values.push(limit(most));
        let sql = format!(
            "SELECT {REPLAY_COLUMNS} FROM {{deliveries}} {{by_endpoint}} \
             WHERE endpoint_id = ? AND status = ? {{not_in_flight}} \
             AND created_at < ? AND created_at >= ? {behind} \
             ORDER BY created_at, event_id LIMIT ?"
        );
        tx.all(&sql, values).await
    }

    /// Those of the rows that the replay takes. What cannot be read stays as it is.
    fn taken(&self, rows: &[Row], began_at: Timestamp) -> Vec<DeliveryId> {
        let rows = rows.iter().filter_map(|row| candidate(row).ok());
        let taken = rows.filter(|(_, row)| self.0.replay.takes(row, began_at));
        taken.map(|(id, _)| id).collect()
    }

    async fn make_due(
        &self,
        tx: &Tx,
        ids: &[DeliveryId],
        began_at: Timestamp,
    ) -> Result<usize, Fault> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        let mut again = Vec::new();
        for ids in ids.chunks(ROWS_PER_STATEMENT) {
            let sql = format!(
                "SELECT {REPLAY_COLUMNS} FROM {{deliveries}} {{by_key}} \
                 WHERE (event_id, endpoint_id) IN {} ORDER BY event_id, endpoint_id {{for_update}}",
                tx.sql().dialect.pairs(ids.len())
            );
            again.extend(self.taken(&tx.all(&sql, pairs(ids)).await?, began_at));
        }
        let item = |id| Redeliver::new(id).with_cause(Trigger::Replay);
        let answers = redeliver(tx, &again.into_iter().map(item).collect::<Vec<_>>()).await?;
        Ok(answers.iter().filter(|answer| **answer == Redelivered::Done).count())
    }
}

/// Where the last of these rows stands that can be read.
fn last_place(rows: &[Row]) -> Result<(Timestamp, EventId), Fault> {
    let place = |row: &Row| Ok::<_, Fault>((row.time("created_at")?, row.event("event_id")?));
    rows.iter().rev().find_map(|row| place(row).ok()).ok_or_else(|| unreadable("event_id"))
}

fn candidate(row: &Row) -> Result<(DeliveryId, ReplayCandidate), Fault> {
    let id = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
    let candidate = ReplayCandidate {
        status: row.parse("status")?,
        event_type: row.parse("event_type")?,
        created_at: row.time("created_at")?,
        finished_at: row.time_if_any("finished_at")?,
        tracked: row.get::<Option<String>>("url")?.is_some(),
    };
    Ok((id, candidate))
}
