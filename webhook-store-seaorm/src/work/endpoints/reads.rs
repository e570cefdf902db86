//! Reads of endpoints and tenants, outside of any other work.

use std::collections::BTreeMap;

use async_trait::async_trait;
use webhook_core::{
    Endpoint, EndpointId, EventFilter, Revision, StoreError, TenantId,
    store::{RoutingEntry, RoutingUpdate, TenantVersion},
};

use super::{
    load,
    stored::{ENDPOINT_COLUMNS, HEALTH_COLUMN, endpoint, from_json},
};
use crate::db::{
    fault::Fault,
    row::{Row, ToValue, limit},
    tx::Tx,
    unit::Unit,
};

/// Loads endpoints by their ids, in the order of the ids.
pub(crate) struct LoadEndpoints(pub(crate) Vec<EndpointId>);

#[async_trait]
impl Unit for LoadEndpoints {
    type Output = Vec<Result<Option<Endpoint>, StoreError>>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        let rows = load(tx, &self.0).await?;
        let mut by_id = BTreeMap::new();
        for row in &rows {
            by_id.insert(row.endpoint("id")?, row);
        }
        let found = |id| match by_id.get(id) {
            Some(row) => endpoint(tx.secrets(), row).map(Some).map_err(Fault::into_error),
            None => Ok(None),
        };
        Ok(self.0.iter().map(found).collect())
    }
}

/// Reads what routing needs of a tenant's endpoints, unless the caller knows the present version.
pub(crate) struct LoadRouting {
    pub(crate) tenant: TenantId,
    pub(crate) known: Option<TenantVersion>,
}

#[async_trait]
impl Unit for LoadRouting {
    type Output = RoutingUpdate;
    const WRITES: bool = false;

    /// One statement reads version and endpoints, so that they are of one moment whatever the
    /// isolation.
    async fn run(&self, tx: &Tx) -> Result<RoutingUpdate, Fault> {
        if let Some(known) = self.known {
            let sql = "SELECT version FROM {tenants} WHERE id = ?";
            let row = tx.one(sql, [self.tenant.to_value()]).await?;
            let version = row.map_or(Ok(0), |row| row.number("version"))?;
            if TenantVersion::from_u64(version) == known {
                return Ok(RoutingUpdate::Same);
            }
        }
        let sql = "SELECT t.version, e.id, e.filters, e.state, e.order_policy, e.revision \
                   FROM {tenants} t LEFT JOIN {endpoints} e ON e.tenant = t.id \
                   AND e.removed_at IS NULL WHERE t.id = ?";
        let rows = tx.all(sql, [self.tenant.to_value()]).await?;
        let (mut version, mut entries) = (TenantVersion::default(), Vec::new());
        for row in &rows {
            version = TenantVersion::from_u64(row.number("version")?);
            if row.get::<Option<uuid::Uuid>>("id")?.is_some() {
                entries.push(entry(row)?);
            }
        }
        Ok(RoutingUpdate::Whole { version, entries })
    }
}

fn entry(row: &Row) -> Result<RoutingEntry, Fault> {
    let filters = from_json::<Vec<EventFilter>>(row, "filters")?;
    Ok(RoutingEntry::new(row.endpoint("id")?, filters)
        .with_state(row.parse("state")?)
        .with_order(row.parse_if_any("order_policy")?)
        .with_revision(Revision::from_u64(row.number("revision")?)))
}

/// Lists the tenants that have endpoints, a page at a time.
pub(crate) struct ListTenants {
    pub(crate) after: Option<TenantId>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Unit for ListTenants {
    type Output = Vec<TenantId>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Vec<TenantId>, Fault> {
        let behind = if self.after.is_some() { "AND tenant > ?" } else { "" };
        let sql = format!(
            "SELECT DISTINCT tenant FROM {{endpoints}} WHERE removed_at IS NULL {behind} \
             ORDER BY tenant LIMIT ?"
        );
        let after = self.after.iter().map(ToValue::to_value);
        let rows = tx.all(&sql, after.chain([limit(self.limit)])).await?;
        rows.iter().map(|row| row.parse("tenant")).collect()
    }
}

/// Lists the endpoints of a tenant, a page at a time.
pub(crate) struct ListEndpoints {
    pub(crate) tenant: TenantId,
    pub(crate) after: Option<EndpointId>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Unit for ListEndpoints {
    type Output = Vec<Endpoint>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Vec<Endpoint>, Fault> {
        let behind = if self.after.is_some() { "AND id > ?" } else { "" };
        let sql = format!(
            "SELECT {ENDPOINT_COLUMNS}, {HEALTH_COLUMN} FROM {{endpoints}} \
             WHERE tenant = ? AND removed_at IS NULL {behind} ORDER BY id LIMIT ?"
        );
        let after = self.after.iter().map(ToValue::to_value);
        let values = [self.tenant.to_value()].into_iter().chain(after).chain([limit(self.limit)]);
        let rows = tx.all(&sql, values).await?;
        rows.iter().map(|row| endpoint(tx.secrets(), row)).collect()
    }
}
