//! The request of one attempt: the event's bytes, the endpoint's headers, fresh signatures.

use crate::{
    model::{
        endpoint::Endpoint, event::Event, exchange::SignerError, hops::WEBHOOK_HOPS,
        time::Timestamp,
    },
    port::{Request, Signer},
    wire::signature::{Message, WEBHOOK_ID, WEBHOOK_TIMESTAMP},
};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_TYPE, USER_AGENT},
};

/// `x-event-type`: the event's type.
pub const X_EVENT_TYPE: HeaderName = HeaderName::from_static("x-event-type");
/// `x-timestamp`: Unix seconds of the attempt.
pub const X_TIMESTAMP: HeaderName = HeaderName::from_static("x-timestamp");

/// Value of `user-agent`, unless the endpoint's headers set another.
const DEFAULT_USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("webhook-rs/", env!("CARGO_PKG_VERSION")));

/// Ten headers of this crate, two of the transport, and one more: looking up a header as hyper does
/// reserves space for another one.
const HEADER_CAPACITY: usize = 13;

/// Builds and signs the request of an attempt made at `now`.
///
/// Custom headers replace `content-type`, `user-agent` and `x-event-type`; they cannot name the
/// rest ([`CustomHeaders`](crate::CustomHeaders) refuses those names).
///
/// # Errors
///
/// [`SignerError`] when it cannot be signed. It is never sent unsigned instead.
pub fn compose(
    event: &Event,
    endpoint: &Endpoint,
    signer: &dyn Signer,
    now: Timestamp,
) -> Result<Request, SignerError> {
    let mut room = [0; 32];
    let id: &str = event.id.encode(&mut room);
    let seconds = HeaderValue::from(now.as_unix_secs());
    let mut headers = HeaderMap::with_capacity(HEADER_CAPACITY + endpoint.headers.as_map().len());
    headers.insert(CONTENT_TYPE, text(event.content_type.as_str())?);
    headers.insert(USER_AGENT, DEFAULT_USER_AGENT);
    headers.insert(X_EVENT_TYPE, text(event.event_type.as_str())?);
    for (name, value) in endpoint.headers.as_map() {
        headers.insert(name.clone(), value.clone());
    }
    headers.insert(X_TIMESTAMP, seconds.clone());
    headers.insert(WEBHOOK_ID, text(id)?);
    headers.insert(WEBHOOK_TIMESTAMP, seconds);
    headers.insert(WEBHOOK_HOPS, event.hops.next().into());
    endpoint.signing.sign(signer, &Message::new(id, now, &event.body), &mut headers)?;
    let request = Request::new(endpoint.url.clone(), headers, event.body.clone());
    Ok(request.with_timeout(endpoint.timeout.as_duration()).with_tls(endpoint.tls.clone()))
}

fn text(value: &str) -> Result<HeaderValue, SignerError> {
    HeaderValue::from_str(value).map_err(SignerError::new)
}
