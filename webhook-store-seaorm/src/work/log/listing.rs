//! Listings of deliveries: which index answers what, and how the parts come together.
//!
//! What is over or tracked is in an index of its tenant, and of everybody. What is in flight is in a
//! small index alone; what is pending only in that of its endpoint, where indexes can be of some rows
//! alone, so that a claim has little to write.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::Value;
use webhook_core::{
    Delivery, DeliveryId, DeliveryStatus, EndpointId, EventId, Timestamp,
    store::{Cursor, DeliveryQuery, Page},
};

use super::{SELECT_DELIVERIES, delivery};
use crate::db::{
    dialect::repeated,
    fault::Fault,
    row::{Row, ToValue, limit},
    rows::pairs,
    tx::Tx,
    unit::Unit,
};

/// Lists deliveries, newest first, a page at a time.
pub(crate) struct ListDeliveries(pub(crate) DeliveryQuery);

#[async_trait]
impl Unit for ListDeliveries {
    type Output = Page<Delivery>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        if self.is_of_another_tenant(tx).await? {
            return Ok(Page::new(Vec::new(), None));
        }
        let most = self.0.limit.clamp(1, DeliveryQuery::MAX_LIMIT);
        let endpoints = self.open_endpoints(tx).await?;
        let mut query = self.0.clone();
        // One more than fits says that there is a next page.
        let rows = if query.types.is_empty() { most + 1 } else { DeliveryQuery::MAX_LIMIT };
        let (mut items, mut looked_at) = (Vec::new(), 0);
        loop {
            let (some, is_all) = newest(tx, &query, &endpoints, rows).await?;
            looked_at += some.len();
            query.cursor = some.last().map(Cursor::after);
            items.extend(some.into_iter().filter(|it| query.wants(&it.event_type)));
            if items.len() > most {
                items.truncate(most);
                let next = items.last().map(Cursor::after);
                return Ok(Page::new(items, next));
            }
            if is_all || looked_at >= DeliveryQuery::MAX_LOOKED_AT {
                let next = query.cursor.filter(|_| !is_all);
                return Ok(Page::new(items, next));
            }
        }
    }
}

/// The newest of what is asked for but types, so many of them, and whether there are no more.
async fn newest(
    tx: &Tx,
    query: &DeliveryQuery,
    endpoints: &[EndpointId],
    rows: usize,
) -> Result<(Vec<Delivery>, bool), Fault> {
    let mut newest = NewestDeliveries::default();
    let lateral = tx.sql().dialect.has_lateral();
    for (sql, values) in listings(query, endpoints, lateral, rows) {
        newest.add(tx.all(&sql, values).await?)?;
    }
    Ok(newest.first(rows))
}

/// What several statements have found.
#[derive(Default)]
struct NewestDeliveries(BTreeMap<(Timestamp, DeliveryId), Delivery>);

impl NewestDeliveries {
    fn add(&mut self, rows: Vec<Row>) -> Result<(), Fault> {
        let by_age = |row| delivery(row).map(|it| ((it.created_at, it.id), it));
        self.0.extend(rows.iter().map(by_age).collect::<Result<Vec<_>, _>>()?);
        Ok(())
    }

    /// The newest `most`, and whether there are fewer.
    fn first(self, most: usize) -> (Vec<Delivery>, bool) {
        let is_all = self.0.len() < most;
        (self.0.into_values().rev().take(most).collect(), is_all)
    }
}

impl ListDeliveries {
    /// Whether the endpoint is another tenant's: its deliveries would all be read for nothing. One
    /// that does not exist may still have tracked deliveries.
    async fn is_of_another_tenant(&self, tx: &Tx) -> Result<bool, Fault> {
        let (Some(endpoint), Some(tenant)) = (self.0.endpoint, &self.0.tenant) else {
            return Ok(false);
        };
        let sql = "SELECT tenant FROM {endpoints} WHERE id = ?";
        let row = tx.one(sql, [endpoint.to_value()]).await?;
        let owner = row.map(|row| row.get::<String>("tenant")).transpose()?;
        Ok(owner.is_some_and(|owner| owner != tenant.as_str()))
    }

    /// The endpoints whose pending deliveries are in no index of a tenant or of everybody.
    async fn open_endpoints(&self, tx: &Tx) -> Result<Vec<EndpointId>, Fault> {
        let DeliveryQuery { event, endpoint, tenant, status, .. } = &self.0;
        let pending = status.is_none_or(|status| status == DeliveryStatus::Pending);
        let elsewhere = !pending || event.is_some() || endpoint.is_some();
        if elsewhere || !tx.sql().dialect.has_partial_indexes() {
            return Ok(Vec::new());
        }
        // What is claimed or tried again between two statements would be found by neither.
        if let Some(one_snapshot) = tx.sql().dialect.one_snapshot() {
            tx.run_plain(one_snapshot).await?;
        }
        let of_tenant = if tenant.is_some() { "WHERE e.tenant = ?" } else { "" };
        let sql = format!(
            "{{with_open_endpoints}} SELECT e.id FROM open_endpoints AS o \
             JOIN {{endpoints}} AS e ON e.id = o.id {of_tenant}"
        );
        let rows = tx.all(&sql, tenant.as_ref().map(ToValue::to_value)).await?;
        rows.iter().map(|row| row.endpoint("id")).collect()
    }
}

/// Endpoints whose pending deliveries are listed by one statement, each in a part of its own.
const ENDPOINTS_PER_LISTING: usize = 100;

/// Endpoints whose pending deliveries are listed by one lateral part.
const ENDPOINTS_PER_LATERAL_PART: usize = 10_000;

/// The statements for a query, where the pending deliveries of these endpoints have to be looked for
/// one by one: by one part, where there is `lateral`.
pub(crate) fn listings(
    query: &DeliveryQuery,
    endpoints: &[EndpointId],
    lateral: bool,
    rows: usize,
) -> Vec<(String, Vec<Value>)> {
    let pending = |some: &[EndpointId]| -> Vec<ListingPart> {
        if lateral && !some.is_empty() {
            return vec![ListingPart::pending_of_each(some)];
        }
        some.iter().map(ListingPart::pending).collect()
    };
    let mut chunks =
        endpoints.chunks(if lateral { ENDPOINTS_PER_LATERAL_PART } else { ENDPOINTS_PER_LISTING });
    let last = chunks.next_back().unwrap_or_default();
    let mut all: Vec<_> = chunks.map(pending).collect();
    all.push(pending(last).into_iter().chain(rest(query)).collect());
    all.into_iter().map(|parts| newest_of(query, parts, rows)).collect()
}

/// What the index for a query answers by itself.
fn rest(query: &DeliveryQuery) -> Vec<ListingPart> {
    match (query.event, query.status) {
        (Some(event), _) => vec![of_event(query, event)],
        (None, Some(status)) => vec![of_status(query, status)],
        (None, None) => DeliveryStatus::ALL.map(|status| of_status(query, status)).into(),
    }
}

/// The newest of what these parts find.
fn newest_of(query: &DeliveryQuery, parts: Vec<ListingPart>, rows: usize) -> (String, Vec<Value>) {
    let (mut sql, mut values) = (Vec::new(), Vec::new());
    for mut part in parts {
        part.narrow_if_any("d.created_at >= ?", query.since.map(|since| since.to_value()));
        part.narrow_if_any("d.created_at < ?", query.until.map(|until| until.to_value()));
        if let Some(Cursor { created_at, id, .. }) = query.cursor {
            // The first says nothing new. MySQL finds its place in the index by no comparison of rows.
            part.narrow("d.created_at <= ?", created_at.to_value());
            part.narrow(
                "(d.created_at, d.event_id, d.endpoint_id) < (?, ?, ?)",
                created_at.to_value(),
            );
            part.values.extend(pairs(&[id]));
        }
        let newest = format!(
            "{SELECT_DELIVERIES} WHERE {} \
             ORDER BY d.created_at DESC, d.event_id DESC, d.endpoint_id DESC LIMIT ?",
            part.conditions.join(" AND ")
        );
        let newest = newest.replace("{by}", part.by);
        sql.push(match part.each.len() {
            0 => format!("SELECT * FROM ({newest}) AS part"),
            endpoints => format!(
                "SELECT part.* FROM {{endpoints}} AS x CROSS JOIN LATERAL ({newest}) AS part \
                 WHERE x.id IN ({})",
                repeated("?", endpoints)
            ),
        });
        values.extend(part.values);
        values.push(limit(rows));
        values.extend(part.each);
    }
    values.push(limit(rows));
    let newest = "ORDER BY created_at DESC, event_id DESC, endpoint_id DESC LIMIT ?";
    (format!("{} {newest}", sql.join(" UNION ALL ")), values)
}

/// Condition of a pending delivery in the index of its endpoint.
const PENDING_CONDITION: &str = "d.status = 'pending' {not_in_flight} AND d.due_at IS NOT NULL";

/// What one index answers.
struct ListingPart {
    by: &'static str,
    conditions: Vec<&'static str>,
    values: Vec<Value>,
    /// The endpoints `x` for each of which it is answered, where it speaks of one.
    each: Vec<Value>,
}

impl ListingPart {
    fn new(by: &'static str, conditions: Vec<&'static str>, values: Vec<Value>) -> Self {
        Self { by, conditions, values, each: Vec::new() }
    }

    fn pending(endpoint: &EndpointId) -> Self {
        let conditions = vec!["d.endpoint_id = ?", PENDING_CONDITION];
        Self::new("{by_endpoint}", conditions, vec![endpoint.to_value()])
    }

    fn pending_of_each(endpoints: &[EndpointId]) -> Self {
        let each = endpoints.iter().map(ToValue::to_value).collect();
        let conditions = vec!["d.endpoint_id = x.id", PENDING_CONDITION];
        Self { each, ..Self::new("{by_endpoint}", conditions, Vec::new()) }
    }

    fn narrow(&mut self, condition: &'static str, value: Value) {
        self.conditions.push(condition);
        self.values.push(value);
    }

    fn narrow_if_any(&mut self, condition: &'static str, value: Option<Value>) {
        if let Some(value) = value {
            self.narrow(condition, value);
        }
    }
}

/// The deliveries of an event stand together and are few: no other index may be tempting.
fn of_event(query: &DeliveryQuery, event: EventId) -> ListingPart {
    let (conditions, values) = (vec!["d.event_id = ?"], vec![event.to_value()]);
    let mut part = ListingPart::new("", conditions, values);
    part.narrow_if_any("d.endpoint_id = ?", query.endpoint.map(|id| id.to_value()));
    part.narrow_if_any("COALESCE(d.tenant, '') = ?", query.tenant.as_ref().map(ToValue::to_value));
    part.narrow_if_any("COALESCE(d.status, '') = ?", query.status.map(|status| status.to_value()));
    part
}

/// Deliveries in one status, of an endpoint, a tenant or everybody.
fn of_status(query: &DeliveryQuery, status: DeliveryStatus) -> ListingPart {
    let (by, is_status) = match (status, &query.endpoint, &query.tenant) {
        // Few, whoever asks.
        (DeliveryStatus::InFlight, ..) => {
            ("{by_in_flight}", "d.status = ? AND d.status = 'in_flight'")
        }
        (_, Some(_), _) => ("{by_endpoint}", "d.status = ? {not_in_flight}"),
        (_, None, Some(_)) => ("{by_tenant}", "d.status = ? {not_open}"),
        (_, None, None) => ("{by_status}", "d.status = ? {not_open}"),
    };
    let mut part = ListingPart::new(by, vec![is_status], vec![status.to_value()]);
    part.narrow_if_any("d.endpoint_id = ?", query.endpoint.map(|id| id.to_value()));
    part.narrow_if_any("d.tenant = ?", query.tenant.as_ref().map(ToValue::to_value));
    part
}
