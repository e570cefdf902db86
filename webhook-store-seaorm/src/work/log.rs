//! The record of events, deliveries and attempts.

pub(crate) mod listing;
pub(crate) mod stats;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use webhook_core::{Attempt, Delivery, DeliveryId, DeliveryStatus, Event, EventId, Failure};

use crate::{
    db::{
        fault::Fault,
        row::{Row, ToValue},
        rows::pairs,
        tx::Tx,
        unit::Unit,
    },
    work::{
        enqueue::event,
        order::{first_in_line, unless_parked},
    },
};

pub(crate) struct ReadEvent(pub(crate) EventId);

#[async_trait]
impl Unit for ReadEvent {
    type Output = Option<Arc<Event>>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        let sql = "SELECT id, tenant, event_type, occurred_at, content_type, body, event_key, ordering_key, hops \
                   FROM {events} WHERE id = ?";
        let row = tx.one(sql, [self.0.to_value()]).await?;
        row.map(|row| event(&row).map(Arc::new)).transpose()
    }
}

/// The URL is the endpoint's, removed or not; a tracked delivery brings its own.
const SELECT_DELIVERIES: &str = "\
    SELECT d.event_id, d.endpoint_id, d.tenant, d.event_type, COALESCE(d.url, e.url) AS url, d.status, \
        d.attempts, d.budget_from, d.forgiven, d.due_at, d.claimed_at, d.claimed_by, d.last_error, d.created_at \
    FROM {deliveries} AS d {by} LEFT JOIN {endpoints} AS e ON e.id = d.endpoint_id";

fn delivery(row: &Row) -> Result<Delivery, Fault> {
    let id = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
    let (tenant, event_type) = (row.parse("tenant")?, row.parse("event_type")?);
    let mut delivery =
        Delivery::new(id, tenant, event_type, row.parse("url")?, row.time("created_at")?);
    delivery.status = row.parse("status")?;
    delivery.attempts = row.number("attempts")?;
    (delivery.budget_from, delivery.forgiven) =
        (row.number("budget_from")?, row.number("forgiven")?);
    let due_at = row.time_if_any("due_at")?;
    match delivery.status {
        DeliveryStatus::Pending => delivery.due_at = due_at.and_then(unless_parked),
        DeliveryStatus::InFlight => delivery.leased_until = due_at,
        _ => {}
    }
    delivery.last_attempt_at = row.time_if_any("claimed_at")?;
    delivery.claimed_by = row.parse_if_any("claimed_by")?;
    delivery.last_error = row.get("last_error")?;
    Ok(delivery)
}

pub(crate) struct ReadDelivery(pub(crate) DeliveryId);

#[async_trait]
impl Unit for ReadDelivery {
    type Output = Option<Delivery>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        read_delivery(tx, self.0).await
    }
}

async fn read_delivery(tx: &Tx, id: DeliveryId) -> Result<Option<Delivery>, Fault> {
    let sql = format!("{SELECT_DELIVERIES} WHERE d.event_id = ? AND d.endpoint_id = ?");
    let row = tx.one(&sql.replace("{by}", ""), pairs(&[id])).await?;
    row.map(|row| delivery(&row)).transpose()
}

pub(crate) struct ReadFirstInLine(pub(crate) DeliveryId);

#[async_trait]
impl Unit for ReadFirstInLine {
    type Output = Option<Delivery>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        match first_in_line(tx, self.0).await? {
            Some(first) => read_delivery(tx, first).await,
            None => Ok(None),
        }
    }
}

pub(crate) struct ListAttempts(pub(crate) DeliveryId);

#[async_trait]
impl Unit for ListAttempts {
    type Output = Vec<Attempt>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        let sql = "SELECT number, triggered_by, started_at, duration_ms, status, failure_kind, \
                   failure_text, response_body FROM {attempts} WHERE event_id = ? AND endpoint_id = ? ORDER BY number";
        tx.all(sql, pairs(&[self.0])).await?.iter().map(attempt).collect()
    }
}

fn attempt(row: &Row) -> Result<Attempt, Fault> {
    let status = row.get::<Option<i64>>("status")?.map(u16::try_from).transpose();
    let failure = row.parse_if_any("failure_kind")?.map(|kind| {
        let text = row.get::<Option<String>>("failure_text")?;
        Ok::<_, Fault>(Failure::new(kind, text.unwrap_or_default()))
    });
    let trigger = row.parse("triggered_by")?;
    let attempt = Attempt::from_parts(
        row.number("number")?,
        row.time("started_at")?,
        Duration::from_millis(row.number("duration_ms")?),
        status.map_err(|_| crate::db::row::unreadable("status"))?,
        failure.transpose()?,
        Bytes::from(row.get::<Vec<u8>>("response_body")?),
    );
    Ok(attempt.with_trigger(trigger))
}
