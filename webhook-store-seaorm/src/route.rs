//! Events that are stored but not routed yet: handed out under a lease, and routed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use webhook_core::{
    ClaimedUnrouted, EndpointId, EventId, NewDelivery, Route, Routed, TenantId, Timestamp,
    UnroutedEvent,
};

use crate::{
    endpoints::versions,
    enqueue::{delivery_row, insert_deliveries},
    fault::Fault,
    row::{Key, Row, ToValue, limit},
    tx::Tx,
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
        let due = "SELECT id, tenant, event_type, route_due_at FROM {events} {by_unrouted} \
                   WHERE route_due_at IS NOT NULL ORDER BY route_due_at, id LIMIT ? \
                   {for_update_skip_locked}";
        // One more than asked for says when to look again.
        let rows = tx.all(due, [limit(self.limit.saturating_add(1))]).await?;
        let (mut events, mut unreadable) = (Vec::new(), Vec::new());
        let mut next_due = None;
        for row in &rows {
            let due_at = row.time("route_due_at")?;
            // Another worker may have taken it between the look and the lock.
            if due_at > now || events.len() == self.limit {
                let due_in = due_at.since(now);
                next_due = Some(next_due.map_or(due_in, |next: Duration| next.min(due_in)));
                continue;
            }
            match unrouted(row) {
                Ok(event) => events.push(event),
                Err(_) => unreadable.push(row.key("id")?),
            }
        }
        if !unreadable.is_empty() {
            put_off(tx, &unreadable, now.after(A_DAY)).await?;
            // There may be others behind them.
            next_due = Some(Duration::ZERO);
        }
        let ids = events.iter().map(|event| event.id.to_value());
        tx.run_of(LEASE, now.after(self.lease).to_value(), ids).await?;
        Ok(ClaimedUnrouted::new(events, next_due))
    }
}

const LEASE: &str = "UPDATE {events} {by_key} SET route_due_at = ? WHERE id IN ({list})";

/// How long an event that cannot be read stands aside.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn unrouted(row: &Row) -> Result<UnroutedEvent, Fault> {
    let (id, tenant) = (row.event("id")?, row.parse("tenant")?);
    Ok(UnroutedEvent::new(id, tenant, row.parse("event_type")?))
}

/// Nobody can route these, until somebody repairs them. They must not stand in the way of the others.
async fn put_off(tx: &Tx, events: &[Key], until: Timestamp) -> Result<(), Fault> {
    for id in events {
        tracing::error!(event = %id, "an unrouted event cannot be read; looking again in a day");
    }
    tx.run_of(LEASE, until.to_value(), events.iter().map(ToValue::to_value)).await
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
            let known = versions.get(&event.tenant).copied().unwrap_or_default();
            if known.version != route.version {
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
    let sql = "SELECT id, tenant, event_type FROM {events} {by_key} \
               WHERE route_due_at IS NOT NULL AND id IN ({list}) {for_update}";
    let rows = tx.all_of(sql, batch.iter().map(|route| route.event.to_value())).await?;
    // One that cannot be read is nobody's to route; the next claim puts it off.
    let readable = rows.iter().filter_map(|row| unrouted(row).ok());
    Ok(readable.map(|event| (event.id, event)).collect())
}

/// An endpoint named twice still gets one delivery.
fn each_once(route: &Route) -> impl Iterator<Item = NewDelivery> {
    let each = route.deliveries.iter().map(|new| (new.endpoint, *new));
    each.collect::<BTreeMap<EndpointId, NewDelivery>>().into_values()
}

async fn mark_routed(tx: &Tx, events: &[EventId]) -> Result<(), Fault> {
    let never = None::<Timestamp>.to_value();
    tx.run_of(LEASE, never, events.iter().map(ToValue::to_value)).await
}
