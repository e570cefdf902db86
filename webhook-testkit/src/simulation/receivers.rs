//! The receivers, and the transport that reaches them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::pending;
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use webhook_core::{
    Clock, DeliveryId, EndpointId, EventId, Phase, Request, Response, Timestamp, Transport,
    TransportError, TransportErrorKind, WEBHOOK_ID,
};

use super::{
    environment::Scene,
    fault::FaultKind,
    rng::Stream,
    skewed_clock::SkewedClock,
    trace::{Actor, Came, Pid, SendId, SendStart, What},
};

/// The transport of one worker process.
#[derive(Debug)]
pub(super) struct SimulatedTransport {
    scene: Scene,
    pid: Pid,
    clock: SkewedClock,
}

/// What comes back, and when.
struct Reaction {
    after: Duration,
    answer: Answer,
}

enum Answer {
    Status(StatusCode, Option<HeaderValue>),
    Fault(TransportErrorKind),
    /// Nothing, not even a time-out.
    Nothing,
    Panic,
    /// The process dies.
    Death,
}

/// What an event that kills its worker has in its body.
pub(super) const POISON: &str = "poison";

impl SimulatedTransport {
    pub(super) fn new(scene: Scene, pid: Pid, clock: SkewedClock) -> Self {
        Self { scene, pid, clock }
    }

    /// How the receiver, or the way to it, behaves this time.
    fn react(&self, request: &Request, receiver: u64) -> Reaction {
        let mut chance = self.scene.stream("answer", receiver);
        let quick = chance.wait(Duration::from_millis(1), Duration::from_millis(500));
        let poison = String::from_utf8_lossy(&request.body).contains(POISON);
        let (after, answer) = if poison {
            (quick, Answer::Death)
        } else if self.scene.is_down(receiver) {
            down(request, receiver, quick)
        } else {
            let strikes =
                |(kind, odds): &&(FaultKind, u64)| self.scene.strikes(*kind, receiver, *odds);
            match ODDS.iter().find(strikes) {
                Some((FaultKind::BusyFor, _)) => (quick, self.busy_for(&mut chance)),
                Some((kind, _)) => misbehave(*kind, request, quick, &mut chance),
                None if chance.once_in(5) => (quick, status(StatusCode::NO_CONTENT)),
                None => (quick, status(StatusCode::OK)),
            }
        };
        Reaction { after: after.min(request.timeout), answer }
    }

    /// 429 or 503, with `Retry-After` in one of its forms, or in none.
    fn busy_for(&self, chance: &mut Stream) -> Answer {
        let secs = chance.wait(Duration::from_secs(1), Duration::from_secs(20_000)).as_secs();
        let (code, form) = (chance.once_in(2), chance.below(8));
        let text = match form {
            0 => "99999999999999999999".to_owned(),
            1 => "soon".to_owned(),
            2 => "-5".to_owned(),
            3 => http_date(self.clock.now().after(Duration::from_secs(secs))),
            _ => secs.to_string(),
        };
        let code =
            if code { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
        Answer::Status(code, HeaderValue::from_str(&text).ok())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// What receivers do instead of answering well, each once in so many times in the worst of runs.
const ODDS: [(FaultKind, u64); 14] = [
    (FaultKind::ErrorStatus, 12),
    (FaultKind::Redirect, 40),
    (FaultKind::Gone, 120),
    (FaultKind::Busy, 25),
    (FaultKind::BusyFor, 25),
    (FaultKind::Reset, 25),
    (FaultKind::LostAnswer, 25),
    (FaultKind::Stale, 40),
    (FaultKind::Silence, 25),
    (FaultKind::DeafTransport, 50),
    (FaultKind::OwnFault, 40),
    (FaultKind::Refused, 200),
    (FaultKind::Panic, 60),
    (FaultKind::SlowAnswer, 10),
];

/// What comes of a fault of this kind, and when.
fn misbehave(
    kind: FaultKind,
    request: &Request,
    quick: Duration,
    chance: &mut Stream,
) -> (Duration, Answer) {
    let answer = match kind {
        FaultKind::ErrorStatus => {
            let codes =
                [StatusCode::BAD_REQUEST, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::NOT_FOUND];
            status(chance.one_of(&codes).unwrap_or(StatusCode::BAD_REQUEST))
        }
        FaultKind::Redirect => status(StatusCode::FOUND),
        FaultKind::Gone => status(StatusCode::GONE),
        FaultKind::Busy => status(StatusCode::TOO_MANY_REQUESTS),
        FaultKind::Reset => Answer::Fault(TransportErrorKind::Interrupted(Phase::Head)),
        // It has accepted the event, and nobody gets to know.
        FaultKind::LostAnswer => Answer::Fault(TransportErrorKind::Interrupted(Phase::Exchange)),
        FaultKind::Stale => Answer::Fault(TransportErrorKind::StaleConnection),
        FaultKind::Silence => {
            return (request.timeout, Answer::Fault(TransportErrorKind::Timeout(Phase::Head)));
        }
        FaultKind::DeafTransport => Answer::Nothing,
        FaultKind::OwnFault => Answer::Fault(TransportErrorKind::Local),
        FaultKind::Refused => Answer::Fault(TransportErrorKind::BlockedLiteral),
        FaultKind::Panic => Answer::Panic,
        FaultKind::SlowAnswer => {
            let longest = request.timeout.saturating_sub(Duration::from_millis(1));
            return (chance.wait(quick.min(longest), longest), status(StatusCode::OK));
        }
        _ => Answer::Fault(TransportErrorKind::Other),
    };
    (quick, answer)
}

/// A receiver that fails for a long time does so in its own way.
fn down(request: &Request, receiver: u64, quick: Duration) -> (Duration, Answer) {
    match receiver % 3 {
        0 => (quick, status(StatusCode::INTERNAL_SERVER_ERROR)),
        1 => (request.timeout, Answer::Fault(TransportErrorKind::Timeout(Phase::Head))),
        _ => (quick, Answer::Fault(TransportErrorKind::Connect)),
    }
}

const fn status(code: StatusCode) -> Answer {
    Answer::Status(code, None)
}

/// An HTTP date (RFC 9110, section 5.6.7).
fn http_date(at: Timestamp) -> String {
    let secs = u64::try_from(at.as_unix_secs()).unwrap_or_default();
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(secs))
}

/// The number of a receiver, from its endpoint's id.
pub(super) fn receiver_of(endpoint: EndpointId) -> u64 {
    let (_, low) = endpoint.as_uuid().as_u64_pair();
    low & 0xffff_ffff
}

#[async_trait]
impl Transport for SimulatedTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let Some(delivery) = delivery_of(&request, &self.scene) else {
            return Err(TransportError::because(TransportErrorKind::Other, "no such receiver"));
        };
        let flight = Flight::begin(self, delivery, &request);
        let Reaction { after, answer } = self.react(&request, receiver_of(delivery.endpoint));
        self.scene.yard.sleep(after).await;
        match answer {
            Answer::Status(code, retry_after) => {
                let mut response = Response::new(code);
                let text = retry_after.as_ref().and_then(|it| it.to_str().ok()).map(str::to_owned);
                response.headers.extend(retry_after.map(|it| (RETRY_AFTER, it)));
                flight.end(Came::Status { status: code.as_u16(), retry_after: text });
                Ok(response)
            }
            Answer::Fault(kind) => {
                flight.end(Came::Fault(kind));
                Err(TransportError::new(kind))
            }
            Answer::Nothing => pending().await,
            Answer::Panic => {
                flight.end(Came::Panicked);
                // Like a panic, but without a word on the terminal.
                std::panic::resume_unwind(Box::new("a transport by script"))
            }
            Answer::Death => {
                self.scene.recorder.count(FaultKind::Poison);
                self.scene.kill(self.pid);
                pending().await
            }
        }
    }
}

/// The delivery that a request belongs to.
fn delivery_of(request: &Request, scene: &Scene) -> Option<DeliveryId> {
    let event: EventId = request.headers.get(WEBHOOK_ID)?.to_str().ok()?.parse().ok()?;
    scene.endpoint_at(request.url.as_str()).map(|endpoint| DeliveryId::new(event, endpoint))
}

/// A send under way; dropped, it was given up.
struct Flight<'a> {
    transport: &'a SimulatedTransport,
    send: SendId,
    ended: AtomicBool,
}

impl<'a> Flight<'a> {
    fn begin(transport: &'a SimulatedTransport, delivery: DeliveryId, request: &Request) -> Self {
        let send = transport.scene.recorder.new_send();
        let (request, clock) = (request.clone(), transport.now());
        let start = SendStart { send, delivery, request, clock };
        transport.scene.tell(Actor::Worker(transport.pid), What::SendStarted(Box::new(start)));
        Self { transport, send, ended: AtomicBool::new(false) }
    }

    fn end(&self, came: Came) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            let by = Actor::Worker(self.transport.pid);
            self.transport.scene.tell(by, What::SendEnded { send: self.send, came });
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.end(Came::Dropped);
    }
}

impl SimulatedTransport {
    pub(super) fn shared(self) -> Arc<dyn Transport> {
        Arc::new(self)
    }
}
