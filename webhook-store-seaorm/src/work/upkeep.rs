//! What operators may do: try again, call off.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use webhook_core::{
    Cancelled, DeliveryId, DeliveryStatus, EndpointId, EventId, OrderingKey, Redeliver,
    Redelivered, Skipped, Timestamp, Trigger,
};

use crate::{
    db::{
        fault::Fault,
        row::{Row, ToValue},
        rows::pairs,
        tx::{ROWS, Tx},
        unit::Unit,
    },
    work::order::{Lines, PARKED, in_line, leave, lock_ordered},
};

pub(crate) struct RedeliverSome(pub(crate) Vec<Redeliver>);

#[async_trait]
impl Unit for RedeliverSome {
    type Answer = Vec<Redelivered>;
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
    let mut stored = Stored::read(tx, &ids).await?;
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
    let waiting = line_up(tx, due.keys().map(|(_, id)| *id).collect(), &events).await?;
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

/// Puts those that are to stand in a line at its end, in their order, but for those that stand in one
/// already. Answers which have to wait.
async fn line_up(
    tx: &Tx,
    ids: Vec<DeliveryId>,
    keys: &BTreeMap<EventId, Option<OrderingKey>>,
) -> Result<BTreeSet<DeliveryId>, Fault> {
    let key = |id: &DeliveryId| keys.get(&id.event).and_then(Option::as_ref);
    let mut new: Vec<_> = ids.into_iter().filter(|id| key(id).is_some()).collect();
    let there = in_line(tx, &new).await?;
    new.retain(|id| !there.contains_key(id));
    let lines = new.iter().filter_map(|id| Some((id.endpoint, key(id)?.clone()))).collect();
    let mut lines = Lines::lock(tx, lines).await?;
    let now = tx.now().await?;
    let waits = |id: &DeliveryId| lines.line_up(*id, key(id), now) == PARKED;
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
    for ids in ids.chunks(ROWS) {
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

pub(crate) struct CancelSome(pub(crate) Vec<DeliveryId>);

#[async_trait]
impl Unit for CancelSome {
    type Answer = Vec<Cancelled>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Vec<Cancelled>, Fault> {
        let ordered = lock_ordered(tx, &self.0.iter().map(|id| id.endpoint).collect()).await?;
        let mut stored = Stored::read(tx, &self.0).await?;
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
        call_off(tx, &over).await?;
        leave(tx, &leaving).await?;
        Ok(answers)
    }
}

pub(crate) struct SkipSome(pub(crate) Vec<DeliveryId>);

#[async_trait]
impl Unit for SkipSome {
    type Answer = Vec<Skipped>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Vec<Skipped>, Fault> {
        lock_ordered(tx, &self.0.iter().map(|id| id.endpoint).collect()).await?;
        let stored = Stored::read(tx, &self.0).await?;
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

/// A pending one is held by nobody, and so is over: no attempt is left to record. MySQL reads what
/// stands further left as it is afterwards.
async fn call_off(tx: &Tx, ids: &[DeliveryId]) -> Result<(), Fault> {
    let now = tx.now().await?;
    for ids in ids.chunks(ROWS) {
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

/// The deliveries of a batch, locked. One that cannot be read is not there.
struct Stored(BTreeMap<DeliveryId, State>);

struct State {
    created_at: Timestamp,
    status: DeliveryStatus,
    due_at: Option<Timestamp>,
    tracked: bool,
}

impl Stored {
    async fn read(tx: &Tx, ids: &[DeliveryId]) -> Result<Self, Fault> {
        let mut stored = BTreeMap::new();
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(ROWS) {
            let sql = format!(
                "SELECT event_id, endpoint_id, status, due_at, created_at, url FROM {{deliveries}} {{by_key}} \
                 WHERE (event_id, endpoint_id) IN {} \
                 ORDER BY event_id, endpoint_id {{for_update}}",
                tx.sql().dialect.pairs(ids.len())
            );
            let rows = tx.all(&sql, pairs(ids)).await?;
            stored.extend(rows.iter().filter_map(|row| state(row).ok()));
        }
        Ok(Self(stored))
    }
}

fn state(row: &Row) -> Result<(DeliveryId, State), Fault> {
    let id = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
    let tracked = row.get::<Option<String>>("url")?.is_some();
    let (status, due_at) = (row.parse("status")?, row.time_if_any("due_at")?);
    Ok((id, State { created_at: row.time("created_at")?, status, due_at, tracked }))
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
