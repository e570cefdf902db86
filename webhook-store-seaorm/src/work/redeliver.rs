//! Makes deliveries pending again, at the end of their lines.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use webhook_core::{
    DeliveryId, DeliveryStatus, EndpointId, EventId, OrderingKey, Timestamp, Trigger,
    store::{Redeliver, Redelivered},
};

use crate::{
    db::{
        fault::Fault,
        row::{Row, ToValue},
        rows::pairs,
        tx::{ROWS_PER_STATEMENT, Tx},
        unit::Unit,
    },
    work::{
        order::{LineEnds, PARKED, lines_of, lock_ordered},
        stored_deliveries::StoredDeliveries,
    },
};

pub(crate) struct RedeliverBatch(pub(crate) Vec<Redeliver>);

#[async_trait]
impl Unit for RedeliverBatch {
    type Output = Vec<Redelivered>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Vec<Redelivered>, Fault> {
        redeliver(tx, &self.0).await
    }
}

/// Endpoints are locked before deliveries: one that is being removed is either gone already, or finds
/// what is made pending here.
pub(crate) async fn redeliver(tx: &Tx, batch: &[Redeliver]) -> Result<Vec<Redelivered>, Fault> {
    let ids: Vec<_> = batch.iter().map(|item| item.delivery).collect();
    let endpoints = endpoints(tx, &ids).await?;
    lock_ordered(tx, &endpoints).await?;
    let mut stored = StoredDeliveries::read(tx, &ids).await?;
    let events = events(tx, &ids).await?;
    let mut due = BTreeMap::new();
    let answer = |item: &Redeliver| {
        let id = item.delivery;
        let Some(row) = stored.0.get_mut(&id).filter(|_| events.contains_key(&id.event)) else {
            return Redelivered::NotFound;
        };
        match item.only {
            _ if row.tracked => Redelivered::Tracked,
            _ if !row.status.is_final() => Redelivered::Unchanged(row.status),
            Some(only) if only != row.status => Redelivered::Unchanged(row.status),
            _ if !endpoints.contains(&id.endpoint) => Redelivered::EndpointGone,
            _ => {
                row.status = DeliveryStatus::Pending;
                due.insert((row.created_at, id), item.cause);
                Redelivered::Done
            }
        }
    };
    let answers = batch.iter().map(answer).collect();
    let waiting = append_to_lines(tx, due.keys().map(|(_, id)| *id).collect(), &events).await?;
    let now = tx.now().await?;
    let mut alike = BTreeMap::<_, Vec<_>>::new();
    for ((_, id), cause) in due {
        let due_at = if waiting.contains(&id) { PARKED } else { now };
        alike.entry((due_at, cause)).or_default().push(id);
    }
    for ((due_at, cause), ids) in alike {
        make_due(tx, &ids, cause, due_at).await?;
    }
    Ok(answers)
}

/// Appends deliveries with an ordering key to their lines, in their order, unless they are in one
/// already. Returns those that have to wait.
async fn append_to_lines(
    tx: &Tx,
    ids: Vec<DeliveryId>,
    keys: &BTreeMap<EventId, Option<OrderingKey>>,
) -> Result<BTreeSet<DeliveryId>, Fault> {
    let key = |id: &DeliveryId| keys.get(&id.event).and_then(Option::as_ref);
    let mut new: Vec<_> = ids.into_iter().filter(|id| key(id).is_some()).collect();
    let there = lines_of(tx, &new).await?;
    new.retain(|id| !there.contains_key(id));
    let lines = new.iter().filter_map(|id| Some((id.endpoint, key(id)?.clone()))).collect();
    let mut lines = LineEnds::lock(tx, lines).await?;
    let now = tx.now().await?;
    let waits = |id: &DeliveryId| lines.append(*id, key(id), now) == PARKED;
    let waiting = new.into_iter().filter(waits).collect();
    lines.insert(tx).await?;
    Ok(waiting)
}

/// An attempt that was lost with its worker before is told by the next claim: the numbers on record
/// are looked up, as a cancelled delivery stopped counting them.
async fn make_due(
    tx: &Tx,
    ids: &[DeliveryId],
    cause: Trigger,
    due_at: Timestamp,
) -> Result<(), Fault> {
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let sql = format!(
            "UPDATE {{deliveries}} {{by_key}} SET status = 'pending', epoch = epoch + 1, due_at = ?, \
             budget_from = attempts, forgiven = 0, cause = ?, finished_at = NULL, \
             recorded = (SELECT COALESCE(MAX(a.number), 0) FROM {{attempts}} AS a \
                 WHERE a.event_id = {{deliveries}}.event_id AND a.endpoint_id = {{deliveries}}.endpoint_id) \
             WHERE (event_id, endpoint_id) IN {}",
            tx.sql().dialect.pairs(ids.len())
        );
        let values = [due_at.to_value(), cause.to_value()];
        tx.run(&sql, values.into_iter().chain(pairs(ids))).await?;
    }
    Ok(())
}

/// Those of the endpoints that were not removed, locked.
pub(crate) async fn endpoints(tx: &Tx, ids: &[DeliveryId]) -> Result<BTreeSet<EndpointId>, Fault> {
    let ids: BTreeSet<_> = ids.iter().map(|id| id.endpoint).collect();
    let sql = "SELECT id FROM {endpoints} WHERE removed_at IS NULL AND id {in_list} \
               ORDER BY id {for_update}";
    let rows = tx.all_of(sql, ids.iter().map(ToValue::to_value)).await?;
    rows.iter().map(|row| row.endpoint("id")).collect()
}

/// Those of the events that are there, with their ordering keys.
async fn events(
    tx: &Tx,
    ids: &[DeliveryId],
) -> Result<BTreeMap<EventId, Option<OrderingKey>>, Fault> {
    let ids: BTreeSet<_> = ids.iter().map(|id| id.event).collect();
    let rows = tx.all_of(
        "SELECT id, ordering_key FROM {events} {by_key} WHERE id {in_list}",
        ids.iter().map(ToValue::to_value),
    );
    // One that cannot be read stands in no line.
    let key =
        |row: &Row| Ok((row.event("id")?, row.parse_if_any("ordering_key").unwrap_or_default()));
    rows.await?.iter().map(key).collect()
}
