//! Routes events: stores their deliveries, and marks them as routed.

mod claim_unrouted;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use webhook_core::{
    DeliveryId, EndpointId, EventId, OrderingKey, TenantId, Timestamp,
    store::{NewDelivery, Route, Routed, UnroutedEvent},
};

use crate::{
    db::{
        fault::Fault,
        row::ToValue,
        rows::pairs,
        tx::{ROWS_PER_STATEMENT, Tx},
        unit::Unit,
    },
    work::{
        endpoints::versions,
        enqueue::{KEEP_FIRST, delivery_row, insert_deliveries},
        order::LineEnds,
        unrouted::{SET_ROUTE_DUE, unrouted},
    },
};

pub(crate) use claim_unrouted::ClaimUnrouted;

/// Writes down where unrouted events go.
pub(crate) struct RouteEvents(pub(crate) Vec<Route>);

#[async_trait]
impl Unit for RouteEvents {
    type Output = Vec<Routed>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Vec<Routed>, Fault> {
        let mut open = read_open(tx, &self.0).await?;
        let tenants: BTreeSet<_> = open.values().map(|(event, _)| event.tenant.clone()).collect();
        let tenants: Vec<&TenantId> = tenants.iter().collect();
        let (now, versions) = versions(tx, &tenants).await?;
        let (mut lines, there) = self.lines(tx, &open).await?;
        let (mut answers, mut done, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for route in &self.0 {
            let Some((event, key)) = open.get(&route.event) else {
                answers.push(Routed::NotUnrouted);
                continue;
            };
            let known = versions.get(&event.tenant).copied().unwrap_or_default();
            if known.version != route.version {
                answers.push(Routed::Stale);
                continue;
            }
            for new in each_once(route) {
                let id = DeliveryId::new(event.id, new.endpoint);
                if there.contains(&id) {
                    continue;
                }
                let due_at = lines.append(id, key.as_ref().filter(|_| !new.missed), now);
                let row = delivery_row(id, &event.tenant, &event.event_type, new, due_at, now);
                rows.push(row);
            }
            open.remove(&route.event);
            done.push(route.event);
            answers.push(Routed::Done);
        }
        insert_deliveries(tx, rows, KEEP_FIRST).await?;
        lines.insert(tx).await?;
        mark_routed(tx, &done).await?;
        Ok(answers)
    }
}

impl RouteEvents {
    /// The lines that its deliveries may stand in; and those of these deliveries that are there already,
    /// and stand in none on account of this.
    async fn lines(
        &self,
        tx: &Tx,
        open: &UnroutedByEvent,
    ) -> Result<(LineEnds, BTreeSet<DeliveryId>), Fault> {
        let (mut lines, mut ids) = (BTreeSet::new(), Vec::new());
        for route in &self.0 {
            let Some((_, Some(key))) = open.get(&route.event) else { continue };
            for new in each_once(route).filter(|new| !new.missed) {
                lines.insert((new.endpoint, key.clone()));
                ids.push(DeliveryId::new(route.event, new.endpoint));
            }
        }
        let lines = LineEnds::lock(tx, lines).await?;
        ids.retain(|id| lines.keeps_order(id.endpoint));
        Ok((lines, there(tx, &ids).await?))
    }
}

/// Those of the deliveries that are there.
async fn there(tx: &Tx, ids: &[DeliveryId]) -> Result<BTreeSet<DeliveryId>, Fault> {
    let mut found = BTreeSet::new();
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let sql = format!(
            "SELECT event_id, endpoint_id FROM {{deliveries}} {{by_key}} \
             WHERE (event_id, endpoint_id) IN {}",
            tx.sql().dialect.pairs(ids.len())
        );
        for row in tx.all(&sql, pairs(ids)).await? {
            found.insert(DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?));
        }
    }
    Ok(found)
}

/// Events to route, with their ordering keys.
type UnroutedByEvent = BTreeMap<EventId, (UnroutedEvent, Option<OrderingKey>)>;

async fn read_open(tx: &Tx, batch: &[Route]) -> Result<UnroutedByEvent, Fault> {
    let sql = "SELECT id, tenant, event_type, ordering_key FROM {events} {by_key} \
               WHERE route_due_at IS NOT NULL AND id {in_list} {for_update}";
    let rows = tx.all_of(sql, batch.iter().map(|route| route.event.to_value())).await?;
    // One that cannot be read is nobody's to route; the next claim puts it off.
    let read = |row| Ok::<_, Fault>((unrouted(row)?, row.parse_if_any("ordering_key")?));
    let readable = rows.iter().filter_map(|row| read(row).ok());
    Ok(readable.map(|(event, key)| (event.id, (event, key))).collect())
}

/// An endpoint named twice still gets one delivery.
fn each_once(route: &Route) -> impl Iterator<Item = &NewDelivery> {
    let each = route.deliveries.iter().map(|new| (new.endpoint, new));
    each.collect::<BTreeMap<EndpointId, &NewDelivery>>().into_values()
}

async fn mark_routed(tx: &Tx, events: &[EventId]) -> Result<(), Fault> {
    let never = None::<Timestamp>.to_value();
    tx.run_of(SET_ROUTE_DUE, Some(never), events.iter().map(ToValue::to_value)).await.map(|_| ())
}
