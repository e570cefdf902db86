//! Events that are stored but not routed yet: handed out under a lease, and routed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use webhook_core::{
    ClaimedUnrouted, EndpointId, EventId, FanOut, NewDelivery, Route, Routed, TenantId,
    UnroutedEvent,
};

use crate::{
    dialect::repeated,
    endpoints::versions,
    enqueue::{delivery_row, insert_deliveries},
    fault::Fault,
    row::{Row, ToValue, limit},
    tx::{ROWS, Tx},
    unit::Unit,
};

/// Takes unrouted events for a while.
pub(crate) struct ClaimEvents {
    pub(crate) limit: usize,
    pub(crate) lease: Duration,
}

#[async_trait]
impl Unit for ClaimEvents {
    type Answer = ClaimedUnrouted;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<ClaimedUnrouted, Fault> {
        let now = tx.now().await?;
        let due = "SELECT id, tenant, event_type, route_due_at FROM {events} \
                   WHERE route_due_at IS NOT NULL ORDER BY route_due_at, id LIMIT ? \
                   {for_update_skip_locked}";
        // One more than asked for says when to look again.
        let rows = tx.all(due, [limit(self.limit.saturating_add(1))]).await?;
        let mut events = Vec::new();
        let mut next_due = None;
        for row in &rows {
            let due_at = row.time("route_due_at")?;
            if due_at <= now && events.len() < self.limit {
                events.extend(unrouted(row));
            } else {
                next_due = Some(due_at.since(now));
                break;
            }
        }
        let until = now.after(self.lease);
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        for ids in ids.chunks(ROWS) {
            let sql = format!(
                "UPDATE {{events}} SET route_due_at = ? WHERE id IN ({})",
                repeated("?", ids.len())
            );
            let values = ids.iter().map(ToValue::to_value);
            tx.run(&sql, [until.to_value()].into_iter().chain(values)).await?;
        }
        Ok(ClaimedUnrouted::new(events, next_due))
    }
}

/// One that cannot be read is left where it is: nobody can route it, and the others go on.
fn unrouted(row: &Row) -> Option<UnroutedEvent> {
    let read = || {
        let (id, tenant) = (row.event("id")?, row.parse("tenant")?);
        Ok::<_, Fault>(UnroutedEvent::new(id, tenant, row.parse("event_type")?))
    };
    read().inspect_err(|_| tracing::error!("an unrouted event cannot be read")).ok()
}

/// Writes down where unrouted events go.
pub(crate) struct RouteEvents(pub(crate) Vec<Route>);

#[async_trait]
impl Unit for RouteEvents {
    type Answer = Vec<Routed>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Vec<Routed>, Fault> {
        let now = tx.now().await?;
        let mut open = read_open(tx, &self.0).await?;
        let tenants: BTreeSet<_> = open.values().map(|event| event.tenant.clone()).collect();
        let tenants: Vec<&TenantId> = tenants.iter().collect();
        let versions = versions(tx, &tenants).await?;
        let (mut answers, mut done, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for route in &self.0 {
            let Some(event) = open.get(&route.event) else {
                answers.push(Routed::NotUnrouted);
                continue;
            };
            if versions.get(&event.tenant).copied().unwrap_or_default() != route.version {
                answers.push(Routed::Stale);
                continue;
            }
            let row = |new| delivery_row(event.id, &event.tenant, &event.event_type, new, now);
            rows.extend(each_once(route).map(row));
            open.remove(&route.event);
            done.push(route.event);
            answers.push(Routed::Done);
        }
        insert_deliveries(tx, rows).await?;
        mark_routed(tx, &done).await?;
        Ok(answers)
    }
}

async fn read_open(tx: &Tx, batch: &[Route]) -> Result<BTreeMap<EventId, UnroutedEvent>, Fault> {
    let mut open = BTreeMap::new();
    for routes in batch.chunks(ROWS) {
        let sql = format!(
            "SELECT id, tenant, event_type FROM {{events}} WHERE route_due_at IS NOT NULL AND id IN ({}) {{for_update}}",
            repeated("?", routes.len())
        );
        for row in tx.all(&sql, routes.iter().map(|route| route.event.to_value())).await? {
            open.extend(unrouted(&row).map(|event| (event.id, event)));
        }
    }
    Ok(open)
}

/// An endpoint named twice still gets one delivery.
fn each_once(route: &Route) -> impl Iterator<Item = NewDelivery> {
    let endpoints: BTreeSet<EndpointId> = route.endpoints.iter().copied().collect();
    FanOut::pending(route.version, endpoints).deliveries.into_iter()
}

async fn mark_routed(tx: &Tx, events: &[EventId]) -> Result<(), Fault> {
    for ids in events.chunks(ROWS) {
        let sql = format!(
            "UPDATE {{events}} SET route_due_at = NULL WHERE id IN ({})",
            repeated("?", ids.len())
        );
        tx.run(&sql, ids.iter().map(ToValue::to_value)).await?;
    }
    Ok(())
}
