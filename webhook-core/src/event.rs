//! Events: one thing that happened, and the bytes that tell about it.

use std::{fmt, str::FromStr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde::Serialize;

use crate::{
    hops::Hops,
    id::{EventId, TenantId},
    order::{InvalidOrderingKey, OrderingKey},
    text::{is_segment, serde_as_text},
    time::Timestamp,
};

/// A dotted event name such as `invoice.paid`.
///
/// Always valid: 1 to [`MAX_LEN`](Self::MAX_LEN) bytes, segments of `A-Z`, `a-z`, `0-9`, `_` and `-`
/// joined by `.`, none empty.
///
/// ```
/// use webhook_core::EventType;
///
/// let paid: EventType = "invoice.paid".parse()?;
/// assert_eq!(paid.as_str(), "invoice.paid");
/// assert!("invoice..paid".parse::<EventType>().is_err());
/// # Ok::<(), webhook_core::InvalidEventType>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventType(Arc<str>);

impl EventType {
    /// The longest name, in bytes; every store has room for it.
    pub const MAX_LEN: usize = 128;

    /// The name as it stands in headers and filters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventType {
    type Err = InvalidEventType;

    fn from_str(name: &str) -> Result<Self, InvalidEventType> {
        let valid = name.len() <= Self::MAX_LEN && name.split('.').all(is_segment);
        if valid { Ok(Self(name.into())) } else { Err(InvalidEventType) }
    }
}

serde_as_text!(EventType);

/// The text is no event type.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid event type; expected segments of A-Z a-z 0-9 _ - joined by dots, such as invoice.paid, at most 128 bytes"
)]
pub struct InvalidEventType;

/// A publisher's own key for an event: a second event of the tenant under it is the first one again.
///
/// 1 to [`MAX_LEN`](Self::MAX_LEN) bytes of visible ASCII.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventKey(Arc<str>);

impl EventKey {
    /// The longest key, in bytes; every store has room for it.
    pub const MAX_LEN: usize = 200;

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventKey {
    type Err = InvalidEventKey;

    fn from_str(key: &str) -> Result<Self, InvalidEventKey> {
        let valid = (1..=Self::MAX_LEN).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic());
        if valid { Ok(Self(key.into())) } else { Err(InvalidEventKey) }
    }
}

serde_as_text!(EventKey);

/// The text is no event key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid event key; expected 1 to 200 visible ASCII characters")]
pub struct InvalidEventKey;

/// The `Content-Type` of a body; `application/json` unless said otherwise.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ContentType(Arc<str>);

impl ContentType {
    /// The longest content type, in bytes; every store has room for it.
    pub const MAX_LEN: usize = 128;

    /// The content type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ContentType {
    fn default() -> Self {
        Self("application/json".into())
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ContentType {
    type Err = InvalidContentType;

    fn from_str(text: &str) -> Result<Self, InvalidContentType> {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let fits = (1..=Self::MAX_LEN).contains(&text.len()) && text.trim() == text;
        let valid = fits && printable && text.contains('/') && HeaderValue::from_str(text).is_ok();
        if valid { Ok(Self(text.into())) } else { Err(InvalidContentType) }
    }
}

serde_as_text!(ContentType);

/// The text is no content type.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid content type; expected text such as application/json, at most 128 bytes")]
pub struct InvalidContentType;

/// One thing that happened, as it is stored and sent.
///
/// The body is bytes, and stored = signed = sent: nothing between the publisher and the receiver
/// reorders a key or normalises a character.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// The receiver's idempotency key, equal on every attempt.
    pub id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// Whose event it is.
    pub tenant: TenantId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What kind of bytes the body is.
    pub content_type: ContentType,
    /// The body, byte for byte.
    pub body: Bytes,
    /// The publisher's own key, unique within the tenant where present.
    pub key: Option<EventKey>,
    /// What it belongs together with, for endpoints that want such events in order.
    pub ordering_key: Option<OrderingKey>,
    /// How many webhooks led to it.
    pub hops: Hops,
}

impl Event {
    /// An event of the default tenant with a JSON body and no key.
    pub fn new(
        id: EventId,
        event_type: EventType,
        occurred_at: Timestamp,
        body: impl Into<Bytes>,
    ) -> Self {
        Self {
            id,
            event_type,
            tenant: TenantId::default(),
            occurred_at,
            content_type: ContentType::default(),
            body: body.into(),
            key: None,
            ordering_key: None,
            hops: Hops::default(),
        }
    }

    /// Sets whose event it is.
    #[must_use]
    pub fn with_tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = tenant;
        self
    }

    /// Sets the content type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: ContentType) -> Self {
        self.content_type = content_type;
        self
    }

    /// Sets the publisher's own key.
    #[must_use]
    pub fn with_key(mut self, key: Option<EventKey>) -> Self {
        self.key = key;
        self
    }

    /// Sets what it belongs together with, for endpoints that want such events in order.
    #[must_use]
    pub fn with_ordering_key(mut self, key: Option<OrderingKey>) -> Self {
        self.ordering_key = key;
        self
    }

    /// Sets how many webhooks led to it.
    #[must_use]
    pub const fn with_hops(mut self, hops: Hops) -> Self {
        self.hops = hops;
        self
    }
}

impl fmt::Debug for Event {
    /// Not the body: it is the customer's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id)
            .field("event_type", &self.event_type)
            .field("tenant", &self.tenant)
            .field("occurred_at", &self.occurred_at)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body.len())
            .field("key", &self.key)
            .field("ordering_key", &self.ordering_key)
            .field("hops", &self.hops)
            .finish()
    }
}

/// An event before it has an identifier: what a publisher hands over.
///
/// ```
/// use webhook_core::NewEvent;
///
/// let event = NewEvent::json("invoice.paid", &serde_json::json!({ "invoice": 42 }))?.key("invoice-42")?;
/// assert_eq!(event.body(), br#"{"invoice":42}"#);
/// # Ok::<(), webhook_core::InvalidEvent>(())
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
        Ok(Self {
            id: None,
            event_type: event_type.parse()?,
            tenant: TenantId::default(),
            occurred_at: None,
            content_type: ContentType::default(),
            body: body.into(),
            key: None,
            ordering_key: None,
            hops: Hops::default(),
        })
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

    /// Sets the publisher's own key: a second event of the tenant under it is the first one again.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent::Key`] when the text is none.
    pub fn key(mut self, key: &str) -> Result<Self, InvalidEvent> {
        self.key = Some(key.parse()?);
        Ok(self)
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

    /// Says that it is published because of a webhook that was received, by the headers of that one: so
    /// ends a circle of webhooks that lead to each other.
    ///
    /// ```
    /// use webhook_core::{InvalidEvent, NewEvent, WEBHOOK_HOPS};
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
    use proptest::prelude::*;

    #[test]
    fn event_types_are_dotted_segments() {
        for good in ["a", "invoice.paid", "a-b_C.9", &"x".repeat(128)] {
            assert!(good.parse::<EventType>().is_ok(), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a*", "ä", "a\r\nb: c", &"x".repeat(129)] {
            assert!(bad.parse::<EventType>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn content_types_cannot_break_out_of_their_header() {
        for good in ["application/json", "text/plain; charset=utf-8"] {
            assert!(good.parse::<ContentType>().is_ok(), "{good}");
        }
        for bad in ["", "json", "a/b\nX: y", " a/b", "ä/b", &format!("a/{}", "b".repeat(127))] {
            assert!(bad.parse::<ContentType>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_are_visible_ascii() {
        assert!("invoice-42".parse::<EventKey>().is_ok());
        for bad in ["", "a b", "ä", "a\n", &"x".repeat(201)] {
            assert!(bad.parse::<EventKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_body_is_kept_byte_for_byte() {
        let body = Bytes::from_static(b"{\"b\":1, \"a\":\"\xc3\xa9\"}\xff");
        let event = NewEvent::new("a", body.clone())
            .unwrap()
            .into_event(|| EventId::from_uuid(uuid::Uuid::nil()), Timestamp::default());
        assert_eq!(event.body, body);
    }

    fn id(number: u128) -> EventId {
        EventId::from_uuid(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn what_the_publisher_says_is_kept_and_the_rest_is_filled_in() {
        let (then, now) = (Timestamp::from_unix_secs(1), Timestamp::from_unix_secs(2));
        let plain = NewEvent::json("a.b", &[1]).unwrap().into_event(|| id(1), now);
        assert_eq!(plain, Event::new(id(1), "a.b".parse().unwrap(), now, "[1]"));

        let (tenant, key): (TenantId, _) = ("acme".parse().unwrap(), "order-17");
        let told = NewEvent::json("a.b", &[1]).unwrap().id(id(7)).occurred_at(then);
        let told = told.tenant(tenant.clone()).content_type("text/plain").unwrap();
        let told = told.key("invoice-42").unwrap().ordering_key(key).unwrap();
        let expected = Event::new(id(7), "a.b".parse().unwrap(), then, "[1]")
            .with_tenant(tenant)
            .with_content_type("text/plain".parse().unwrap())
            .with_key("invoice-42".parse().ok())
            .with_ordering_key(key.parse().ok());
        assert_eq!(told.into_event(|| panic!("it has an id"), now), expected);
        assert_eq!(expected.key.as_ref().map(EventKey::as_str), Some("invoice-42"));
        assert_eq!(expected.key.unwrap().to_string(), "invoice-42");
    }

    #[test]
    fn what_is_no_event_is_refused_with_its_reason() {
        let event = || NewEvent::new("a", "").unwrap();
        let odd = std::collections::BTreeMap::from([(vec![1], 1)]);
        let table = [
            (NewEvent::new("a..b", "").map(drop), "not a valid event type"),
            (event().content_type("json").map(drop), "not a valid content type"),
            (event().key("").map(drop), "not a valid event key"),
            (event().ordering_key("a b").map(drop), "not a valid ordering key"),
            (NewEvent::json("a", &odd).map(drop), "the data cannot be written as JSON: key must"),
        ];
        for (result, text) in table {
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with(text), "{error}");
        }
    }

    #[test]
    fn a_body_may_be_as_long_as_the_limit() {
        let event = NewEvent::new("a", "12345").unwrap();
        assert_eq!(event.body(), b"12345");
        assert_eq!(event.check_size(5), Ok(()));
        assert_eq!(event.check_size(4), Err(InvalidEvent::TooLarge { len: 5, limit: 4 }));
    }

    #[test]
    fn no_body_shows_in_debug() {
        let event = NewEvent::new("a", "c4nary").unwrap();
        let shown =
            format!("{event:?} {:?}", event.clone().into_event(|| id(1), Timestamp::default()));
        assert_eq!(shown.matches("body_bytes: 6").count(), 2, "{shown}");
        assert!(!shown.contains("c4nary"), "{shown}");
    }

    proptest! {
        /// A name, a key or a content type goes into headers, log lines and queries as it is.
        #[test]
        fn any_text_is_safe_in_a_header_or_refused(
            text in prop_oneof![
                ".*",
                "[a-z._/-]{1,12}",
                "[a-z/;= ]{1,200}",
                "[a-z./]{1,10}[\t\r\n\u{0}\u{e9} ][a-z]{1,10}",
            ],
        ) {
            let typed = text.parse::<EventType>().map(|it| it.to_string());
            let keyed = text.parse::<EventKey>().map(|it| it.to_string());
            let content = text.parse::<ContentType>().map(|it| it.to_string());
            let safe = |byte: u8| matches!(byte, b' '..=b'~');
            for told in [typed.clone().ok(), keyed.ok(), content.ok()].into_iter().flatten() {
                prop_assert_eq!(&told, &text);
                prop_assert!(HeaderValue::from_str(&told).is_ok() && told.bytes().all(safe));
                prop_assert!(told.len() <= 200);
            }
            if let Ok(told) = typed {
                let token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
                prop_assert!(told.len() <= EventType::MAX_LEN && told.bytes().all(token));
            }
        }

        #[test]
        fn no_refusal_repeats_what_it_refuses(text in "[A-Z]{8,16}[\r\n\u{1b}]") {
            let errors = [
                text.parse::<EventType>().unwrap_err().to_string(),
                text.parse::<EventKey>().unwrap_err().to_string(),
                text.parse::<ContentType>().unwrap_err().to_string(),
                NewEvent::new(&text, "{}").unwrap_err().to_string(),
            ];
            prop_assert!(errors.iter().all(|error| !error.contains(text.trim_end())), "{errors:?}");
        }
    }
}
