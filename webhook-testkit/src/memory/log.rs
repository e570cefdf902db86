use std::{sync::Arc, time::Duration};

use webhook_core::store_state::DeliveryState;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, EndpointId, EndpointStats, EndpointUrl, Event,
    EventKey, StoreError, StoreErrorKind, Timestamp,
    store::{Cursor, DeliveryQuery, Page},
};

use super::{State, row::DeliveryRow};

impl State {
    pub(super) fn to_delivery(&self, id: DeliveryId, row: &DeliveryRow) -> Option<Delivery> {
        Some(row.state.to_delivery(id, &row.event, self.url(id, row)?))
    }

    /// Where a delivery goes or went, also after its endpoint was removed.
    fn url(&self, id: DeliveryId, row: &DeliveryRow) -> Option<EndpointUrl> {
        let endpoint = || Some(self.endpoints.get(&id.endpoint)?.endpoint.url.clone());
        row.tracked_url.clone().or_else(endpoint)
    }

    pub(super) fn page(&self, query: &DeliveryQuery) -> Page<Delivery> {
        let rows = self.deliveries.iter().filter(|(id, row)| matches(query, **id, row));
        let mut found: Vec<_> = rows.filter_map(|(id, row)| self.to_delivery(*id, row)).collect();
        found.sort_by_key(|delivery| std::cmp::Reverse(Cursor::after(delivery)));
        let limit = query.limit.clamp(1, DeliveryQuery::MAX_LIMIT);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(Cursor::after);
        Page::new(found, next)
    }

    pub(super) fn stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
        now: Timestamp,
    ) -> EndpointStats {
        let since = now.before(window);
        let its = |id: DeliveryId, row: &DeliveryRow| {
            id.endpoint == endpoint && row.state.created_at >= since
        };
        let mut rows: Vec<_> = self.deliveries.iter().filter(|(id, row)| its(**id, row)).collect();
        rows.sort_by_key(|(id, row)| std::cmp::Reverse((row.state.created_at, **id)));
        rows.truncate(EndpointStats::MAX_DELIVERIES);
        let attempts = rows.iter().flat_map(|(_, row)| row.records.values());
        let kind = |attempt: &Attempt| attempt.failure.as_ref().map(|failure| failure.kind);
        EndpointStats::new(window)
            .with_deliveries(rows.iter().map(|(_, row)| (row.state.status, 1)))
            .with_attempts(attempts.map(|attempt| (kind(attempt), attempt.duration, 1)))
    }

    pub(super) fn open_tracked(
        &mut self,
        event: &Event,
        delivery: Delivery,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        if self.deliveries.get(&delivery.id).is_some_and(|row| !row.state.tracked) {
            return Err(StoreError::because(
                StoreErrorKind::Exists,
                "the delivery of this id is not a tracked one",
            ));
        }
        if !self.events.contains_key(&event.id) {
            self.store_event(&Arc::new(self.without_taken_key(event)), None);
            self.stored_at.insert(event.id, now);
        }
        let row = self.deliveries.entry(delivery.id).or_insert_with(|| {
            let state = DeliveryState::tracked(delivery.created_at);
            let mut row = DeliveryRow::new(Arc::new(event.clone()), state);
            row.tracked_url = Some(delivery.url);
            row
        });
        row.state = row.state.reopened();
        Ok(row.state.attempts)
    }

    /// A key names the first event under it. It stays that one's, and this one is kept without.
    fn without_taken_key(&self, event: &Event) -> Event {
        let key = event.key.clone();
        let is_taken =
            |key: &EventKey| self.keys.contains_key(&(event.tenant.clone(), key.clone()));
        event.clone().with_key(key.filter(|key| !is_taken(key)))
    }

    pub(super) fn record_tracked(
        &mut self,
        id: DeliveryId,
        attempt: Attempt,
        status: DeliveryStatus,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let tracked = self.deliveries.get_mut(&id).filter(|row| row.state.tracked);
        let row = tracked.ok_or_else(|| {
            StoreError::because(
                StoreErrorKind::Other,
                "no tracked delivery of this id; open it first",
            )
        })?;
        row.state = row.state.recorded(&attempt, status, now);
        row.record(attempt);
        Ok(())
    }
}

fn matches(query: &DeliveryQuery, id: DeliveryId, row: &DeliveryRow) -> bool {
    let place = (row.state.created_at, id);
    query.tenant.as_ref().is_none_or(|tenant| *tenant == row.event.tenant)
        && query.event.is_none_or(|event| event == id.event)
        && query.endpoint.is_none_or(|endpoint| endpoint == id.endpoint)
        && query.status.is_none_or(|status| status == row.state.status)
        && query.wants(&row.event.event_type)
        && query.since.is_none_or(|since| row.state.created_at >= since)
        && query.until.is_none_or(|until| row.state.created_at < until)
        && query.cursor.is_none_or(|cursor| place < (cursor.created_at, cursor.id))
}
