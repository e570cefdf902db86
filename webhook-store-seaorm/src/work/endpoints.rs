//! Endpoints. Every edit raises the tenant's version in its own transaction.

pub(crate) mod reads;
mod stored;
mod tenants;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use webhook_core::{
    Endpoint, EndpointId, EndpointState, Metadata, Revision, StoreError, StoreErrorKind, TenantId,
    Timestamp, store::Updated,
};

use crate::{
    db::{
        database::Database,
        dialect::repeated,
        fault::Fault,
        row::{Row, ToValue},
        tx::{ROWS_PER_STATEMENT, Tx},
        unit::Unit,
    },
    work::order::{
        exceeds_one_release, keep_order, lock_ordered, release_from_lines, reorder, stop_order,
    },
};
pub(crate) use stored::SECRET_COLUMNS;
use stored::{ENDPOINT_COLUMNS, HEALTH_COLUMN, endpoint, json, settings};
use tenants::lock_tenants;
pub(crate) use tenants::{TenantState, lock_owners, raise_version, versions};

/// Edits an endpoint, in several units of work if much waits in its lines.
pub(crate) async fn update(
    database: &Arc<Database>,
    endpoint: Endpoint,
) -> Result<Updated, StoreError> {
    loop {
        if let Some(updated) = database.perform(UpdateEndpoint(endpoint.clone())).await? {
            return Ok(updated);
        }
        // Much waits in its lines: it goes bit by bit, while it still keeps order.
        while database.perform(ReleaseFromLines(endpoint.clone())).await? {}
    }
}

/// Hides an endpoint, then cancels its open deliveries in several units of work. Returns true if
/// it did either.
pub(crate) async fn remove(
    database: &Arc<Database>,
    tenant: &TenantId,
    id: EndpointId,
) -> Result<bool, StoreError> {
    let Some(hidden) = database.perform(HideEndpoint { tenant: tenant.clone(), id }).await? else {
        return Ok(false);
    };
    let mut cancelled = false;
    // Nothing more is claimed of it, so there is time to cancel all that is open, bit by bit.
    while database.perform(CancelOpenDeliveries(id)).await? {
        cancelled = true;
    }
    Ok(hidden || cancelled)
}

/// Stores a new endpoint.
pub(crate) struct AddEndpoint(pub(crate) Endpoint);

#[async_trait]
impl Unit for AddEndpoint {
    type Output = ();
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        let endpoint = &self.0;
        raise_version(tx, &endpoint.tenant).await?;
        let id = [endpoint.id.to_value()];
        if tx.one("SELECT id FROM {endpoints} WHERE id = ?", id).await?.is_some() {
            return Err(Fault::new(StoreErrorKind::Exists, "an endpoint has this id already"));
        }
        let (id, tenant) = (endpoint.id.to_value(), endpoint.tenant.to_value());
        let (revision, created_at) = (endpoint.revision.to_value(), endpoint.created_at.to_value());
        let settings = settings(tx.secrets(), endpoint)?;
        let row = [id, tenant].into_iter().chain(settings).chain([revision, created_at]);
        let row: Vec<_> = row.collect();
        let sql = format!(
            "INSERT INTO {{endpoints}} ({ENDPOINT_COLUMNS}) VALUES ({})",
            repeated("?", row.len())
        );
        tx.run(&sql, row).await?;
        if endpoint.order.is_some() { keep_order(tx, endpoint.id).await } else { Ok(()) }
    }
}

/// Edits an endpoint. Returns `None`, and changes nothing, if more deliveries wait in its lines
/// than one unit may release.
struct UpdateEndpoint(Endpoint);

#[async_trait]
impl Unit for UpdateEndpoint {
    type Output = Option<Updated>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Option<Updated>, Fault> {
        let endpoint = &self.0;
        lock_tenants(tx, [endpoint.tenant.to_value()]).await?;
        let Some((stored, place)) = edited(tx, &endpoint.tenant, endpoint.id).await? else {
            return Ok(Some(Updated::NotFound));
        };
        if stored != endpoint.revision {
            return Ok(Some(Updated::Stale));
        }
        let reorders = place.as_ref().is_none_or(|it| it.order != endpoint.order);
        if reorders && endpoint.order.is_none() && exceeds_one_release(tx, endpoint.id).await? {
            return Ok(None);
        }
        raise_version(tx, &endpoint.tenant).await?;
        let next = stored.next();
        let values = settings(tx.secrets(), endpoint)?
            .into_iter()
            .chain([next.to_value(), endpoint.id.to_value()]);
        let anew = if place.is_some_and(|it| it.keeps_health(endpoint)) {
            ""
        } else {
            ", health = NULL, cools_down_until = NULL"
        };
        let sql = format!(
            "UPDATE {{endpoints}} SET url = ?, filters = ?, signing_keys = ?, profiles = ?, \
             headers = ?, client_tls = ?, timeout_ms = ?, retry = ?, max_in_flight = ?, rate = ?, \
             order_policy = ?, description = ?, external_id = ?, metadata = ?, state = ?, revision = ?{anew} WHERE id = ?"
        );
        tx.run(&sql, values).await?;
        if reorders {
            reorder(tx, endpoint.id, endpoint.order, tx.now().await?).await?;
        }
        Ok(Some(Updated::Done(next)))
    }
}

/// Releases a number of deliveries from the lines of an endpoint that no longer keeps order.
/// Returns true if there may be more.
struct ReleaseFromLines(Endpoint);

#[async_trait]
impl Unit for ReleaseFromLines {
    type Output = bool;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<bool, Fault> {
        let Endpoint { id, tenant, .. } = &self.0;
        lock_tenants(tx, [tenant.to_value()]).await?;
        let stored = revision(tx, tenant, *id).await?;
        if stored != Some(self.0.revision) {
            return Ok(false);
        }
        if lock_ordered(tx, &BTreeSet::from([*id])).await?.is_empty() {
            return Ok(false);
        }
        release_from_lines(tx, *id, tx.now().await?).await
    }
}

/// Hides an endpoint. Returns true if it was visible, and `None` if there is no such endpoint.
struct HideEndpoint {
    tenant: TenantId,
    id: EndpointId,
}

#[async_trait]
impl Unit for HideEndpoint {
    type Output = Option<bool>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Option<bool>, Fault> {
        lock_tenants(tx, [self.tenant.to_value()]).await?;
        let Some(stored) = revision(tx, &self.tenant, self.id).await? else {
            let sql = "SELECT id FROM {endpoints} WHERE id = ? AND tenant = ?";
            let row = tx.one(sql, [self.id.to_value(), self.tenant.to_value()]).await?;
            return Ok(row.map(|_| false));
        };
        raise_version(tx, &self.tenant).await?;
        let now = tx.now().await?;
        // The row stays for the log's sake; what could do harm goes, and what only its owner needed.
        let hide = "UPDATE {endpoints} SET removed_at = ?, revision = ?, signing_keys = '[]', \
                    profiles = '[]', headers = '[]', client_tls = NULL, description = NULL, external_id = NULL, \
                    metadata = ? WHERE id = ?";
        let no_notes = json(&Metadata::default())?;
        let values = [now.to_value(), stored.next().to_value(), no_notes, self.id.to_value()];
        tx.run(hide, values).await?;
        // Nothing of it is due any more, and nobody waits for its turn.
        stop_order(tx, self.id).await?;
        Ok(Some(true))
    }
}

/// Cancels a number of open deliveries of a removed endpoint, few enough for the time limit of a
/// unit. Returns true if there were any.
struct CancelOpenDeliveries(EndpointId);

#[async_trait]
impl Unit for CancelOpenDeliveries {
    type Output = bool;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<bool, Fault> {
        let now = tx.now().await?;
        cancel_open_deliveries(tx, self.0, now).await
    }
}

/// Cancels a number of open deliveries of an endpoint, and returns true if there were any. Locks
/// them first, so that a delivery that was finished in the meantime stays finished.
///
/// A pending one is held by nobody, and so is over: no attempt is left to record. MySQL reads what
/// stands further left as it is afterwards.
pub(crate) async fn cancel_open_deliveries(
    tx: &Tx,
    id: EndpointId,
    now: Timestamp,
) -> Result<bool, Fault> {
    let open = "SELECT event_id FROM {deliveries} {by_open} WHERE {open_endpoint} = ? \
                AND due_at IS NOT NULL ORDER BY due_at, event_id LIMIT 1000 {for_update}";
    let rows = tx.all(open, [id.to_value()]).await?;
    let events: Vec<_> = rows.iter().map(|row| row.key("event_id")).collect::<Result<_, _>>()?;
    for events in events.chunks(ROWS_PER_STATEMENT) {
        let sql = format!(
            "UPDATE {{deliveries}} {{by_key}} SET \
                 recorded = CASE WHEN status = 'pending' THEN attempts ELSE recorded END, \
                 status = 'cancelled', due_at = NULL, finished_at = ? \
             WHERE (event_id, endpoint_id) IN {}",
            tx.sql().dialect.pairs(events.len())
        );
        let pairs = events.iter().flat_map(|event| [event.to_value(), id.to_value()]);
        tx.run(&sql, [now.to_value()].into_iter().chain(pairs)).await?;
    }
    Ok(!rows.is_empty())
}

async fn load(tx: &Tx, ids: &[EndpointId]) -> Result<Vec<Row>, Fault> {
    let sql = format!(
        "SELECT {ENDPOINT_COLUMNS}, {HEALTH_COLUMN} FROM {{endpoints}} WHERE removed_at IS NULL AND id {{in_list}}"
    );
    tx.all_of(&sql, ids.iter().map(ToValue::to_value)).await
}

/// Endpoints that can be read, and why others cannot.
#[derive(Default)]
pub(crate) struct ReadableEndpoints {
    pub(crate) ids: BTreeSet<EndpointId>,
    pub(crate) others: BTreeMap<EndpointId, Fault>,
}

/// Which of these endpoints can be read whole, so that there is something to send by.
/// Of the others it is told why, as far as they are there.
pub(crate) async fn readable(tx: &Tx, ids: &[EndpointId]) -> Result<ReadableEndpoints, Fault> {
    let mut found = ReadableEndpoints::default();
    for row in load(tx, ids).await? {
        match endpoint(tx.secrets(), &row) {
            Ok(endpoint) => _ = found.ids.insert(endpoint.id),
            Err(fault) => found.others.extend(row.endpoint("id").ok().zip(Some(fault))),
        }
    }
    Ok(found)
}

/// Disables an endpoint that is not disabled yet. It is locked already, and so is
/// its [owner](lock_owners).
pub(crate) async fn disable(tx: &Tx, id: EndpointId, state: EndpointState) -> Result<(), Fault> {
    let sql = "SELECT tenant, revision FROM {endpoints} WHERE id = ? AND removed_at IS NULL \
               AND state IN ('active', 'paused')";
    let Some(row) = tx.one(sql, [id.to_value()]).await? else { return Ok(()) };
    let next = Revision::from_u64(row.number("revision")?).next();
    raise_version(tx, &row.parse("tenant")?).await?;
    let sql = "UPDATE {endpoints} SET state = ?, revision = ? WHERE id = ?";
    tx.run(sql, [state.to_value(), next.to_value(), id.to_value()]).await.map(|_| ())
}

/// The revision of an endpoint of this tenant, if there is one.
async fn revision(tx: &Tx, tenant: &TenantId, id: EndpointId) -> Result<Option<Revision>, Fault> {
    let sql = "SELECT revision FROM {endpoints} WHERE id = ? AND tenant = ? AND removed_at IS NULL \
               {for_update}";
    let row = tx.one(sql, [id.to_value(), tenant.to_value()]).await?;
    row.map(|row| row.number("revision").map(Revision::from_u64)).transpose()
}

/// The revision of an endpoint of this tenant that is going to be edited; and, if it can be read, where it
/// stands.
async fn edited(
    tx: &Tx,
    tenant: &TenantId,
    id: EndpointId,
) -> Result<Option<(Revision, Option<Endpoint>)>, Fault> {
    let sql = "SELECT url, state, order_policy, revision FROM {endpoints} \
               WHERE id = ? AND tenant = ? AND removed_at IS NULL {for_update}";
    let Some(row) = tx.one(sql, [id.to_value(), tenant.to_value()]).await? else { return Ok(None) };
    let place = || {
        let place = Endpoint::new(id, row.parse("url")?).with_state(row.parse("state")?);
        Ok::<_, Fault>(place.with_order(row.parse_if_any("order_policy")?))
    };
    Ok(Some((Revision::from_u64(row.number("revision")?), place().ok())))
}
