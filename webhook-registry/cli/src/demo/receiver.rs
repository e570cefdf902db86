//! The receivers of the demo: each behaves in its manner, verifies and keeps a ledger.

use std::time::Duration;

use http::{HeaderName, StatusCode};
use webhook_registry::{
    Answer, Received, Receiver, Secret, Verifier, WEBHOOK_ID, X_EVENT_TYPE, verify,
};

use super::{
    cast::{Manner, Role},
    ledger::Ledger,
    story::Story,
};

/// Serves in the background until `end`.
pub(super) fn play(
    receiver: Receiver,
    role: &'static Role,
    story: Story,
    secret: Option<Secret>,
    end: impl Future<Output = ()> + Send + 'static,
) -> Ledger {
    let ledger = Ledger::default();
    let (noted, verifier) = (ledger.clone(), secret.map(Verifier::new));
    let handler = move |request: Received| {
        let checked = verifier.as_ref().map(|one| verify(one, &request.headers, &request.body));
        let verified = matches!(checked, Some(Ok(())));
        let time = noted.note(header(&request, &WEBHOOK_ID), verified);
        let status = reply(role.manner, time);
        story.arrives(role, &header(&request, &X_EVENT_TYPE), time, status, verified);
        answer(status)
    };
    tokio::spawn(receiver.serve(handler, end));
    ledger
}

fn header(request: &Received, name: &HeaderName) -> String {
    let value = request.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.unwrap_or_default().into_owned()
}

/// The status for the `time`-th attempt of an event, if there is one.
fn reply(manner: Manner, time: u32) -> Option<StatusCode> {
    match manner {
        Manner::Healthy => Some(StatusCode::OK),
        Manner::Shaky if time <= 2 => Some(StatusCode::SERVICE_UNAVAILABLE),
        Manner::Shaky => Some(StatusCode::OK),
        Manner::Gone => Some(StatusCode::GONE),
        Manner::Silent => None,
    }
}

fn answer(status: Option<StatusCode>) -> Answer {
    let Some(status) = status else { return Answer::never() };
    let body = match status {
        StatusCode::OK => "thank you",
        StatusCode::GONE => "this address is closed for good",
        _ => "down for maintenance",
    };
    // A moment, as a real receiver takes.
    Answer::status(status).with_body(body).with_delay(Duration::from_millis(20))
}
