//! The record of events, deliveries and attempts.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use sea_orm::Value;
use webhook_core::{
    Attempt, Cursor, Delivery, DeliveryId, DeliveryLog, DeliveryQuery, DeliveryStatus, Event,
    EventId, Failure, Page, StoreError,
};

use crate::{
    enqueue::event,
    fault::Fault,
    row::{Row, ToValue, limit},
    rows::pairs,
    store::SeaOrmStore,
    tracked::{OpenTracked, RecordTracked},
    tx::Tx,
    unit::Unit,
};

#[async_trait]
impl DeliveryLog for SeaOrmStore {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.perform(ReadEvent(id)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.perform(ReadDelivery(id)).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.perform(ListDeliveries(query)).await
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.perform(ListAttempts(id)).await
    }

    async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError> {
        self.perform(OpenTracked { event: event.clone(), delivery }).await
    }

    async fn record_tracked(
        &self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
    ) -> Result<(), StoreError> {
        self.perform(RecordTracked { id, attempt, status }).await
    }
}

struct ReadEvent(EventId);

#[async_trait]
impl Unit for ReadEvent {
    type Answer = Option<Arc<Event>>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let sql = "SELECT id, tenant, event_type, occurred_at, content_type, body, event_key \
                   FROM {events} WHERE id = ?";
        let row = tx.one(sql, [self.0.to_value()]).await?;
        row.map(|row| event(&row).map(Arc::new)).transpose()
    }
}

/// The URL is the endpoint's, removed or not; a tracked delivery brings its own.
const SELECT_DELIVERIES: &str = "\
    SELECT d.event_id, d.endpoint_id, d.tenant, d.event_type, COALESCE(d.url, e.url) AS url, d.status, \
        d.attempts, d.due_at, d.claimed_at, d.last_error, d.created_at \
    FROM {deliveries} AS d {by} LEFT JOIN {endpoints} AS e ON e.id = d.endpoint_id";

fn delivery(row: &Row) -> Result<Delivery, Fault> {
    let id = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
    let (tenant, event_type) = (row.parse("tenant")?, row.parse("event_type")?);
    let mut delivery =
        Delivery::new(id, tenant, event_type, row.parse("url")?, row.time("created_at")?);
    delivery.status = row.parse("status")?;
    delivery.attempts = row.number("attempts")?;
    let pending = delivery.status == DeliveryStatus::Pending;
    delivery.due_at = row.time_if_any("due_at")?.filter(|_| pending);
    delivery.last_attempt_at = row.time_if_any("claimed_at")?;
    delivery.last_error = row.get("last_error")?;
    Ok(delivery)
}

struct ReadDelivery(DeliveryId);

#[async_trait]
impl Unit for ReadDelivery {
    type Answer = Option<Delivery>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let sql = format!("{SELECT_DELIVERIES} WHERE d.event_id = ? AND d.endpoint_id = ?");
        let sql = sql.replace("{by}", "");
        let row = tx.one(&sql, pairs(&[self.0])).await?;
        row.map(|row| delivery(&row)).transpose()
    }
}

struct ListDeliveries(DeliveryQuery);

#[async_trait]
impl Unit for ListDeliveries {
    type Answer = Page<Delivery>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        if self.is_of_another_tenant(tx).await? {
            return Ok(Page::new(Vec::new(), None));
        }
        let most = self.0.limit.clamp(1, DeliveryQuery::MAX_LIMIT);
        let (sql, values) = listing(&self.0, most + 1);
        let rows = tx.all(&sql, values).await?;
        let items: Vec<_> = rows.iter().take(most).map(delivery).collect::<Result<_, _>>()?;
        let next = items.last().filter(|_| rows.len() > most).map(Cursor::after);
        Ok(Page::new(items, next))
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
}

/// The statement for a query.
pub(crate) fn listing(query: &DeliveryQuery, rows: usize) -> (String, Vec<Value>) {
    let parts = match (query.event, query.status) {
        (Some(event), _) => vec![of_event(query, event)],
        (None, Some(status)) => vec![of_status(query, status)],
        (None, None) => DeliveryStatus::ALL.map(|status| of_status(query, status)).into(),
    };
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
        sql.push(
            format!(
                "SELECT * FROM ({SELECT_DELIVERIES} WHERE {} \
             ORDER BY d.created_at DESC, d.event_id DESC, d.endpoint_id DESC LIMIT ?) AS part",
                part.conditions.join(" AND ")
            )
            .replace("{by}", part.by),
        );
        values.extend(part.values);
        values.push(limit(rows));
    }
    values.push(limit(rows));
    let newest = "ORDER BY created_at DESC, event_id DESC, endpoint_id DESC LIMIT ?";
    (format!("{} {newest}", sql.join(" UNION ALL ")), values)
}

/// What one index answers.
struct Part {
    by: &'static str,
    conditions: Vec<&'static str>,
    values: Vec<Value>,
}

impl Part {
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
fn of_event(query: &DeliveryQuery, event: EventId) -> Part {
    let (conditions, values) = (vec!["d.event_id = ?"], vec![event.to_value()]);
    let mut part = Part { by: "", conditions, values };
    part.narrow_if_any("d.endpoint_id = ?", query.endpoint.map(|id| id.to_value()));
    part.narrow_if_any("COALESCE(d.tenant, '') = ?", query.tenant.as_ref().map(ToValue::to_value));
    part.narrow_if_any("COALESCE(d.status, '') = ?", query.status.map(|status| status.to_value()));
    part
}

/// Deliveries in one status, of an endpoint, a tenant or everybody.
fn of_status(query: &DeliveryQuery, status: DeliveryStatus) -> Part {
    let by = match (&query.endpoint, &query.tenant) {
        (Some(_), _) => "{by_endpoint}",
        (None, Some(_)) => "{by_tenant}",
        (None, None) => "{by_status}",
    };
    let mut part = Part { by, conditions: vec!["d.status = ?"], values: vec![status.to_value()] };
    part.narrow_if_any("d.endpoint_id = ?", query.endpoint.map(|id| id.to_value()));
    part.narrow_if_any("d.tenant = ?", query.tenant.as_ref().map(ToValue::to_value));
    part
}

struct ListAttempts(DeliveryId);

#[async_trait]
impl Unit for ListAttempts {
    type Answer = Vec<Attempt>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let sql = "SELECT number, started_at, duration_ms, status, failure_kind, failure_text, \
                   response_body FROM {attempts} WHERE event_id = ? AND endpoint_id = ? ORDER BY number";
        tx.all(sql, pairs(&[self.0])).await?.iter().map(attempt).collect()
    }
}

fn attempt(row: &Row) -> Result<Attempt, Fault> {
    let status = row.get::<Option<i64>>("status")?.map(u16::try_from).transpose();
    let failure = row.parse_if_any("failure_kind")?.map(|kind| {
        let text = row.get::<Option<String>>("failure_text")?;
        Ok::<_, Fault>(Failure::new(kind, text.unwrap_or_default()))
    });
    Ok(Attempt::from_parts(
        row.number("number")?,
        row.time("started_at")?,
        Duration::from_millis(row.number("duration_ms")?),
        status.map_err(|_| crate::row::unreadable("status"))?,
        failure.transpose()?,
        Bytes::from(row.get::<Vec<u8>>("response_body")?),
    ))
}
