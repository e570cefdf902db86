//! Sending within a call, over fakes: no network, and no time passes but by hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is the failed test"
)]

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use webhook_core::{
    Clock, CustomHeaders, DeliveryId, DeliveryStatus, Event, FailureKind, Publisher, RetryPolicy,
    SendError, Sent, Signing, StoreErrorKind, Timeout,
    policy::FailReason,
    store::{DeliveryLog, DeliveryQuery},
    transport::{Request, Response, Transport, TransportError, TransportErrorKind},
};
use webhook_testkit::{
    Fault, FaultyStore, ManualClock, MemoryStore, PlainSigner, ScriptedTransport, SequenceIds,
    StoreCall, fault, refused, reset, sample, status, timeout,
};

struct Call {
    clock: ManualClock,
    transport: ScriptedTransport,
    store: MemoryStore,
    ids: SequenceIds,
}

impl Call {
    fn new() -> Self {
        let clock = ManualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let transport = ScriptedTransport::with_clock(shared.clone());
        Self { clock, transport, store: MemoryStore::new(shared), ids: SequenceIds::new() }
    }

    fn publisher(&self) -> Publisher {
        let url = "https://billing.example/hooks?token=t0ken".parse().unwrap();
        let transport = Arc::new(self.transport.clone());
        let signer = Arc::new(PlainSigner::new());
        Publisher::new(self.ids.endpoint(), url, transport, signer, Arc::new(self.clock.clone()))
    }

    fn event(&self) -> Event {
        sample::event("invoice.paid").into_event(|| self.ids.event(), self.clock.now())
    }

    /// Runs a future to its end, turning the clock whenever it waits.
    fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(output) => return output,
                Poll::Pending => {
                    self.clock.advance(self.clock.next_deadline().expect("somebody to wait for"));
                }
            }
        }
    }

    fn elapsed(&self) -> Duration {
        self.clock.now().since(ManualClock::START)
    }
}

#[test]
fn three_attempts_one_and_two_seconds_apart_are_the_default() {
    let call = Call::new();
    call.transport.answers([status(503), reset()]);
    let sent: Sent = call.run(call.publisher().publish(&call.event())).unwrap();
    assert_eq!(sent.attempts, 3);
    let times: Vec<_> = call
        .transport
        .requests()
        .iter()
        .map(|request| request.at.since(ManualClock::START).as_secs())
        .collect();
    assert_eq!(times, [0, 1, 3]);
}

#[test]
fn giving_up_says_after_how_many_attempts_and_what_went_wrong_last() {
    let call = Call::new();
    call.transport.answers([refused(), timeout(), status(503).body("try later")]);
    let error = call.run(call.publisher().publish(&call.event())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "webhook delivery failed after 3 attempts: status 503: try later"
    );
    assert!(matches!(error, SendError::Failed { attempts: 3, reason: FailReason::Exhausted, .. }));

    call.transport.answers([status(410)]);
    let error = call.run(call.publisher().publish(&call.event())).unwrap_err();
    assert_eq!(error.to_string(), "webhook delivery failed after 1 attempt: status 410");
}

#[test]
fn every_attempt_has_the_same_id_and_a_fresh_timestamp() {
    let call = Call::new();
    call.transport.answers([status(500), status(500)]);
    call.run(call.publisher().publish(&call.event())).unwrap();
    let requests = call.transport.requests();
    let header = |name: &str| -> Vec<_> {
        requests
            .iter()
            .map(|sent| sent.request.headers[name].to_str().unwrap().to_owned())
            .collect()
    };
    let ids = header("webhook-id");
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let start = ManualClock::START.as_unix_secs();
    assert_eq!(header("x-timestamp"), [0, 1, 3].map(|after| (start + after).to_string()));
}

#[test]
fn retry_after_delays_but_never_beyond_what_a_caller_waits_for() {
    let call = Call::new();
    call.transport
        .answers([status(429).retry_after_secs(10), status(429).retry_after_secs(86_400)]);
    call.run(call.publisher().publish(&call.event())).unwrap();
    assert_eq!(call.elapsed(), Duration::from_secs(10 + 30));
}

#[test]
fn giving_up_the_call_stops_the_waiting_at_once() {
    let call = Call::new();
    call.transport.answers([status(503)]);
    {
        let (publisher, event) = (call.publisher(), call.event());
        let mut sending = pin!(publisher.publish(&event));
        let polled = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        assert_eq!(call.clock.next_deadline(), Some(Duration::from_secs(1)));
    }
    assert_eq!(call.clock.next_deadline(), None, "nobody waits any more");
    call.clock.advance(Duration::from_secs(60));
    assert_eq!(call.transport.requests().len(), 1);
}

/// Never ends a call.
#[derive(Debug)]
struct Stuck {
    enforces_timeout: bool,
}

#[async_trait]
impl Transport for Stuck {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        std::future::pending().await
    }

    fn enforces_timeout(&self) -> bool {
        self.enforces_timeout
    }
}

#[test]
fn a_transport_is_cut_off_behind_its_deadline_unless_it_says_that_it_keeps_it() {
    for (enforces_timeout, is_watched) in [(false, true), (true, false)] {
        let call = Call::new();
        let endpoint = call.publisher().endpoint().clone().with_retry(RetryPolicy::none());
        let ports = (Arc::new(PlainSigner::new()), Arc::new(call.clock.clone()));
        let stuck = Arc::new(Stuck { enforces_timeout });
        let publisher = Publisher::for_endpoint(endpoint, stuck, ports.0, ports.1);
        let event = call.event();
        let mut publish = pin!(publisher.publish(&event));
        let mut look = || publish.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(look().is_pending());
        assert_eq!(call.clock.next_deadline(), is_watched.then_some(CUT_OFF));
        call.clock.advance(CUT_OFF);
        match look() {
            Poll::Ready(Err(SendError::Failed { last, .. })) => {
                assert!(is_watched && last.kind == FailureKind::Timeout, "{last}");
            }
            other => assert!(other.is_pending() && !is_watched, "{other:?}"),
        }
    }
}

/// The default deadline of a request, and a little.
const CUT_OFF: Duration = Duration::from_millis(30_250);

#[test]
fn the_name_is_the_url_without_what_may_be_secret() {
    assert_eq!(Call::new().publisher().name(), "webhook:https://billing.example/hooks");
}

#[test]
fn a_tracked_event_is_on_record_before_its_first_attempt_with_the_true_number_after() {
    let call = Call::new();
    call.transport.answers([status(503), status(503), status(500).body("no")]);
    let (publisher, event) = (call.publisher().tracked(Arc::new(call.store.clone())), call.event());
    let id = DeliveryId::new(event.id, publisher.endpoint().id);
    let mut sending = pin!(publisher.publish(&event));
    assert!(sending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let record = call.run(call.store.delivery(id)).unwrap().unwrap();
    assert_eq!((record.status, record.attempts), (DeliveryStatus::Pending, 1));

    call.run(sending).unwrap_err();
    let record = call.run(call.store.delivery(id)).unwrap().unwrap();
    assert_eq!((record.status, record.attempts), (DeliveryStatus::Failed, 3));
    assert_eq!(record.last_error.as_deref(), Some("status 500: no"));
    assert_eq!(record.url, publisher.endpoint().url);
    assert_eq!(call.run(call.store.attempts(id)).unwrap().len(), 3);

    let failed = DeliveryQuery::new().status(DeliveryStatus::Failed).limit(1);
    assert_eq!(
        call.run(call.store.deliveries(failed)).unwrap().items,
        std::slice::from_ref(&record)
    );
    let of_event = DeliveryQuery::new().event(event.id);
    assert_eq!(call.run(call.store.deliveries(of_event)).unwrap().items, [record]);
}

#[test]
fn a_second_call_goes_on_counting_with_a_fresh_budget() {
    let call = Call::new();
    call.transport.answers([status(503), status(503), status(503), status(503)]);
    let (publisher, event) = (call.publisher().tracked(Arc::new(call.store.clone())), call.event());
    call.run(publisher.publish(&event)).unwrap_err();
    assert_eq!(call.run(publisher.publish(&event)).unwrap().attempts, 2);
    let id = DeliveryId::new(event.id, publisher.endpoint().id);
    let record = call.run(call.store.delivery(id)).unwrap().unwrap();
    assert_eq!((record.status, record.attempts), (DeliveryStatus::Success, 5));
}

#[test]
fn nothing_is_sent_when_its_record_cannot_be_opened() {
    let call = Call::new();
    let store = FaultyStore::new(call.store.clone());
    store.fails(StoreCall::OpenTracked, [Fault::Before(StoreErrorKind::Unavailable)]);
    let publisher = call.publisher().tracked(Arc::new(store));
    let error = call.run(publisher.publish(&call.event())).unwrap_err();
    assert!(matches!(error, SendError::Tracking(_)));
    assert_eq!(error.to_string(), "nothing was sent, because its record could not be opened");
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "the store is not available");
    assert_eq!(call.transport.requests().len(), 0);
}

#[test]
fn a_record_that_cannot_be_written_does_not_undo_what_was_sent() {
    let call = Call::new();
    let store = FaultyStore::new(call.store.clone());
    store.fails(StoreCall::RecordTracked, [Fault::Before(StoreErrorKind::Unavailable)]);
    let publisher = call.publisher().tracked(Arc::new(store));
    assert_eq!(call.run(publisher.publish(&call.event())).unwrap().attempts, 1);
    assert_eq!(call.transport.requests().len(), 1);
}

#[test]
fn a_fault_of_our_own_uses_up_an_attempt_as_somebody_waits() {
    let call = Call::new();
    call.transport.answers(std::iter::repeat_n(fault(TransportErrorKind::Local), 3));
    let error = call.run(call.publisher().publish(&call.event())).unwrap_err();
    assert!(matches!(error, SendError::Failed { attempts: 3, .. }), "{error}");
    assert!(std::error::Error::source(&error).is_none(), "its text says it all");
}

#[test]
fn requests_are_signed_headed_and_timed_as_the_publisher_was_told() {
    let call = Call::new();
    let headers = CustomHeaders::new([("authorization", "Bearer t0ken")]).unwrap();
    let publisher = call
        .publisher()
        .signing(Signing::with_secret("secret".parse().unwrap()))
        .headers(headers)
        .timeout(Timeout::new(Duration::from_secs(7)).unwrap());
    call.run(publisher.publish(&call.event())).unwrap();
    let request = call.transport.requests().remove(0).request;
    assert_eq!(request.headers["authorization"], "Bearer t0ken");
    assert!(request.headers.contains_key("x-signature"));
    assert_eq!(request.timeout, Duration::from_secs(7));
}
