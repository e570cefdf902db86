//! Events that are stored but not routed yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use webhook_core::{OrderingKey, TenantId, Timestamp, store::UnroutedEvent};

use crate::db::{
    fault::Fault,
    row::{Row, ToValue, limit},
    tx::Tx,
};

/// A tenant and an ordering key of its own.
pub(crate) type TenantKey = (TenantId, OrderingKey);

/// Time for which an unreadable event is put off.
pub(crate) const UNREADABLE_EVENT_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// An unrouted event that is due later than this is unreadable and was put off. Longer than any
/// lease, and shorter than [`UNREADABLE_EVENT_PAUSE`].
pub(crate) const UNREADABLE_IF_DUE_AFTER: Duration = Duration::from_secs(12 * 60 * 60);

/// Ordering keys in one statement.
const KEYS_PER_STATEMENT: usize = 32;

/// The first unrouted events of each key, so many of each, the first of each first. Those that cannot be
/// read were put off, and nobody waits for them.
pub(crate) async fn first_unrouted(
    tx: &Tx,
    keys: &BTreeMap<TenantKey, usize>,
    now: Timestamp,
) -> Result<Vec<Row>, Fault> {
    let one = "SELECT * FROM (SELECT id, tenant, ordering_key, created_at, route_due_at FROM {events} {by_ordered} \
               WHERE {unrouted_key} = ? AND tenant = ? AND route_due_at IS NOT NULL AND route_due_at < ? \
               ORDER BY created_at, id LIMIT ?) AS of_one_key";
    let soon = now.after(UNREADABLE_IF_DUE_AFTER).to_value();
    let mut found = Vec::new();
    for keys in keys.iter().collect::<Vec<_>>().chunks(KEYS_PER_STATEMENT) {
        let sql = vec![one; keys.len()].join(" UNION ALL ");
        let values = keys.iter().flat_map(|((tenant, key), most)| {
            [key.as_str().into(), tenant.to_value(), soon.clone(), limit(**most)]
        });
        found.extend(tx.all(&sql, values).await?);
    }
    Ok(found)
}

/// Those of the keys of which an event is not routed yet.
pub(crate) async fn unrouted_keys(
    tx: &Tx,
    keys: &BTreeSet<TenantKey>,
    now: Timestamp,
) -> Result<BTreeSet<TenantKey>, Fault> {
    let one_of_each = keys.iter().map(|key| (key.clone(), 1)).collect();
    let rows = first_unrouted(tx, &one_of_each, now).await?;
    rows.iter().map(|row| Ok((row.parse("tenant")?, row.parse("ordering_key")?))).collect()
}

/// Sets the time at which events are due for routing; `NULL` once they are routed.
pub(crate) const SET_ROUTE_DUE: &str =
    "UPDATE {events} {by_key} SET route_due_at = ? WHERE id {in_list}";

/// Reads an event without its body.
pub(crate) fn unrouted(row: &Row) -> Result<UnroutedEvent, Fault> {
    let (id, tenant) = (row.event("id")?, row.parse("tenant")?);
    Ok(UnroutedEvent::new(id, tenant, row.parse("event_type")?))
}
