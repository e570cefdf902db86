//! What operators may do: try again, call off.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use webhook_core::{
    Cancelled, DeliveryId, DeliveryStatus, EndpointId, EventId, Notice, NoticeId, Prune, Pruned,
    Redeliver, Redelivered, ReplayPage, Replayed, StoreError, StoreStatus, Trigger, Upkeep,
};

use crate::{
    fault::Fault,
    notices::{Acknowledge, ReadNotices},
    prune::PruneSome,
    replay::ReplaySome,
    row::{Row, ToValue},
    rows::pairs,
    status::ReadStatus,
    store::SeaOrmStore,
    tx::{ROWS, Tx},
    unit::Unit,
};

#[async_trait]
impl Upkeep for SeaOrmStore {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        self.perform(RedeliverSome(batch)).await
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        if page.dry_run {
            return self.perform(ReplaySome::<false>(page)).await;
        }
        self.perform(ReplaySome::<true>(page)).await
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        self.perform(CancelSome(batch)).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.perform(ReadStatus).await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        if prune.dry_run {
            return self.perform(PruneSome::<false>(prune)).await;
        }
        self.perform(PruneSome::<true>(prune)).await
    }

    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        self.perform(ReadNotices(limit)).await
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.perform(Acknowledge(ids)).await
    }
}

struct RedeliverSome(Vec<Redeliver>);

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
    let mut stored = Stored::read(tx, &ids).await?;
    let events = events(tx, &ids).await?;
    let mut due = BTreeMap::<_, Vec<_>>::new();
    let answer = |item: &Redeliver| {
        let id = item.delivery;
        let Some(row) = stored.0.get_mut(&id).filter(|_| events.contains(&id.event)) else {
            return Redelivered::NotFound;
        };
        match item.only {
            _ if row.tracked => Redelivered::Tracked,
            _ if !row.status.is_final() => Redelivered::Unchanged(row.status),
            Some(only) if only != row.status => Redelivered::Unchanged(row.status),
            _ if !endpoints.contains(&id.endpoint) => Redelivered::EndpointGone,
            _ => {
                row.status = DeliveryStatus::Pending;
                due.entry(item.cause).or_default().push(id);
                Redelivered::Done
            }
        }
    };
    let answers = batch.iter().map(answer).collect();
    for (cause, ids) in due {
        make_due(tx, &ids, cause).await?;
    }
    Ok(answers)
}

/// An attempt that was lost with its worker before is told by the next claim: the numbers on record
/// are looked up, as a cancelled delivery stopped counting them.
async fn make_due(tx: &Tx, ids: &[DeliveryId], cause: Trigger) -> Result<(), Fault> {
    let now = tx.now().await?;
    for ids in ids.chunks(ROWS) {
        let sql = format!(
            "UPDATE {{deliveries}} {{by_key}} SET status = 'pending', epoch = epoch + 1, due_at = ?, \
             budget_from = attempts, forgiven = 0, cause = ?, finished_at = NULL, \
             recorded = (SELECT COALESCE(MAX(a.number), 0) FROM {{attempts}} AS a \
                 WHERE a.event_id = {{deliveries}}.event_id AND a.endpoint_id = {{deliveries}}.endpoint_id) \
             WHERE (event_id, endpoint_id) IN {}",
            tx.sql().dialect.pairs(ids.len())
        );
        tx.run(&sql, [now.to_value(), cause.to_value()].into_iter().chain(pairs(ids))).await?;
    }
    Ok(())
}

struct CancelSome(Vec<DeliveryId>);

#[async_trait]
impl Unit for CancelSome {
    type Answer = Vec<Cancelled>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Vec<Cancelled>, Fault> {
        let mut stored = Stored::read(tx, &self.0).await?;
        let mut over = Vec::new();
        let answer = |id: &DeliveryId| {
            let Some(row) = stored.0.get_mut(id) else { return Cancelled::NotFound };
            match row.status {
                _ if row.tracked => Cancelled::Tracked,
                status if status.is_final() => Cancelled::Unchanged(status),
                status => {
                    row.status = DeliveryStatus::Cancelled;
                    over.push(*id);
                    let in_flight = status == DeliveryStatus::InFlight;
                    if in_flight { Cancelled::InFlight } else { Cancelled::Done }
                }
            }
        };
        let answers = self.0.iter().map(answer).collect();
        call_off(tx, &over).await?;
        Ok(answers)
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
    status: DeliveryStatus,
    tracked: bool,
}

impl Stored {
    async fn read(tx: &Tx, ids: &[DeliveryId]) -> Result<Self, Fault> {
        let mut stored = BTreeMap::new();
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(ROWS) {
            let sql = format!(
                "SELECT event_id, endpoint_id, status, url FROM {{deliveries}} {{by_key}} \
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
    Ok((id, State { status: row.parse("status")?, tracked }))
}

/// Those of the endpoints that were not removed, locked.
pub(crate) async fn endpoints(tx: &Tx, ids: &[DeliveryId]) -> Result<BTreeSet<EndpointId>, Fault> {
    let ids: BTreeSet<_> = ids.iter().map(|id| id.endpoint).collect();
    let sql = "SELECT id FROM {endpoints} WHERE removed_at IS NULL AND id IN ({list}) \
               ORDER BY id {for_update}";
    let rows = tx.all_of(sql, ids.iter().map(ToValue::to_value)).await?;
    rows.iter().map(|row| row.endpoint("id")).collect()
}

/// Those of the events that are there.
async fn events(tx: &Tx, ids: &[DeliveryId]) -> Result<BTreeSet<EventId>, Fault> {
    let ids: BTreeSet<_> = ids.iter().map(|id| id.event).collect();
    let rows = tx.all_of(
        "SELECT id FROM {events} {by_key} WHERE id IN ({list})",
        ids.iter().map(ToValue::to_value),
    );
    rows.await?.iter().map(|row| row.event("id")).collect()
}
