//! The log, an optional trait. Its listings read all deliveries.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use async_trait::async_trait;
use webhook_registry::{
    Attempt, Delivery, DeliveryId, EndpointId, EndpointStats, Event, EventId,
    store::{DeliveryLog, DeliveryQuery, Page},
    store_record::{AttemptRecord, DeliveryRecord},
};

use crate::{
    RedbStore, Stored,
    tables::{ATTEMPTS, DELIVERIES, DeliveryRow, Tables, delivery_key},
};

impl Tables<'_> {
    fn all_deliveries(&self) -> Stored<Vec<DeliveryRow>> {
        let records = self.of::<DeliveryRecord>(DELIVERIES, &[])?.into_iter();
        records.map(|record| Ok(record.into_parts()?)).collect()
    }

    fn shown(&self, (id, url, state): DeliveryRow) -> Stored<Option<Delivery>> {
        Ok(self.event(id.event)?.map(|event| state.to_delivery(id, &event, url)))
    }

    fn attempts(&self, id: DeliveryId) -> Stored<Vec<Attempt>> {
        let records = self.of::<AttemptRecord>(ATTEMPTS, &delivery_key(id))?.into_iter();
        records.map(|record| Ok(record.into_attempt()?)).collect()
    }
}

#[async_trait]
impl DeliveryLog for RedbStore {
    async fn event(&self, id: EventId) -> Stored<Option<Arc<Event>>> {
        self.call(move |tables| Ok(tables.event(id)?.map(Arc::new))).await
    }

    async fn delivery(&self, id: DeliveryId) -> Stored<Option<Delivery>> {
        self.call(move |tables| tables.delivery(id)?.map_or(Ok(None), |row| tables.shown(row)))
            .await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Stored<Page<Delivery>> {
        self.call(move |tables| {
            let all = tables.all_deliveries()?.into_iter();
            let shown = all.filter_map(|row| tables.shown(row).transpose());
            Ok(query.page_of(shown.collect::<Stored<Vec<_>>>()?))
        })
        .await
    }

    async fn attempts(&self, id: DeliveryId) -> Stored<Vec<Attempt>> {
        self.call(move |tables| tables.attempts(id)).await
    }

    async fn endpoint_stats(&self, id: EndpointId, window: Duration) -> Stored<EndpointStats> {
        self.call(move |tables| {
            let (mut rows, since) = (tables.all_deliveries()?, tables.now.before(window));
            rows.retain(|(row, _, state)| row.endpoint == id && state.created_at >= since);
            rows.sort_by_key(|(id, _, state)| Reverse((state.created_at, *id)));
            rows.truncate(EndpointStats::MAX_DELIVERIES);
            let attempts = rows.iter().map(|(id, ..)| tables.attempts(*id));
            let attempts = attempts.collect::<Stored<Vec<_>>>()?.into_iter().flatten();
            let kind = |attempt: &Attempt| attempt.failure.as_ref().map(|failure| failure.kind);
            Ok(EndpointStats::new(window)
                .with_deliveries(rows.iter().map(|(_, _, state)| (state.status, 1)))
                .with_attempts(attempts.map(|attempt| (kind(&attempt), attempt.duration, 1))))
        })
        .await
    }

    /// The store keeps no order: no delivery is in an order queue.
    async fn first_in_line(&self, _: DeliveryId) -> Stored<Option<Delivery>> {
        Ok(None)
    }
}
