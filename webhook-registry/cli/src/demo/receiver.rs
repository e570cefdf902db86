//! Receivers of the demo: each follows its script, verifies requests and counts them.

use std::time::Duration;

use http::{HeaderName, StatusCode};
use webhook_registry::{
    Secret,
    signing::{Verifier, WEBHOOK_ID, verify},
    transport::{ReceivedRequest, Receiver, ReceiverResponse, X_EVENT_TYPE},
};

use super::{
    report::DemoReport,
    request_log::RequestLog,
    script::{Behaviour, ScriptedReceiver},
};

/// Serves in the background until `end` completes.
pub(super) fn serve(
    receiver: Receiver,
    script: &'static ScriptedReceiver,
    report: DemoReport,
    secret: Option<Secret>,
    end: impl Future<Output = ()> + Send + 'static,
) -> RequestLog {
    let requests = RequestLog::default();
    let (log, verifier) = (requests.clone(), secret.map(Verifier::new));
    let handler = move |request: ReceivedRequest| {
        let checked = verifier.as_ref().map(|one| verify(one, &request.headers, &request.body));
        let verified = matches!(checked, Some(Ok(())));
        let time = log.record(header(&request, &WEBHOOK_ID), verified);
        let status = reply(script.behaviour, time);
        report.received(script, &header(&request, &X_EVENT_TYPE), time, status, verified);
        answer(status)
    };
    tokio::spawn(receiver.serve(handler, end));
    requests
}

fn header(request: &ReceivedRequest, name: &HeaderName) -> String {
    let value = request.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.unwrap_or_default().into_owned()
}

/// Status for the `time`-th attempt of an event; None if the receiver never answers.
fn reply(behaviour: Behaviour, time: u32) -> Option<StatusCode> {
    match behaviour {
        Behaviour::Healthy => Some(StatusCode::OK),
        Behaviour::Shaky if time <= 2 => Some(StatusCode::SERVICE_UNAVAILABLE),
        Behaviour::Shaky => Some(StatusCode::OK),
        Behaviour::Gone => Some(StatusCode::GONE),
        Behaviour::Silent => None,
    }
}

fn answer(status: Option<StatusCode>) -> ReceiverResponse {
    let Some(status) = status else { return ReceiverResponse::never() };
    let body = match status {
        StatusCode::OK => "thank you",
        StatusCode::GONE => "this address is closed for good",
        _ => "down for maintenance",
    };
    // A real receiver takes some time as well.
    ReceiverResponse::status(status).with_body(body).with_delay(Duration::from_millis(20))
}
