//! The contract of a transport, case by case, against a receiver on a real socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic here is the failed assertion"
)]

mod misbehaviours;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use webhook_core::transport::{Request, Response, Transport, TransportError, TransportErrorKind};

use super::contract::prepare;
use crate::{Reply, TestReceiver};
pub use misbehaviours::{
    a_connection_that_never_comes_about_is_left_at_the_deadline,
    a_handshake_that_never_ends_is_left_at_the_deadline,
    a_receiver_that_never_reads_is_left_at_the_deadline,
    a_whole_head_is_an_answer_and_nothing_else_is, whatever_a_receiver_answers_it_is_asked_once,
    whatever_a_receiver_did_the_next_request_gets_its_own_answer,
    whatever_a_receiver_does_the_deadline_is_kept, whatever_a_receiver_sends_no_more_of_it_is_kept,
    wherever_a_receiver_points_nobody_goes,
};

/// How [`transport_conformance!`](crate::transport_conformance) gets a transport.
pub trait TransportHarness {
    /// A new transport, that may send to plain `http` at `127.0.0.1`. Called within a tokio runtime.
    fn transport() -> Arc<dyn Transport>;
}

/// Proves a transport: expands to one test for each sentence of the contract of
/// [`Transport`](webhook_core::transport::Transport), against a [`TestReceiver`] that behaves, and against
/// [every one that does not](crate::Reply::misbehaviours).
///
/// The cases with a deadline wait for it in real time, a fifth of a second each.
///
/// ```
/// use std::sync::Arc;
/// use webhook_core::transport::Transport;
/// # type YourTransport = webhook_testkit::ScriptedTransport;
///
/// struct Yours;
///
/// impl webhook_testkit::TransportHarness for Yours {
///     fn transport() -> Arc<dyn Transport> {
///         Arc::new(YourTransport::new())
///     }
/// }
///
/// webhook_testkit::transport_conformance!(Yours);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! transport_conformance {
    ($harness:ty) => {
        $crate::__transport_tests! { $harness;
            a_request_is_a_post_with_exactly_its_headers_and_body
            bodies_are_sent_byte_for_byte
            any_status_is_an_answer
            a_redirect_is_not_followed
            headers_and_body_of_an_answer_are_returned
            no_more_of_an_answer_is_kept_than_asked_for
            a_body_cut_short_is_no_error
            interim_answers_are_passed_over
            a_deadline_is_kept
            a_deadline_covers_the_body_of_the_answer
            nobody_listening_is_no_connection
            a_connection_closed_without_an_answer_is_an_error
            what_is_no_http_is_an_error
            one_call_is_one_exchange
            a_dropped_call_leaves_the_transport_usable
            many_calls_may_run_at_once
            whatever_a_receiver_does_the_deadline_is_kept
            whatever_a_receiver_answers_it_is_asked_once
            wherever_a_receiver_points_nobody_goes
            a_whole_head_is_an_answer_and_nothing_else_is
            whatever_a_receiver_sends_no_more_of_it_is_kept
            whatever_a_receiver_did_the_next_request_gets_its_own_answer
            a_receiver_that_never_reads_is_left_at_the_deadline
            a_connection_that_never_comes_about_is_left_at_the_deadline
            a_handshake_that_never_ends_is_left_at_the_deadline
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __transport_tests {
    ($harness:ty; $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::conformance::prove("transport", stringify!($case), || {
                    $crate::conformance::run($crate::conformance::transport::$case::<$harness>());
                });
            }
        )*
    };
}

/// Timeout that no correct exchange reaches, even on a slow machine.
const LONG_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout of the cases that wait for it.
const SHORT_TIMEOUT: Duration = Duration::from_millis(200);

fn request(receiver: &TestReceiver) -> Request {
    to(&receiver.url(), b"{}")
}

fn to(url: &str, body: &[u8]) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("webhook-id", HeaderValue::from_static("1"));
    Request::new(url.parse().unwrap(), headers, Bytes::copy_from_slice(body))
        .with_timeout(LONG_TIMEOUT)
}

async fn transport<H: TransportHarness>() -> Arc<dyn Transport> {
    prepare(async { H::transport() }).await
}

async fn send<H: TransportHarness>(request: Request) -> Result<Response, TransportError> {
    transport::<H>().await.send(request).await
}

async fn answer<H: TransportHarness>(reply: Reply) -> Response {
    let receiver = TestReceiver::answering([reply]).await;
    send::<H>(request(&receiver)).await.expect("a complete head arrived")
}

async fn error<H: TransportHarness>(reply: Reply, timeout: Duration) -> TransportErrorKind {
    let receiver = TestReceiver::answering([reply]).await;
    let call = send::<H>(request(&receiver).with_timeout(timeout));
    let ended = tokio::time::timeout(LONG_TIMEOUT, call).await;
    ended.expect("the deadline is kept").expect_err("no complete head arrived").kind()
}

pub async fn a_request_is_a_post_with_exactly_its_headers_and_body<H: TransportHarness>() {
    let receiver = TestReceiver::answering([200]).await;
    let url = format!("http://{}/a%20b/c?x=1&y=%C3%A4", receiver.addr());
    send::<H>(to(&url, "{\"ä\":1}".as_bytes())).await.unwrap();
    let got = &receiver.received(1).await[0];
    assert_eq!((got.method.as_str(), got.target.as_str()), ("POST", "/a%20b/c?x=1&y=%C3%A4"));
    assert_eq!(got.body, "{\"ä\":1}", "the body is sent as it is");
    let one = |name: &str, value: &str| {
        let values: Vec<_> = got.headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "there is exactly one {name}");
    };
    one("content-type", "application/json");
    one("webhook-id", "1");
    one("host", &receiver.addr().to_string());
    one("content-length", "8");
    let ours: [HeaderName; 4] =
        ["content-type", "webhook-id", "host", "content-length"].map(|name| name.parse().unwrap());
    let others: Vec<_> = got.headers.keys().filter(|name| !ours.contains(name)).collect();
    assert!(others.is_empty(), "nothing is added: {others:?}");
}

pub async fn bodies_are_sent_byte_for_byte<H: TransportHarness>() {
    let receiver = TestReceiver::answering([200]).await;
    let large: Vec<u8> = (0..1024 * 1024_u32).map(|at| (at % 251) as u8).collect();
    let bodies = [Vec::new(), (0..=255).collect(), large];
    for body in &bodies {
        send::<H>(to(&receiver.url(), body)).await.unwrap();
    }
    let got = receiver.received(bodies.len()).await;
    for (got, sent) in got.iter().zip(&bodies) {
        assert!(got.body == sent[..], "{} bytes arrive as they were given", sent.len());
    }
}

pub async fn any_status_is_an_answer<H: TransportHarness>() {
    for status in [200, 204, 299, 304, 400, 401, 407, 410, 429, 500, 503, 599, 999] {
        let response = answer::<H>(Reply::status(status)).await;
        assert_eq!(response.status.as_u16(), status, "a status is no error");
    }
}

pub async fn a_redirect_is_not_followed<H: TransportHarness>() {
    let other = TestReceiver::answering([200]).await;
    for status in [301, 302, 303, 307, 308] {
        let response = answer::<H>(Reply::status(status).header("location", other.url())).await;
        assert_eq!(response.status.as_u16(), status, "the redirect itself is the answer");
    }
    assert_eq!(other.connections(), 0, "nobody went there");
}

pub async fn headers_and_body_of_an_answer_are_returned<H: TransportHarness>() {
    let reply = Reply::status(503).header("Retry-After", "600").body(&b"sp\xc3\xa4ter \xff"[..]);
    let response = answer::<H>(reply).await;
    assert_eq!(response.headers["retry-after"], "600", "headers are returned");
    assert_eq!(response.body, &b"sp\xc3\xa4ter \xff"[..], "the body is returned");
    let chunked =
        "HTTP/1.1 500 x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(answer::<H>(Reply::raw(chunked)).await.body, "abcde", "chunks are put together");
}

pub async fn no_more_of_an_answer_is_kept_than_asked_for<H: TransportHarness>() {
    let body: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
    let receiver = TestReceiver::answering([Reply::status(500).body(body.clone())]).await;
    let mut request = request(&receiver);
    request.max_response_body = 1000;
    let response = send::<H>(request).await.unwrap();
    assert!(response.body == body[..1000], "the beginning of the body is kept, and no more");
}

pub async fn a_body_cut_short_is_no_error<H: TransportHarness>() {
    let reply = Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort");
    let response = answer::<H>(reply).await;
    assert_eq!(response.status.as_u16(), 200, "the head was complete");
}

pub async fn interim_answers_are_passed_over<H: TransportHarness>() {
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let reply = Reply::raw(format!("{early}HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"));
    assert_eq!(answer::<H>(reply).await.status.as_u16(), 201, "the final answer counts");
}

pub async fn a_deadline_is_kept<H: TransportHarness>() {
    let kind = error::<H>(Reply::never(), SHORT_TIMEOUT).await;
    assert!(matches!(kind, TransportErrorKind::Timeout(_)), "{kind:?} says that time was up");
}

pub async fn a_deadline_covers_the_body_of_the_answer<H: TransportHarness>() {
    let half = Reply::half("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    let receiver = TestReceiver::answering([half]).await;
    let call = send::<H>(request(&receiver).with_timeout(SHORT_TIMEOUT));
    let ended = tokio::time::timeout(LONG_TIMEOUT, call).await.expect("the deadline is kept");
    assert_eq!(ended.expect("the head was complete").status.as_u16(), 200, "the head decides");
}

pub async fn nobody_listening_is_no_connection<H: TransportHarness>() {
    let receiver = TestReceiver::answering([200]).await;
    let url = receiver.url();
    receiver.close().await;
    let kind = send::<H>(to(&url, b"{}")).await.expect_err("nobody listens").kind();
    assert_eq!(kind, TransportErrorKind::Connect, "the kind says so");
}

pub async fn a_connection_closed_without_an_answer_is_an_error<H: TransportHarness>() {
    error::<H>(Reply::close(), LONG_TIMEOUT).await;
    error::<H>(Reply::raw("HTTP/1.1 200 OK\r\ncontent-le"), LONG_TIMEOUT).await;
}

pub async fn what_is_no_http_is_an_error<H: TransportHarness>() {
    for bytes in ["SSH-2.0-OpenSSH_9.6\r\n", "\0\0\0\0\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n"] {
        error::<H>(Reply::raw(bytes), LONG_TIMEOUT).await;
    }
}

pub async fn one_call_is_one_exchange<H: TransportHarness>() {
    let receiver = TestReceiver::answering([Reply::status(503), Reply::close()]).await;
    let transport = transport::<H>().await;
    transport.send(request(&receiver)).await.expect("a status is an answer");
    assert_eq!(receiver.requests().len(), 1, "a 503 is not repeated");
    transport.send(request(&receiver)).await.expect_err("the receiver closed");
    assert_eq!(receiver.requests().len(), 2, "a request that was read is not repeated");
}

pub async fn a_dropped_call_leaves_the_transport_usable<H: TransportHarness>() {
    let receiver = TestReceiver::answering([Reply::never(), Reply::status(200)]).await;
    let transport = transport::<H>().await;
    tokio::select! {
        _ = transport.send(request(&receiver)) => unreachable!("it never answers"),
        _ = receiver.received(1) => {}
    }
    let response = transport.send(request(&receiver)).await.expect("the transport still works");
    assert_eq!(response.status.as_u16(), 200, "it has the answer to its own request");
}

pub async fn many_calls_may_run_at_once<H: TransportHarness>() {
    let receiver = TestReceiver::answering([200]).await;
    let transport = transport::<H>().await;
    let calls =
        (0..50).map(|number| transport.send(to(&receiver.url(), format!("{number}").as_bytes())));
    for answer in futures_util::future::join_all(calls).await {
        answer.expect("each call gets its answer");
    }
    let mut bodies: Vec<_> = receiver.received(50).await.into_iter().map(|got| got.body).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 50, "each request arrives once");
}
