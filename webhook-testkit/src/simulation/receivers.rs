//! Simulated receivers, and the transport to them.

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
    Clock, DeliveryId, EndpointId, EventId, Timestamp,
    signing::WEBHOOK_ID,
    transport::{Phase, Request, Response, Transport, TransportError, TransportErrorKind},
};

use super::{
    environment::Environment,
    fault::FaultKind,
    rng::RngStream,
    skewed_clock::SkewedClock,
    trace::{Action, Actor, Pid, SendId, SendOutcome, SendStart},
};

/// Transport of one worker process.
#[derive(Debug)]
pub(super) struct SimulatedTransport {
    environment: Environment,
    pid: Pid,
    clock: SkewedClock,
}

/// Result of a request and its delay.
struct Reaction {
    after: Duration,
    answer: SimulatedResponse,
}

enum SimulatedResponse {
    Status(StatusCode, Option<HeaderValue>),
    Fault(TransportErrorKind),
    /// No result, not even a timeout.
    Nothing,
    Panic,
    /// The process dies.
    Death,
}

/// Text in the body of an event that kills its worker.
pub(super) const POISON_MARKER: &str = "poison";

impl SimulatedTransport {
    pub(super) fn new(environment: Environment, pid: Pid, clock: SkewedClock) -> Self {
        Self { environment, pid, clock }
    }

    /// Draws the result of this request.
    fn react(&self, request: &Request, receiver: u64) -> Reaction {
        let mut chance = self.environment.stream("answer", receiver);
        let quick = chance.wait(Duration::from_millis(1), Duration::from_millis(500));
        let poison = String::from_utf8_lossy(&request.body).contains(POISON_MARKER);
        let (after, answer) = if poison {
            (quick, SimulatedResponse::Death)
        } else if self.environment.is_down(receiver) {
            down(request, receiver, quick)
        } else {
            let occurs = |(kind, odds): &&(FaultKind, u64)| {
                self.environment.fault_occurs(*kind, receiver, *odds)
            };
            match RECEIVER_FAULT_ODDS.iter().find(occurs) {
                Some((FaultKind::BusyFor, _)) => (quick, self.busy_for(&mut chance)),
                Some((kind, _)) => misbehave(*kind, request, quick, &mut chance),
                None if chance.once_in(5) => (quick, status(StatusCode::NO_CONTENT)),
                None => (quick, status(StatusCode::OK)),
            }
        };
        Reaction { after: after.min(request.timeout), answer }
    }

    /// 429 or 503, with a valid or invalid `Retry-After`.
    fn busy_for(&self, chance: &mut RngStream) -> SimulatedResponse {
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
        SimulatedResponse::Status(code, HeaderValue::from_str(&text).ok())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Faults of receivers; in the worst runs each occurs once in this many requests.
const RECEIVER_FAULT_ODDS: [(FaultKind, u64); 14] = [
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

/// Returns the result of a fault of this kind and its delay.
fn misbehave(
    kind: FaultKind,
    request: &Request,
    quick: Duration,
    chance: &mut RngStream,
) -> (Duration, SimulatedResponse) {
    let answer = match kind {
        FaultKind::ErrorStatus => {
            let codes =
                [StatusCode::BAD_REQUEST, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::NOT_FOUND];
            status(chance.one_of(&codes).unwrap_or(StatusCode::BAD_REQUEST))
        }
        FaultKind::Redirect => status(StatusCode::FOUND),
        FaultKind::Gone => status(StatusCode::GONE),
        FaultKind::Busy => status(StatusCode::TOO_MANY_REQUESTS),
        FaultKind::Reset => SimulatedResponse::Fault(TransportErrorKind::Interrupted(Phase::Head)),
        // The receiver has accepted the event, but the sender does not learn that.
        FaultKind::LostAnswer => {
            SimulatedResponse::Fault(TransportErrorKind::Interrupted(Phase::Exchange))
        }
        FaultKind::Stale => SimulatedResponse::Fault(TransportErrorKind::StaleConnection),
        FaultKind::Silence => {
            return (
                request.timeout,
                SimulatedResponse::Fault(TransportErrorKind::Timeout(Phase::Head)),
            );
        }
        FaultKind::DeafTransport => SimulatedResponse::Nothing,
        FaultKind::OwnFault => SimulatedResponse::Fault(TransportErrorKind::Local),
        FaultKind::Refused => SimulatedResponse::Fault(TransportErrorKind::BlockedLiteral),
        FaultKind::Panic => SimulatedResponse::Panic,
        FaultKind::SlowAnswer => {
            let longest = request.timeout.saturating_sub(Duration::from_millis(1));
            return (chance.wait(quick.min(longest), longest), status(StatusCode::OK));
        }
        _ => SimulatedResponse::Fault(TransportErrorKind::Other),
    };
    (quick, answer)
}

/// Result of a receiver that is down. The receiver's number decides which failure it shows.
fn down(request: &Request, receiver: u64, quick: Duration) -> (Duration, SimulatedResponse) {
    match receiver % 3 {
        0 => (quick, status(StatusCode::INTERNAL_SERVER_ERROR)),
        1 => (request.timeout, SimulatedResponse::Fault(TransportErrorKind::Timeout(Phase::Head))),
        _ => (quick, SimulatedResponse::Fault(TransportErrorKind::Connect)),
    }
}

const fn status(code: StatusCode) -> SimulatedResponse {
    SimulatedResponse::Status(code, None)
}

/// An HTTP date (RFC 9110, section 5.6.7).
fn http_date(at: Timestamp) -> String {
    let secs = u64::try_from(at.as_unix_secs()).unwrap_or_default();
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(secs))
}

/// Number of the receiver behind an endpoint.
pub(super) fn receiver_of(endpoint: EndpointId) -> u64 {
    let (_, low) = endpoint.as_uuid().as_u64_pair();
    low & 0xffff_ffff
}

#[async_trait]
impl Transport for SimulatedTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let Some(delivery) = delivery_of(&request, &self.environment) else {
            return Err(TransportError::because(TransportErrorKind::Other, "no such receiver"));
        };
        let flight = SendGuard::begin(self, delivery, &request);
        let Reaction { after, answer } = self.react(&request, receiver_of(delivery.endpoint));
        self.environment.executor.sleep(after).await;
        match answer {
            SimulatedResponse::Status(code, retry_after) => {
                let mut response = Response::new(code);
                let text =
                    retry_after.as_ref().and_then(|value| value.to_str().ok()).map(str::to_owned);
                response.headers.extend(retry_after.map(|value| (RETRY_AFTER, value)));
                flight.end(SendOutcome::Status { status: code.as_u16(), retry_after: text });
                Ok(response)
            }
            SimulatedResponse::Fault(kind) => {
                flight.end(SendOutcome::Fault(kind));
                Err(TransportError::new(kind))
            }
            SimulatedResponse::Nothing => pending().await,
            SimulatedResponse::Panic => {
                flight.end(SendOutcome::Panicked);
                // A panic without a message on the terminal.
                std::panic::resume_unwind(Box::new("a transport by script"))
            }
            SimulatedResponse::Death => {
                self.environment.recorder.count(FaultKind::Poison);
                self.environment.kill(self.pid);
                pending().await
            }
        }
    }
}

/// Returns the delivery of a request.
fn delivery_of(request: &Request, environment: &Environment) -> Option<DeliveryId> {
    let event: EventId = request.headers.get(WEBHOOK_ID)?.to_str().ok()?.parse().ok()?;
    environment.endpoint_at(request.url.as_str()).map(|endpoint| DeliveryId::new(event, endpoint))
}

/// Guard of a send under way. Dropping it records that the send was dropped.
struct SendGuard<'a> {
    transport: &'a SimulatedTransport,
    send: SendId,
    ended: AtomicBool,
}

impl<'a> SendGuard<'a> {
    fn begin(transport: &'a SimulatedTransport, delivery: DeliveryId, request: &Request) -> Self {
        let send = transport.environment.recorder.new_send();
        let (request, clock) = (request.clone(), transport.now());
        let start = SendStart { send, delivery, request, clock };
        transport
            .environment
            .record(Actor::Worker(transport.pid), Action::SendStarted(Box::new(start)));
        Self { transport, send, ended: AtomicBool::new(false) }
    }

    fn end(&self, outcome: SendOutcome) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            let by = Actor::Worker(self.transport.pid);
            self.transport.environment.record(by, Action::SendEnded { send: self.send, outcome });
        }
    }
}

impl Drop for SendGuard<'_> {
    fn drop(&mut self) {
        self.end(SendOutcome::Dropped);
    }
}

impl SimulatedTransport {
    pub(super) fn shared(self) -> Arc<dyn Transport> {
        Arc::new(self)
    }
}
