//! What may be shown of endpoints, events, deliveries and attempts to whoever they belong to.
//!
//! A view is a record less what must not leave: keys and values of headers, queries of URLs (they may
//! hold a token), texts of failures (they may name internal addresses). So it is what a customer's
//! page or an HTTP API answers with. As JSON, times are RFC 3339 in UTC and durations what
//! [`parse_duration`](crate::view::parse_duration) reads.

use serde::{Serialize, Serializer};

use crate::{
    model::{
        attempt::{Attempt, FailureKind},
        delivery::{Delivery, DeliveryStatus},
        duration::format_duration,
        endpoint::{Endpoint, Timeout},
        endpoint_state::EndpointState,
        event::{ContentType, Event, EventKey, EventType},
        filter::EventFilter,
        health::Condition,
        id::{DeliveryId, EndpointId, EventId, Revision, TenantId},
        metadata::{Description, ExternalId, Metadata},
        order::OrderPolicy,
        ordering_key::OrderingKey,
        rate::RateLimit,
        retry::RetryPolicy,
        signing::Profile,
        time::{Timestamp, whole_millis},
        trigger::Trigger,
    },
    read::explain::meaning,
};

/// An endpoint without its secrets.
///
/// ```
/// use webhook_core::{Endpoint, EndpointId, Signing, view::EndpointView};
///
/// let id = EndpointId::from_uuid(uuid::Uuid::nil());
/// let endpoint = Endpoint::new(id, "https://billing.example/hooks?token=t0ken".parse()?)
///     .with_signing(Signing::with_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?));
/// let json = serde_json::to_value(EndpointView::of(&endpoint))?;
/// assert_eq!(json["url"], "https://billing.example/hooks");
/// assert!(!json.to_string().contains("whsec_"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EndpointView {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name in its owner's own records.
    pub external_id: Option<ExternalId>,
    /// What it is for.
    pub description: Option<Description>,
    /// What else its owner has noted.
    pub metadata: Metadata,
    /// Where it listens, less the query.
    pub url: String,
    /// Which types it wants.
    pub events: Vec<EventFilter>,
    /// Whether it gets anything at present.
    pub state: EndpointState,
    /// How its requests are signed.
    pub profiles: Vec<Profile>,
    /// Until when each secret signs, the current one first; nothing stands for no end.
    #[serde(serialize_with = "all_rfc3339")]
    pub secrets_until: Vec<Option<Timestamp>>,
    /// The names of the headers that its requests carry besides.
    pub headers: Vec<String>,
    /// Whether its requests carry a client certificate.
    pub client_certificate: bool,
    /// Whether it is trusted by roots of its own.
    pub own_roots: bool,
    /// The deadline of one attempt.
    #[serde(serialize_with = "as_duration")]
    pub timeout: Timeout,
    /// When it is tried again.
    #[serde(serialize_with = "as_text")]
    pub retry: RetryPolicy,
    /// Attempts in flight at once, in each worker process.
    pub max_in_flight: u32,
    /// Attempts that may start a second, all worker processes together.
    pub rate: Option<RateLimit>,
    /// How it is, as its attempts tell.
    #[serde(serialize_with = "as_text")]
    pub health: Condition,
    /// What happens to the later events of an ordering key when one is given up; nothing, where it
    /// gets them in no particular order.
    pub order: Option<OrderPolicy>,
    /// How often it was edited; an edit names the one that it was made from.
    pub revision: Revision,
    /// When it was registered.
    #[serde(serialize_with = "as_text")]
    pub created_at: Timestamp,
}

impl EndpointView {
    /// What may be shown of `endpoint`.
    pub fn of(endpoint: &Endpoint) -> Self {
        let signing = &endpoint.signing;
        Self {
            id: endpoint.id,
            tenant: endpoint.tenant.clone(),
            external_id: endpoint.external_id.clone(),
            description: endpoint.description.clone(),
            metadata: endpoint.metadata.clone(),
            url: endpoint.url.to_string(),
            events: endpoint.filters.clone(),
            state: endpoint.state,
            profiles: signing.profiles().to_vec(),
            secrets_until: signing.keys().iter().map(|key| key.expires_at).collect(),
            headers: endpoint.headers.iter().map(|(name, _)| name.to_owned()).collect(),
            client_certificate: endpoint.tls.as_ref().is_some_and(|tls| tls.identity().is_some()),
            own_roots: endpoint.tls.as_ref().is_some_and(|tls| tls.roots_pem().is_some()),
            timeout: endpoint.timeout,
            retry: endpoint.retry.clone(),
            max_in_flight: endpoint.max_in_flight,
            rate: endpoint.rate,
            health: endpoint.health.condition(),
            order: endpoint.order,
            revision: endpoint.revision,
            created_at: endpoint.created_at,
        }
    }
}

/// An event without its body, which is handed out as it is: [`Event::body`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EventView {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The publisher's own key for it.
    pub key: Option<EventKey>,
    /// What it belongs together with.
    pub ordering_key: Option<OrderingKey>,
    /// When it happened.
    #[serde(serialize_with = "as_text")]
    pub occurred_at: Timestamp,
    /// What its body is.
    #[serde(serialize_with = "as_text")]
    pub content_type: ContentType,
    /// How long its body is.
    pub bytes: usize,
}

impl EventView {
    /// What may be shown of `event`.
    pub fn of(event: &Event) -> Self {
        Self {
            id: event.id,
            tenant: event.tenant.clone(),
            event_type: event.event_type.clone(),
            key: event.key.clone(),
            ordering_key: event.ordering_key.clone(),
            occurred_at: event.occurred_at,
            content_type: event.content_type.clone(),
            bytes: event.body.len(),
        }
    }
}

/// A delivery without the text of its last failure: its attempts tell what may be told.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DeliveryView {
    /// Its id.
    pub id: DeliveryId,
    /// The event.
    pub event: EventId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Where it goes, or went, less the query.
    pub url: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Attempts so far, one in flight included.
    pub attempts: u32,
    /// When the next attempt is due, while pending.
    #[serde(serialize_with = "rfc3339_if_any")]
    pub due_at: Option<Timestamp>,
    /// When the last attempt was claimed.
    #[serde(serialize_with = "rfc3339_if_any")]
    pub last_attempt_at: Option<Timestamp>,
    /// When it came about.
    #[serde(serialize_with = "as_text")]
    pub created_at: Timestamp,
}

impl DeliveryView {
    /// What may be shown of `delivery`.
    pub fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.id.event,
            endpoint: delivery.id.endpoint,
            tenant: delivery.tenant.clone(),
            event_type: delivery.event_type.clone(),
            url: delivery.url.to_string(),
            status: delivery.status,
            attempts: delivery.attempts,
            due_at: delivery.due_at,
            last_attempt_at: delivery.last_attempt_at,
            created_at: delivery.created_at,
        }
    }
}

/// An attempt, with what its outcome means instead of the text of its failure.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AttemptView {
    /// Its number, from 1.
    pub attempt: u32,
    /// Why it was made.
    pub trigger: Trigger,
    /// When it began.
    #[serde(serialize_with = "as_text")]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The status, when a response head arrived.
    pub status: Option<u16>,
    /// The class of what went wrong.
    pub kind: Option<FailureKind>,
    /// What that means, in words.
    pub meaning: &'static str,
    /// The beginning of the receiver's answer.
    pub response: String,
}

impl AttemptView {
    /// What may be shown of `attempt`.
    pub fn of(attempt: &Attempt) -> Self {
        Self {
            attempt: attempt.number,
            trigger: attempt.trigger,
            started_at: attempt.started_at,
            duration_ms: whole_millis(attempt.duration),
            status: attempt.status,
            kind: attempt.failure.as_ref().map(|failure| failure.kind),
            meaning: meaning(attempt),
            response: String::from_utf8_lossy(&attempt.response_body).into_owned(),
        }
    }
}

fn as_text<S: Serializer>(it: &impl std::fmt::Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(it)
}

fn as_duration<S: Serializer>(timeout: &Timeout, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_duration(timeout.as_duration()))
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn rfc3339_if_any<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(to)
}

fn all_rfc3339<S: Serializer>(all: &[Option<Timestamp>], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(all.iter().map(|at| at.map(|at| at.to_string())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::model::{attempt::Failure, header::CustomHeaders, signing::Signing};

    const CANARY: &str = "c4nary";

    fn endpoint() -> Endpoint {
        let url = format!("https://a.example/hooks?token={CANARY}").parse().unwrap();
        let secret = format!("{CANARY}-{CANARY}-{CANARY}").parse().unwrap();
        Endpoint::new(EndpointId::from_uuid(Uuid::nil()), url)
            .with_signing(Signing::with_secret(secret))
            .with_headers(CustomHeaders::new([("Authorization", CANARY)]).unwrap())
            .with_description("for the books".parse().ok())
            .with_metadata(Metadata::new([("team", "billing")]).unwrap())
    }

    fn event() -> Event {
        let id = EventId::from_uuid(Uuid::nil());
        Event::new(id, "a.b".parse().unwrap(), Timestamp::default(), CANARY)
    }

    fn delivery() -> Delivery {
        let (event, endpoint) = (event(), endpoint());
        let id = DeliveryId::new(event.id, endpoint.id);
        let at = Timestamp::default();
        let mut delivery = Delivery::new(id, event.tenant, event.event_type, endpoint.url, at);
        delivery.due_at = Some(Timestamp::from_unix_millis(1_500));
        delivery.last_error = Some(CANARY.to_owned());
        delivery
    }

    fn attempt() -> Attempt {
        let failure = Failure::new(FailureKind::Connect, format!("10.0.0.7: {CANARY}"));
        let took = Duration::from_millis(12);
        Attempt::from_parts(1, Timestamp::default(), took, None, Some(failure), Bytes::new())
    }

    #[test]
    fn no_view_shows_what_is_secret() {
        let views = [
            serde_json::to_string(&EndpointView::of(&endpoint())).unwrap(),
            serde_json::to_string(&EventView::of(&event())).unwrap(),
            serde_json::to_string(&DeliveryView::of(&delivery())).unwrap(),
            serde_json::to_string(&AttemptView::of(&attempt())).unwrap(),
            format!("{:?}", EndpointView::of(&endpoint())),
            format!("{:?}", EventView::of(&event())),
            format!("{:?}", DeliveryView::of(&delivery())),
            format!("{:?}", AttemptView::of(&attempt())),
        ];
        for view in views {
            assert!(!view.to_lowercase().contains(CANARY) && !view.contains("10.0.0.7"), "{view}");
        }
    }

    #[test]
    fn an_endpoint_is_shown_with_all_that_an_edit_needs() {
        let shown = serde_json::to_value(EndpointView::of(&endpoint())).unwrap();
        let expected = serde_json::json!({
            "id": "00000000000000000000000000000000",
            "tenant": "default",
            "external_id": null,
            "description": "for the books",
            "metadata": {"team": "billing"},
            "url": "https://a.example/hooks",
            "events": ["**"],
            "state": "active",
            "profiles": ["body-hmac"],
            "secrets_until": [null],
            "headers": ["authorization"],
            "client_certificate": false,
            "own_roots": false,
            "timeout": "30s",
            "retry": RetryPolicy::durable().to_string(),
            "max_in_flight": 16,
            "order": null, "rate": null,
            "health": "healthy",
            "revision": 0,
            "created_at": "1970-01-01T00:00:00.000Z",
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn times_are_rfc_3339_and_what_is_missing_is_null() {
        let shown = serde_json::to_value(DeliveryView::of(&delivery())).unwrap();
        assert_eq!(shown["due_at"], "1970-01-01T00:00:01.500Z");
        assert_eq!(shown["last_attempt_at"], serde_json::Value::Null);
        let shown = serde_json::to_value(AttemptView::of(&attempt())).unwrap();
        assert_eq!((&shown["kind"], &shown["duration_ms"]), (&"connect".into(), &12.into()));
        assert_eq!(shown["meaning"], "nobody answers at the receiver's address");
    }

    proptest! {
        #[test]
        fn no_view_shows_a_secret_a_header_a_query_or_an_operators_text(
            secret in "[A-Z]{12,30}", header in "[A-Z]{12,30}",
            query in "[A-Z]{12,30}", text in "[A-Z]{12,30}",
        ) {
            let url = format!("https://a.example/hooks?{query}={query}").parse().unwrap();
            let receiver = Endpoint::new(EndpointId::from_uuid(Uuid::nil()), url)
                .with_signing(Signing::with_secret(secret.parse().unwrap()))
                .with_headers(CustomHeaders::new([("x-key", &header)]).unwrap());
            let failure = Failure::new(FailureKind::Connect, text.clone());
            let took = Duration::from_millis(12);
            let (at, body) = (Timestamp::default(), Bytes::new());
            let attempt = Attempt::from_parts(1, at, took, None, Some(failure), body);
            let mut sent = delivery();
            sent.url = receiver.url.clone();
            sent.last_error = Some(text.clone());
            let (endpoint, delivery, attempt) =
                (EndpointView::of(&receiver), DeliveryView::of(&sent), AttemptView::of(&attempt));
            for shown in [
                format!("{endpoint:?} {delivery:?} {attempt:?} {receiver:?}"),
                serde_json::to_string(&(endpoint, delivery, attempt)).unwrap(),
            ] {
                for hidden in [&secret, &header, &query, &text] {
                    prop_assert!(!shown.contains(hidden), "{hidden} in {shown}");
                }
            }
        }
    }
}
