//! Record of an event.

use serde::{Deserialize, Serialize};

use crate::model::{
    event::{ContentType, Event, EventKey, EventType},
    hops::Hops,
    id::{EventId, TenantId},
    ordering_key::OrderingKey,
    time::Timestamp,
};

use super::{
    record_error::RecordError,
    record_fields::{RecordBytes, RecordVersion},
};

/// Record of an event, its body included as base64. `Debug` does not show the body.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EventRecord {
    v: RecordVersion,
    id: EventId,
    #[serde(rename = "type")]
    event_type: EventType,
    tenant: TenantId,
    occurred_at: Timestamp,
    content_type: ContentType,
    key: Option<EventKey>,
    ordering_key: Option<OrderingKey>,
    hops: u32,
    body: RecordBytes,
}

impl EventRecord {
    /// Creates the record of `event`.
    pub fn of(event: &Event) -> Self {
        // Each field by name: one that is added later cannot be forgotten here.
        let Event {
            id,
            event_type,
            tenant,
            occurred_at,
            content_type,
            body,
            key,
            ordering_key,
            hops,
        } = event.clone();
        Self {
            v: RecordVersion,
            id,
            event_type,
            tenant,
            occurred_at,
            content_type,
            key,
            ordering_key,
            hops: hops.as_u32(),
            body: RecordBytes(body),
        }
    }

    /// Returns the event.
    ///
    /// # Errors
    ///
    /// [`RecordError::Unreadable`] names a field whose value no event can have.
    pub fn into_event(self) -> Result<Event, RecordError> {
        let hops = Hops::new(self.hops);
        if hops.as_u32() != self.hops {
            return Err(RecordError::Unreadable("hops"));
        }
        Ok(Event {
            id: self.id,
            event_type: self.event_type,
            tenant: self.tenant,
            occurred_at: self.occurred_at,
            content_type: self.content_type,
            body: self.body.0,
            key: self.key,
            ordering_key: self.ordering_key,
            hops,
        })
    }
}
