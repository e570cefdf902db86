//! The record of sending within a call. It has no due time, and so no claim ever sees it.

use async_trait::async_trait;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, Event, StoreErrorKind,
    store::{Lease, LeaseEpoch},
};

use crate::{
    db::{fault::Fault, row::ToValue, rows::pairs, tx::Tx, unit::Unit},
    work::{
        enqueue::{event_row, insert_events},
        finish::{attempt_row, insert_attempts},
    },
};

/// Opens the record of a tracked delivery.
pub(crate) struct OpenTracked {
    pub(crate) event: Event,
    pub(crate) delivery: Delivery,
}

#[async_trait]
impl Unit for OpenTracked {
    type Output = u32;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<u32, Fault> {
        let id = self.delivery.id;
        let sql = "SELECT attempts, url FROM {deliveries} WHERE event_id = ? AND endpoint_id = ?";
        let Some(row) = tx.one(sql, pairs(&[id])).await? else {
            self.add(tx).await?;
            return Ok(0);
        };
        if row.get::<Option<String>>("url")?.is_none() {
            return Err(Fault::new(
                StoreErrorKind::Exists,
                "the delivery of this id is not a tracked one",
            ));
        }
        let reopen = "UPDATE {deliveries} SET status = 'pending', finished_at = NULL \
                      WHERE event_id = ? AND endpoint_id = ?";
        tx.run(reopen, pairs(&[id])).await?;
        row.number("attempts")
    }
}

impl OpenTracked {
    async fn add(&self, tx: &Tx) -> Result<(), Fault> {
        let now = tx.now().await?;
        let stored = "SELECT id FROM {events} WHERE id = ? {for_update}";
        if tx.one(stored, [self.event.id.to_value()]).await?.is_none() {
            let event = self.without_taken_key(tx).await?;
            insert_events(tx, vec![event_row(&event, now, None)], "").await?;
        }
        let row = [
            self.delivery.id.event.to_value(),
            self.delivery.id.endpoint.to_value(),
            self.delivery.tenant.to_value(),
            self.delivery.event_type.to_value(),
            self.delivery.url.to_value(),
            DeliveryStatus::Pending.to_value(),
            LeaseEpoch::default().to_value(),
            0u32.to_value(),
            self.delivery.created_at.to_value(),
        ];
        let into = "{deliveries} (event_id, endpoint_id, tenant, event_type, url, status, epoch, \
                    attempts, created_at)";
        tx.insert(into, vec![row], "").await.map(|_| ())
    }
}

impl OpenTracked {
    /// A key names the first event under it. It stays that one's, and this one is recorded without.
    async fn without_taken_key(&self, tx: &Tx) -> Result<Event, Fault> {
        let event = self.event.clone();
        let Some(key) = &event.key else { return Ok(event) };
        let sql = "SELECT id FROM {events} WHERE tenant = ? AND event_key = ?";
        let taken = tx.one(sql, [event.tenant.to_value(), key.as_str().into()]).await?;
        Ok(if taken.is_some() { event.with_key(None) } else { event })
    }
}

/// Records an attempt of a tracked delivery.
pub(crate) struct RecordTracked {
    pub(crate) id: DeliveryId,
    pub(crate) attempt: Attempt,
    pub(crate) status: DeliveryStatus,
}

#[async_trait]
impl Unit for RecordTracked {
    type Output = ();
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        let now = tx.now().await?;
        let number = self.attempt.number;
        let last_error = self.attempt.failure.as_ref().map(ToString::to_string);
        let sql = "UPDATE {deliveries} SET status = ?, claimed_at = ?, last_error = ?, finished_at = ?, \
                   attempts = CASE WHEN attempts < ? THEN ? ELSE attempts END, recorded = recorded + 1 \
                   WHERE event_id = ? AND endpoint_id = ? AND url IS NOT NULL";
        let values = [
            self.status.to_value(),
            now.to_value(),
            last_error.into(),
            self.status.is_final().then_some(now).to_value(),
            number.to_value(),
            number.to_value(),
        ];
        if tx.run(sql, values.into_iter().chain(pairs(&[self.id]))).await? == 0 {
            return Err(Fault::new(
                StoreErrorKind::Other,
                "there is no tracked delivery of this id; open it first",
            ));
        }
        let lease = Lease { delivery: self.id, epoch: LeaseEpoch::default() };
        insert_attempts(tx, vec![attempt_row(lease, &self.attempt)], "{keep_first}").await
    }
}
