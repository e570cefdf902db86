//! Tenants: their versions, and locks in the order that everybody keeps.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::Value;
use webhook_core::{EndpointId, TenantId, Timestamp, store::TenantVersion};

use crate::db::{
    fault::Fault,
    row::{Row, ToValue},
    tx::Tx,
};

/// State of a tenant that publishers check. A tenant that is not stored is at version 0.
#[derive(Clone, Copy, Default)]
pub(crate) struct TenantState {
    pub(crate) version: TenantVersion,
    /// Time until which one of its endpoints may be cooling down or recovering.
    pub(crate) restricted_until: Timestamp,
}

/// The time, and the versions of these tenants; one that nobody has heard of is missing. One that cannot
/// be read is told as a version that nobody has a snapshot of.
pub(crate) async fn versions(
    tx: &Tx,
    tenants: &[&TenantId],
) -> Result<(Timestamp, BTreeMap<TenantId, TenantState>), Fault> {
    let clock = tx.clock();
    let sql = format!(
        "SELECT id, version, restricted_until, {clock} AS now FROM {{tenants}} WHERE id {{in_list}}"
    );
    let rows = tx.all_of(&sql, tenants.iter().map(|tenant| tenant.to_value())).await?;
    let now = match rows.first() {
        Some(row) => row.time("now")?,
        None => tx.now().await?,
    };
    let version = |row: &Row| {
        let tenant: TenantId = row.parse("id")?;
        let version = row.number("version").unwrap_or_else(|_| {
            tracing::error!(%tenant, "the stored version of the tenant cannot be read");
            u64::MAX
        });
        let version = TenantVersion::from_u64(version);
        Ok((tenant, TenantState { version, restricted_until: row.time("restricted_until")? }))
    };
    let known = rows.iter().map(version).collect::<Result<_, _>>()?;
    Ok((now, known))
}

/// Raises the tenant's version, from 0 when it is new.
pub(crate) async fn raise_version(tx: &Tx, tenant: &TenantId) -> Result<(), Fault> {
    let sql = "INSERT INTO {tenants} (id, version) VALUES (?, 1) {or_raise}";
    tx.run(sql, [tenant.to_value()]).await.map(|_| ())
}

/// Locks the tenants of these endpoints. Everybody locks tenants first, endpoints then, and deliveries
/// last, and of each kind the lowest first: so nobody waits in a circle.
pub(crate) async fn lock_owners(tx: &Tx, ids: &BTreeSet<EndpointId>) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    let owners = "SELECT tenant FROM {endpoints} WHERE id {in_list}";
    let rows = tx.all_of(owners, ids.iter().map(ToValue::to_value)).await?;
    let tenants = rows.iter().map(|row| row.get::<String>("tenant"));
    let tenants = tenants.collect::<Result<BTreeSet<_>, _>>()?;
    lock_tenants(tx, tenants.into_iter().map(Value::from)).await
}

pub(super) async fn lock_tenants(
    tx: &Tx,
    ids: impl IntoIterator<Item = Value>,
) -> Result<(), Fault> {
    let lock = "SELECT id FROM {tenants} WHERE id {in_list} ORDER BY id {for_update}";
    tx.all_of(lock, ids).await.map(|_| ())
}
