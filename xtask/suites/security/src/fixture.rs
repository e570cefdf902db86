//! Fixture of a case: a receiver that follows a script, and our transport as its client.

use std::sync::atomic::Ordering::Relaxed;

use http::HeaderMap;
use tokio::time::{Duration, sleep, timeout};
use webhook_core::{
    EndpointUrl, Failure, Outcome,
    transport::{Request, Response, Transport, TransportError, TransportErrorKind},
};
use webhook_http::HttpTransport;
use webhook_testkit::{Reply, TestReceiver, relay::Relay};

use crate::{
    bounds::{DEADLINE, Meter},
    run::{BOUNDED, RECEIVERS},
    script::Script,
};

/// What the receiver answers once it behaves.
pub(crate) const OWN: &str = "its own answer";

/// Time within which a receiver has sent its late bytes.
pub(crate) const LATE_BYTES_WAIT: Duration = Duration::from_millis(60);

/// An exchange that is not over by then never is.
const NEVER: Duration = Duration::from_secs(5);

/// A receiver behind a relay, with its script.
pub(crate) struct Fixture {
    pub(crate) receiver: TestReceiver,
    pub(crate) relay: Relay,
    pub(crate) script: Script,
}

/// One exchange of our transport, and the bounds that it has broken.
pub(crate) struct Held {
    pub(crate) result: Result<Response, TransportError>,
    broken: Vec<String>,
}

impl Fixture {
    pub(crate) async fn set(script: Script) -> Self {
        RECEIVERS.fetch_add(1, Relaxed);
        let receiver = if script.is_unreachable {
            TestReceiver::unreachable().await
        } else {
            TestReceiver::answering([script.reply.clone()]).await
        };
        let relay = Relay::to(receiver.addr()).await.expect("a free port");
        Self { receiver, relay, script }
    }

    /// A URL of the receiver, through the relay where there is somebody to relay to.
    pub(crate) fn url(&self, path: &str) -> String {
        let addr =
            if self.script.is_unreachable { self.receiver.addr() } else { self.relay.addr() };
        let scheme = if self.script.is_https { "https" } else { "http" };
        format!("{scheme}://{addr}{path}")
    }

    /// What is sent first.
    pub(crate) fn request(&self, headers: HeaderMap) -> Request {
        let url: EndpointUrl = self.url("/first").parse().expect("it is a URL");
        Request::new(url, headers, self.script.body.clone()).with_timeout(DEADLINE)
    }

    /// The first exchange, held against its bounds.
    pub(crate) async fn exchange(&self, transport: &HttpTransport) -> Held {
        BOUNDED.fetch_add(1, Relaxed);
        let request = self.request(HeaderMap::new());
        let before = self.relay.carried();
        let meter = Meter::begin();
        let result = timeout(NEVER, transport.send(request)).await;
        let result = result.unwrap_or_else(|_| Err(never()));
        let kept = result.as_ref().map_or(0, |response| response.body.len());
        let broken = meter.broken(self.relay.carried() - before, kept);
        Held { result, broken }
    }

    /// What the next request comes to, another delivery's, now that the receiver behaves.
    pub(crate) async fn next(&self, transport: &HttpTransport, held: &Held) -> String {
        sleep(LATE_BYTES_WAIT).await;
        self.receiver.answers([Reply::status(200).body(OWN)]);
        let before = self.receiver.connections();
        let mut outcome_text = String::new();
        // A kept connection may turn out to be useless, but only once.
        for which in ["the next", "the one after"] {
            let mut request = self.request(HeaderMap::new());
            request.url = self.url("/next").parse().expect("it is a URL");
            request.body = "{}".into();
            match transport.send(request).await {
                Ok(response) if response.body != OWN => {
                    return format!(
                        "{outcome_text}; {which} gets \"{}\"",
                        response.body.escape_ascii()
                    );
                }
                Ok(_) if !outcome_text.is_empty() => {
                    return format!("{outcome_text}; {which} is answered");
                }
                Ok(_) if self.receiver.connections() == before => {
                    return "; the connection is used again".to_owned();
                }
                Ok(_) if held.result.is_ok() => return "; the connection is closed".to_owned(),
                // Nobody expects to use one again that has failed.
                Ok(_) => return String::new(),
                Err(error) => outcome_text.push_str(&format!("; {which} {}", error.kind())),
            }
        }
        outcome_text
    }
}

/// A transport that may go to loopback, and has the defaults else.
pub(crate) fn transport() -> HttpTransport {
    let builder = HttpTransport::builder().dangerous_allow_private_addresses();
    builder.build().expect("it needs nothing that could be missing")
}

/// The whole of it with our transport: the exchange of `spelled`, and the one after it.
pub(crate) async fn guarded(spelled: &str) -> String {
    let fixture = Fixture::set(Script::read(spelled)).await;
    let transport = transport();
    let held = fixture.exchange(&transport).await;
    if fixture.script.is_unreachable || fixture.script.is_https {
        return held.outcome_text();
    }
    held.outcome_text() + &fixture.next(&transport, &held).await
}

impl Held {
    /// What it came to, and which bounds it has broken.
    pub(crate) fn outcome_text(&self) -> String {
        let outcome_text = match &self.result {
            Err(error) => format!("failed: {}", error.kind()),
            Ok(response) => answered(response),
        };
        outcome_text + &self.broken()
    }

    /// The bounds that it has broken.
    pub(crate) fn broken(&self) -> String {
        self.broken.iter().map(|broken| format!("; {broken}")).collect()
    }
}

/// As it is written down.
pub(crate) fn answered(response: &Response) -> String {
    match Failure::of(&Outcome::Answered(response.clone())) {
        Some(failure) => format!("failed: {failure}"),
        None if response.body.len() == Request::MAX_RESPONSE_BODY => {
            "delivered, 16 KiB of the body are kept".to_owned()
        }
        None => "delivered".to_owned(),
    }
}

fn never() -> TransportError {
    TransportError::because(TransportErrorKind::Other, "it never ended")
}
