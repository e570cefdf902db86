//! The receivers of the demo: each behaves in its manner, verifies and keeps a ledger.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderName, StatusCode};
use webhook_registry::{
    Answer, Received, Receiver, Secret, Verifier, WEBHOOK_ID, X_EVENT_TYPE, verify,
};

use super::{
    cast::{Manner, Role},
    story::Story,
};

/// What a receiver got.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Arc<Mutex<Page>>);

/// By `webhook-id`, how often; and how many requests did not verify.
#[derive(Debug, Default)]
struct Page {
    seen: BTreeMap<String, u32>,
    unverified: usize,
}

impl Ledger {
    /// Writes a request down, and says the how many-th of its event it is.
    fn note(&self, id: String, verified: bool) -> u32 {
        let mut page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        page.unverified += usize::from(!verified);
        let times = page.seen.entry(id).or_default();
        *times += 1;
        *times
    }

    /// Requests by event.
    pub(super) fn seen(&self) -> BTreeMap<String, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seen.clone()
    }

    /// Requests whose signature did not verify.
    pub(super) fn unverified(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unverified
    }
}

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
