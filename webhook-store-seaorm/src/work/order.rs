//! Lines of deliveries that are sent one after the other.
//!
//! A delivery in a line is a row like any other, with a row of `ordered_deliveries` beside it that says
//! where it stands. Those that are not the first of their line are *parked*: pending, and due at a time
//! that never comes. So a claim, which looks for what is due, knows nothing of all this, and what is
//! in no line costs what it did before.
//!
//! Whoever adds to the lines of an endpoint, or takes from them, locks its row of `ordered_endpoints`
//! first. One of two that meet waits for the other to commit and sees what that has written: nobody is
//! parked behind one that has just left. The row is there as long as the endpoint asks for order. It is
//! not the endpoint's own, since publishers must be able to lock it and unable to edit endpoints.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::Value;
use webhook_core::{DeliveryId, DeliveryStatus, EndpointId, OrderPolicy, OrderingKey, Timestamp};

use crate::db::{
    fault::Fault,
    lists::padded,
    row::{Row, ToValue, limit},
    rows::pairs,
    tx::{ROWS_PER_STATEMENT, Tx},
};

/// Due time of a delivery that waits for another one.
pub(crate) const PARKED: Timestamp = Timestamp::from_unix_millis(i64::MAX);

/// Due time of a delivery, unless it waits for another one.
pub(crate) fn unless_parked(due_at: Timestamp) -> Option<Timestamp> {
    (due_at != PARKED).then_some(due_at)
}

/// Key of a line: deliveries of an endpoint that are sent one after the other.
pub(crate) type LineKey = (EndpointId, OrderingKey);

/// Lines in one statement.
const LINES_PER_STATEMENT: usize = 32;

/// Ends of lines to which deliveries are added, while their endpoints are locked.
#[derive(Default)]
pub(crate) struct LineEnds {
    ordered: BTreeSet<EndpointId>,
    /// The last number in each that is not empty.
    ends: BTreeMap<LineKey, i64>,
    new: Vec<[Value; 4]>,
}

impl LineEnds {
    /// Locks the lines of endpoints that keep order; others have none.
    pub(crate) async fn lock(tx: &Tx, lines: BTreeSet<LineKey>) -> Result<Self, Fault> {
        let ids = lines.iter().map(|(endpoint, _)| *endpoint).collect();
        let ordered = lock_ordered(tx, &ids).await?;
        let lines = lines.into_iter().filter(|(endpoint, _)| ordered.contains(endpoint));
        let mut ends = BTreeMap::new();
        for row in one_of_each(tx, &lines.collect(), "DESC").await? {
            ends.insert(
                (row.endpoint("endpoint_id")?, row.parse("ordering_key")?),
                row.get("seq")?,
            );
        }
        Ok(Self { ordered, ends, new: Vec::new() })
    }

    /// Returns true if the endpoint keeps order.
    pub(crate) fn keeps_order(&self, endpoint: EndpointId) -> bool {
        self.ordered.contains(&endpoint)
    }

    /// Appends a new pending delivery to the line of its key, and returns its due time: `now`, or
    /// [`PARKED`] if others are before it.
    pub(crate) fn append(
        &mut self,
        id: DeliveryId,
        key: Option<&OrderingKey>,
        now: Timestamp,
    ) -> Timestamp {
        let Some(key) = key.filter(|_| self.ordered.contains(&id.endpoint)) else { return now };
        let end = self.ends.entry((id.endpoint, key.clone())).or_default();
        let is_first = *end == 0;
        *end += 1;
        let (endpoint, event) = (id.endpoint.to_value(), id.event.to_value());
        self.new.push([endpoint, key.as_str().into(), (*end).into(), event]);
        if is_first { now } else { PARKED }
    }

    pub(crate) async fn insert(self, tx: &Tx) -> Result<(), Fault> {
        let into = "{ordered_deliveries} (endpoint_id, ordering_key, seq, event_id)";
        tx.insert(into, self.new, "").await.map(|_| ())
    }
}

/// Locks those endpoints that keep order, in the order of their ids.
pub(crate) async fn lock_ordered(
    tx: &Tx,
    ids: &BTreeSet<EndpointId>,
) -> Result<BTreeSet<EndpointId>, Fault> {
    let sql = "SELECT endpoint_id FROM {ordered_endpoints} {by_key} WHERE endpoint_id {in_list} \
               ORDER BY endpoint_id {for_update}";
    let rows = tx.all_of(sql, ids.iter().map(ToValue::to_value)).await?;
    rows.iter().map(|row| row.endpoint("endpoint_id")).collect()
}

/// Order policies of locked endpoints. An endpoint whose policy cannot be read blocks its lines.
pub(crate) async fn policies(
    tx: &Tx,
    ids: &BTreeSet<EndpointId>,
) -> Result<BTreeMap<EndpointId, OrderPolicy>, Fault> {
    let sql = "SELECT id, order_policy FROM {endpoints} WHERE id {in_list}";
    let rows = tx.all_of(sql, ids.iter().map(ToValue::to_value)).await?;
    let policy = |row: &Row| {
        let policy = row.parse("order_policy").unwrap_or(OrderPolicy::Block);
        Ok((row.endpoint("id")?, policy))
    };
    rows.iter().map(policy).collect()
}

/// Lines of those deliveries that are in one.
pub(crate) async fn lines_of(
    tx: &Tx,
    ids: &[DeliveryId],
) -> Result<BTreeMap<DeliveryId, LineKey>, Fault> {
    let mut found = BTreeMap::new();
    for ids in ids.chunks(ROWS_PER_STATEMENT).map(padded) {
        let sql = format!(
            "SELECT event_id, endpoint_id, ordering_key FROM {{ordered_deliveries}} {{by_delivery}} \
             WHERE (event_id, endpoint_id) IN {}",
            tx.sql().dialect.pairs(ids.len())
        );
        for row in tx.all(&sql, pairs(&ids)).await? {
            let id = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
            found.insert(id, (id.endpoint, row.parse("ordering_key")?));
        }
    }
    Ok(found)
}

/// Takes deliveries out of their lines, and makes the new first of each line due at the given time.
/// Their endpoints are [locked](lock_ordered). Returns the deliveries that were in a line.
pub(crate) async fn leave(
    tx: &Tx,
    leaving: &BTreeMap<DeliveryId, Timestamp>,
) -> Result<BTreeSet<DeliveryId>, Fault> {
    let ids: Vec<_> = leaving.keys().copied().collect();
    let left = lines_of(tx, &ids).await?;
    let ids: Vec<_> = left.keys().copied().collect();
    for ids in ids.chunks(ROWS_PER_STATEMENT).map(padded) {
        let sql = format!(
            "DELETE FROM {{ordered_deliveries}} WHERE (event_id, endpoint_id) IN {}",
            tx.sql().dialect.pairs(ids.len())
        );
        tx.run(&sql, pairs(&ids)).await?;
    }
    let mut free_at = BTreeMap::<LineKey, Timestamp>::new();
    for (id, line) in left {
        let at = leaving.get(&id).copied().unwrap_or_default();
        let latest = free_at.entry(line).or_insert(at);
        *latest = at.max(*latest);
    }
    let mut due = BTreeMap::<Timestamp, Vec<DeliveryId>>::new();
    for row in one_of_each(tx, &free_at.keys().cloned().collect(), "ASC").await? {
        let line = (row.endpoint("endpoint_id")?, row.parse("ordering_key")?);
        let first = DeliveryId::new(row.event("event_id")?, line.0);
        due.entry(free_at.get(&line).copied().unwrap_or_default()).or_default().push(first);
    }
    for (due_at, firsts) in due {
        unpark(tx, &firsts, due_at).await?;
    }
    Ok(ids.into_iter().collect())
}

/// Makes those deliveries due that wait for another one.
async fn unpark(tx: &Tx, ids: &[DeliveryId], due_at: Timestamp) -> Result<(), Fault> {
    for ids in ids.chunks(ROWS_PER_STATEMENT).map(padded) {
        let sql = format!(
            "UPDATE {{deliveries}} {{by_key}} SET due_at = ? \
             WHERE due_at = ? AND (event_id, endpoint_id) IN {}",
            tx.sql().dialect.pairs(ids.len())
        );
        let times = [due_at.to_value(), PARKED.to_value()];
        tx.run(&sql, times.into_iter().chain(pairs(&ids))).await?;
    }
    Ok(())
}

/// First or last delivery of each line.
async fn one_of_each(tx: &Tx, lines: &BTreeSet<LineKey>, order: &str) -> Result<Vec<Row>, Fault> {
    let one = format!(
        "SELECT * FROM (SELECT endpoint_id, ordering_key, seq, event_id FROM {{ordered_deliveries}} {{by_key}} \
         WHERE endpoint_id = ? AND ordering_key = ? ORDER BY seq {order} LIMIT 1) AS one_of_them"
    );
    let mut found = Vec::new();
    for lines in lines.iter().collect::<Vec<_>>().chunks(LINES_PER_STATEMENT).map(padded) {
        let sql = vec![one.as_str(); lines.len()].join(" UNION ALL ");
        let values = lines.iter().flat_map(|(id, key)| [id.to_value(), key.as_str().into()]);
        found.extend(tx.all(&sql, values).await?);
    }
    Ok(found)
}

/// First delivery in the line of a delivery.
pub(crate) async fn first_in_line(tx: &Tx, id: DeliveryId) -> Result<Option<DeliveryId>, Fault> {
    let line = lines_of(tx, &[id]).await?.remove(&id);
    let first = one_of_each(tx, &line.into_iter().collect(), "ASC").await?.pop();
    first.map(|row| Ok(DeliveryId::new(row.event("event_id")?, id.endpoint))).transpose()
}

/// Applies a changed order policy. Lines that nothing blocks any longer continue; without a policy
/// all waiting deliveries are due.
pub(crate) async fn reorder(
    tx: &Tx,
    id: EndpointId,
    policy: Option<OrderPolicy>,
    now: Timestamp,
) -> Result<(), Fault> {
    let ids = BTreeSet::from([id]);
    match policy {
        Some(policy) if !lock_ordered(tx, &ids).await?.is_empty() => {
            if !policy.leaves_line(DeliveryStatus::Failed) {
                return Ok(());
            }
            let leaving = failed(tx, id).await?.into_iter().map(|id| (id, now)).collect();
            leave(tx, &leaving).await.map(drop)
        }
        Some(_) => keep_order(tx, id).await,
        None => {
            lock_ordered(tx, &ids).await?;
            // Deliveries that joined their lines since the last unit.
            while release_from_lines(tx, id, now).await? {}
            stop_order(tx, id).await
        }
    }
}

/// Makes an endpoint keep order from now on.
pub(crate) async fn keep_order(tx: &Tx, id: EndpointId) -> Result<(), Fault> {
    let into = "{ordered_endpoints} (endpoint_id)";
    tx.insert(into, vec![[id.to_value()]], "{keep_first_endpoint}").await.map(|_| ())
}

/// Makes an endpoint stop keeping order. A unit that waits for its lock finds no row to lock.
pub(crate) async fn stop_order(tx: &Tx, id: EndpointId) -> Result<(), Fault> {
    for table in ["{ordered_endpoints}", "{ordered_deliveries}"] {
        let sql = format!("DELETE FROM {table} WHERE endpoint_id = ?");
        tx.run(&sql, [id.to_value()]).await?;
    }
    Ok(())
}

/// Deliveries that leave their lines in one unit of work when an endpoint stops keeping order.
const MAX_LEAVING_PER_UNIT: usize = 1000;

/// Makes a number of waiting deliveries of an endpoint due and takes them out of their lines, few
/// enough for the time limit of a unit. Returns true if there may be more.
pub(crate) async fn release_from_lines(
    tx: &Tx,
    id: EndpointId,
    now: Timestamp,
) -> Result<bool, Fault> {
    let some = "SELECT event_id FROM {ordered_deliveries} {by_key} WHERE endpoint_id = ? \
                ORDER BY ordering_key, seq LIMIT ?";
    let rows = tx.all(some, [id.to_value(), limit(MAX_LEAVING_PER_UNIT)]).await?;
    let ids = rows.iter().map(|row| Ok(DeliveryId::new(row.event("event_id")?, id)));
    let ids: Vec<_> = ids.collect::<Result<_, Fault>>()?;
    unpark(tx, &ids, now).await?;
    for ids in ids.chunks(ROWS_PER_STATEMENT).map(padded) {
        let sql = format!(
            "DELETE FROM {{ordered_deliveries}} WHERE (event_id, endpoint_id) IN {}",
            tx.sql().dialect.pairs(ids.len())
        );
        tx.run(&sql, pairs(&ids)).await?;
    }
    Ok(ids.len() == MAX_LEAVING_PER_UNIT)
}

/// Returns true if as many deliveries are in the lines of an endpoint as one unit may release, or
/// more.
pub(crate) async fn exceeds_one_release(tx: &Tx, id: EndpointId) -> Result<bool, Fault> {
    let some = "SELECT seq FROM {ordered_deliveries} {by_key} WHERE endpoint_id = ? LIMIT ?";
    Ok(tx.all(some, [id.to_value(), limit(MAX_LEAVING_PER_UNIT)]).await?.len()
        == MAX_LEAVING_PER_UNIT)
}

/// Failed deliveries that are still in a line of the endpoint, which they block.
async fn failed(tx: &Tx, id: EndpointId) -> Result<Vec<DeliveryId>, Fault> {
    let sql = "SELECT l.event_id FROM {ordered_deliveries} AS l {by_key} {then_join} {deliveries} AS d {by_key} \
               ON d.event_id = l.event_id AND d.endpoint_id = l.endpoint_id \
               WHERE l.endpoint_id = ? AND d.status = 'failed'";
    let rows = tx.all(sql, [id.to_value()]).await?;
    rows.iter().map(|row| Ok(DeliveryId::new(row.event("event_id")?, id))).collect()
}
