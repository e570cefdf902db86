//! Deliveries that an operator names, read and locked.

use std::collections::{BTreeMap, BTreeSet};

use webhook_core::{DeliveryId, DeliveryStatus, Timestamp};

use crate::db::{
    fault::Fault,
    row::Row,
    rows::pairs,
    tx::{ROWS_PER_STATEMENT, Tx},
};

/// The deliveries of a batch, locked. One that cannot be read is not there.
pub(crate) struct StoredDeliveries(pub(crate) BTreeMap<DeliveryId, StoredDelivery>);

/// The columns of a delivery that decide what an operator may do with it.
pub(crate) struct StoredDelivery {
    pub(crate) created_at: Timestamp,
    pub(crate) status: DeliveryStatus,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) tracked: bool,
}

impl StoredDeliveries {
    pub(crate) async fn read(tx: &Tx, ids: &[DeliveryId]) -> Result<Self, Fault> {
        let mut stored = BTreeMap::new();
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(ROWS_PER_STATEMENT) {
            let sql = format!(
                "SELECT event_id, endpoint_id, status, due_at, created_at, url FROM {{deliveries}} {{by_key}} \
                 WHERE (event_id, endpoint_id) IN {} \
                 ORDER BY event_id, endpoint_id {{for_update}}",
                tx.sql().dialect.pairs(ids.len())
            );
            let rows = tx.all(&sql, pairs(ids)).await?;
            stored.extend(rows.iter().filter_map(|row| read_row(row).ok()));
        }
        Ok(Self(stored))
    }
}

fn read_row(row: &Row) -> Result<(DeliveryId, StoredDelivery), Fault> {
    let id = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
    let tracked = row.get::<Option<String>>("url")?.is_some();
    let (status, due_at) = (row.parse("status")?, row.time_if_any("due_at")?);
    Ok((id, StoredDelivery { created_at: row.time("created_at")?, status, due_at, tracked }))
}
