//! The subject of a case: our transport.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use webhook_core::{
    EndpointTls,
    transport::{Request, Response, Transport as _, TransportError, TransportErrorKind},
};
use webhook_http::HttpTransport;

use crate::attempt_report::error_text;

use super::{
    HERE,
    authority::{Authority, Shown},
    receiver::{Heard, Receiver, Speech},
};

/// Body that only the receiver may read.
const BODY: &str = "for the receiver alone";

/// How long an exchange may take, and how much longer the transport is given to say so.
const DEADLINE: Duration = Duration::from_secs(15);
const GRACE: Duration = Duration::from_millis(250);

/// Result of our transport with the receiver.
pub(crate) async fn guarded(ours: &Authority, speech: Speech, theirs: Option<&Shown>) -> String {
    let receiver = Receiver::new(speech).await;
    let begun = Instant::now();
    let sent = send(&ours.trusted_by(), receiver.port, "/", None).await;
    let late = if begun.elapsed() > DEADLINE + GRACE { ", too late" } else { "" };
    match (outcome_text(&receiver.heard()), sent) {
        (Some(outcome_text), _) => outcome_text.to_owned(),
        (None, Ok(answer)) => format!("status {}{late}", answer.status),
        (None, Err(error)) => format!("{}{late}{}", kind(&error), shows_a_key(&error, theirs)),
    }
}

/// One exchange with the receiver at `port`.
pub(crate) async fn send(
    transport: &HttpTransport,
    port: u16,
    path: &str,
    tls: Option<EndpointTls>,
) -> Result<Response, TransportError> {
    let url = format!("https://{HERE}:{port}{path}").parse().unwrap();
    let request = Request::new(url, HeaderMap::new(), BODY.into()).with_timeout(DEADLINE);
    transport.send(request.with_tls(tls.map(Into::into))).await
}

/// How the receiver came to read the body, if it did.
fn outcome_text(heard: &[Heard]) -> Option<&'static str> {
    let read = |heard: &&Heard| heard.requests.iter().any(|request| request.ends_with(BODY));
    let heard = heard.iter().find(read)?;
    Some(if heard.greeting.is_empty() { "sends it in the clear" } else { "speaks to a stranger" })
}

fn kind(error: &TransportError) -> String {
    match error.kind() {
        TransportErrorKind::Tls(failure) => format!("tls: {failure}"),
        kind => kind.to_string(),
    }
}

/// A text that names a key would be in every log.
fn shows_a_key(error: &TransportError, theirs: Option<&Shown>) -> &'static str {
    let text = error_text(error);
    let shows = text.contains("-----BEGIN") || theirs.is_some_and(|shown| shown.is_told_in(&text));
    if shows { ", and shows a key" } else { "" }
}
