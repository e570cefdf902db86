//! Events: one thing that happened, and the bytes that tell about it.

mod new;

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use http::HeaderValue;

use crate::model::{
    hops::Hops,
    id::{EventId, TenantId},
    ordering_key::OrderingKey,
    text::{is_segment, serde_as_text},
    time::Timestamp,
};

pub use new::{InvalidEvent, NewEvent};

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
/// # Ok::<(), webhook_core::error::InvalidEventType>(())
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
        static JSON: LazyLock<Arc<str>> = LazyLock::new(|| "application/json".into());
        Self(Arc::clone(&JSON))
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
        let built = NewEvent::json("a.b", &[1]).unwrap().id(id(7)).occurred_at(then);
        let built = built.tenant(tenant.clone()).content_type("text/plain").unwrap();
        let built = built.key("invoice-42").unwrap().ordering_key(key).unwrap();
        let expected = Event::new(id(7), "a.b".parse().unwrap(), then, "[1]")
            .with_tenant(tenant)
            .with_content_type("text/plain".parse().unwrap())
            .with_key("invoice-42".parse().ok())
            .with_ordering_key(key.parse().ok());
        assert_eq!(built.into_event(|| panic!("it has an id"), now), expected);
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
            for built in [typed.clone().ok(), keyed.ok(), content.ok()].into_iter().flatten() {
                prop_assert_eq!(&built, &text);
                prop_assert!(HeaderValue::from_str(&built).is_ok() && built.bytes().all(safe));
                prop_assert!(built.len() <= 200);
            }
            if let Ok(built) = typed {
                let token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
                prop_assert!(built.len() <= EventType::MAX_LEN && built.bytes().all(token));
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
