//! Events as publishers hand them over: before they are stored, with what is checked on the way in.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;

use super::{
    ContentType, Event, EventKey, EventType, InvalidContentType, InvalidEventKey, InvalidEventType,
};
use crate::model::{
    hops::Hops,
    id::{EventId, TenantId},
    ordering_key::{InvalidOrderingKey, OrderingKey},
    time::Timestamp,
};

/// An event before it has an identifier: what a publisher hands over.
///
/// ```
/// use webhook_core::NewEvent;
///
/// let event = NewEvent::json("invoice.paid", &serde_json::json!({ "invoice": 42 }))?.key("invoice-42")?;
/// assert_eq!(event.body(), br#"{"invoice":42}"#);
/// # Ok::<(), webhook_core::error::InvalidEvent>(())
/// ```
#[derive(Clone)]
pub struct NewEvent {
    id: Option<EventId>,
    event_type: EventType,
    tenant: TenantId,
    occurred_at: Option<Timestamp>,
    content_type: ContentType,
    body: Bytes,
    key: Option<EventKey>,
    ordering_key: Option<OrderingKey>,
    hops: Hops,
}

impl NewEvent {
    /// Bytes of a body unless told otherwise: far above what the Standard Webhooks advise (20 kB),
    /// far below what hurts a receiver.
    pub const MAX_BODY: usize = 256 * 1024;

    /// An event whose body is `data` as JSON.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`] when the type is not valid or `data` cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(event_type: &str, data: &T) -> Result<Self, InvalidEvent> {
        Self::new(
            event_type,
            serde_json::to_vec(data).map_err(|error| InvalidEvent::Json(error.to_string()))?,
        )
    }

    /// An event whose body is exactly `body`, sent as `application/json` unless
    /// [`content_type`](Self::content_type) says otherwise.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`] when the type is not valid.
    pub fn new(event_type: &str, body: impl Into<Bytes>) -> Result<Self, InvalidEvent> {
        Ok(Self::from_type(event_type.parse()?, body))
    }

    /// Returns an event of a type that is parsed already; otherwise like [`new`](Self::new).
    pub fn from_type(event_type: EventType, body: impl Into<Bytes>) -> Self {
        Self {
            id: None,
            event_type,
            tenant: TenantId::default(),
            occurred_at: None,
            content_type: ContentType::default(),
            body: body.into(),
            key: None,
            ordering_key: None,
            hops: Hops::default(),
        }
    }

    /// Sets the identifier; without one a new UUIDv7 is made. A second publish with the same
    /// identifier is the first one again.
    #[must_use]
    pub fn id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets whose event it is.
    #[must_use]
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = tenant;
        self
    }

    /// Sets when it happened; without it, the time of publishing.
    #[must_use]
    pub fn occurred_at(mut self, at: Timestamp) -> Self {
        self.occurred_at = Some(at);
        self
    }

    /// Sets the content type.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent::ContentType`] when the text is none.
    pub fn content_type(mut self, content_type: &str) -> Result<Self, InvalidEvent> {
        self.content_type = content_type.parse()?;
        Ok(self)
    }

    /// Sets a content type that is parsed already.
    #[must_use]
    pub fn with_content_type(mut self, content_type: ContentType) -> Self {
        self.content_type = content_type;
        self
    }

    /// Sets the publisher's own key: a second event of the tenant under it is the first one again.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent::Key`] when the text is none.
    pub fn key(mut self, key: &str) -> Result<Self, InvalidEvent> {
        self.key = Some(key.parse()?);
        Ok(self)
    }

    /// Sets a key that is parsed already; see [`key`](Self::key).
    #[must_use]
    pub fn with_key(mut self, key: EventKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets what it belongs together with: an endpoint that asks for order gets the tenant's events of
    /// one such key one at a time, in the order in which they were published.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent::OrderingKey`] when the text is none.
    pub fn ordering_key(mut self, key: &str) -> Result<Self, InvalidEvent> {
        self.ordering_key = Some(key.parse()?);
        Ok(self)
    }

    /// Sets an ordering key that is parsed already; see [`ordering_key`](Self::ordering_key).
    #[must_use]
    pub fn with_ordering_key(mut self, key: OrderingKey) -> Self {
        self.ordering_key = Some(key);
        self
    }

    /// Says that it is published because of a webhook that was received, by the headers of that one: so
    /// ends a circle of webhooks that lead to each other.
    ///
    /// ```
    /// use webhook_core::{NewEvent, error::InvalidEvent, transport::WEBHOOK_HOPS};
    ///
    /// let mut received = http::HeaderMap::new();
    /// received.insert(WEBHOOK_HOPS, 1.into());
    /// assert!(NewEvent::new("invoice.paid", "{}")?.follows(&received).is_ok());
    /// received.insert(WEBHOOK_HOPS, 9.into());
    /// let refused = NewEvent::new("invoice.paid", "{}")?.follows(&received);
    /// assert_eq!(refused.unwrap_err(), InvalidEvent::Loop);
    /// # Ok::<(), InvalidEvent>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidEvent::Loop`] when [`Hops::MAX`] webhooks have led here already.
    pub fn follows(mut self, received: &HeaderMap) -> Result<Self, InvalidEvent> {
        self.hops = Hops::of(received);
        if self.hops < Hops::MAX { Ok(self) } else { Err(InvalidEvent::Loop) }
    }

    /// The body, byte for byte.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Checks the length of the body.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent::TooLarge`] when it has more bytes than `limit`.
    pub fn check_size(&self, limit: usize) -> Result<(), InvalidEvent> {
        let len = self.body.len();
        if len > limit { Err(InvalidEvent::TooLarge { len, limit }) } else { Ok(()) }
    }

    /// Gives it the identifier and the time it lacks.
    pub fn into_event(self, new_id: impl FnOnce() -> EventId, now: Timestamp) -> Event {
        Event {
            id: self.id.unwrap_or_else(new_id),
            event_type: self.event_type,
            tenant: self.tenant,
            occurred_at: self.occurred_at.unwrap_or(now),
            content_type: self.content_type,
            body: self.body,
            key: self.key,
            ordering_key: self.ordering_key,
            hops: self.hops,
        }
    }
}

impl fmt::Debug for NewEvent {
    /// Not the body: it is the customer's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEvent")
            .field("event_type", &self.event_type)
            .field("tenant", &self.tenant)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What a publisher handed over is no event.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// The event type is not valid.
    #[error(transparent)]
    Type(#[from] InvalidEventType),
    /// The content type is not valid.
    #[error(transparent)]
    ContentType(#[from] InvalidContentType),
    /// The event key is not valid.
    #[error(transparent)]
    Key(#[from] InvalidEventKey),
    /// The ordering key is not valid.
    #[error(transparent)]
    OrderingKey(#[from] InvalidOrderingKey),
    /// Webhooks lead to each other in a circle.
    #[error(
        "8 webhooks have led to this event, one because of the other; is an endpoint one of your own?"
    )]
    Loop,
    /// The data cannot be written as JSON.
    #[error("the data cannot be written as JSON: {0}")]
    Json(String),
    /// The body is longer than the limit.
    #[error(
        "the body has {len} bytes, more than the limit of {limit}; send a link instead, or raise the limit"
    )]
    TooLarge {
        /// Bytes in the body.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsed_values_make_the_same_event_as_their_text() {
        let event = |new: NewEvent| {
            new.into_event(|| EventId::from_uuid(uuid::Uuid::nil()), Timestamp::default())
        };
        let text = NewEvent::new("invoice.paid", "<a/>").unwrap();
        let text = text.content_type("text/xml").unwrap().key("k").unwrap();
        let text = text.ordering_key("o").unwrap();
        let parsed = NewEvent::from_type("invoice.paid".parse().unwrap(), "<a/>")
            .with_content_type("text/xml".parse().unwrap())
            .with_key("k".parse().unwrap())
            .with_ordering_key("o".parse().unwrap());
        assert_eq!(event(text), event(parsed));
    }
}
