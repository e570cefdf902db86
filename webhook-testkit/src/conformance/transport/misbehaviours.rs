//! Receivers that misbehave. All of them get requests at the same time, each at least two.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};
use webhook_core::transport::{Response, Transport, TransportError};

use super::{LONG_TIMEOUT, SHORT_TIMEOUT, TransportHarness, request, to, transport};
use crate::{Head, Misbehaviour, Reply, TestReceiver};

/// Timeout of an exchange. All exchanges run at the same time, possibly on a busy machine.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum time by which an exchange may exceed its timeout.
const MAX_OVERRUN: Duration = Duration::from_secs(1);

/// Maximum size of a response body in the requests.
const MAX_KEPT_BYTES: usize = 1000;

/// Wait after which the late bytes of a receiver have arrived.
const LATE_BYTES_WAIT: Duration = Duration::from_millis(60);

/// Body of the response to the next request.
const NEXT_BODY: &str = "to the next request";

/// An exchange with a misbehaving receiver, and the exchanges after it.
struct MisbehaviourRun {
    name: &'static str,
    head: Head,
    took: Duration,
    /// None if it did not end in time.
    ended: Option<Result<Response, TransportError>>,
    requests: usize,
    connections: usize,
    /// True if the receiver writes before the request, so that the request may be repeated.
    is_unasked: bool,
    carries_cookies: bool,
    /// Result of the next exchange, and of the one after it if the former had no response.
    next: Vec<Result<Response, TransportError>>,
}

async fn run_all<H: TransportHarness>() -> Vec<MisbehaviourRun> {
    run_all_towards::<H>("http://127.0.0.1:9/").await
}

async fn run_all_towards<H: TransportHarness>(elsewhere: &str) -> Vec<MisbehaviourRun> {
    let transport = transport::<H>().await;
    join_all(Reply::misbehaviours(elsewhere).into_iter().map(|bad| run_one(&*transport, bad))).await
}

async fn run_one(transport: &dyn Transport, bad: Misbehaviour) -> MisbehaviourRun {
    let is_unasked = bad.reply.is_unasked();
    let receiver = TestReceiver::answering([bad.reply]).await;
    let mut request = request(&receiver).with_timeout(EXCHANGE_TIMEOUT);
    request.max_response_body = MAX_KEPT_BYTES;
    let begun = Instant::now();
    let ended = timeout(EXCHANGE_TIMEOUT + MAX_OVERRUN, transport.send(request)).await.ok();
    let took = begun.elapsed();
    sleep(LATE_BYTES_WAIT).await;
    let (requests, connections) = (receiver.requests().len(), receiver.connections());
    receiver.answers([Reply::status(200).body(NEXT_BODY)]);
    let next = next_exchanges(transport, &receiver).await;
    let carries_cookies = receiver.requests().iter().any(|got| got.headers.contains_key("cookie"));
    let Misbehaviour { name, head, .. } = bad;
    MisbehaviourRun {
        name,
        head,
        took,
        ended,
        requests,
        connections,
        is_unasked,
        carries_cookies,
        next,
    }
}

/// Makes one more exchange, and another one with a long timeout if that has no response: a pooled
/// connection may be unusable once.
async fn next_exchanges(
    transport: &dyn Transport,
    receiver: &TestReceiver,
) -> Vec<Result<Response, TransportError>> {
    let mut next = Vec::new();
    for deadline in [EXCHANGE_TIMEOUT, LONG_TIMEOUT] {
        let answer = transport.send(request(receiver).with_timeout(deadline)).await;
        let is_answer = answer.is_ok();
        next.push(answer);
        if is_answer {
            break;
        }
    }
    next
}

/// Panics with a line for each run for which `wrong` returns a text.
fn assert_none(
    runs: &[MisbehaviourRun],
    what: &str,
    wrong: impl Fn(&MisbehaviourRun) -> Option<String>,
) {
    assert!(runs.len() > 50, "only {} receivers", runs.len());
    let line =
        |run: &MisbehaviourRun| Some(format!("  a receiver that {}: {}", run.name, wrong(run)?));
    let lines: Vec<_> = runs.iter().filter_map(line).collect();
    assert!(lines.is_empty(), "{what}; {} do not hold:\n{}", lines.len(), lines.join("\n"));
}

pub async fn whatever_a_receiver_does_the_deadline_is_kept<H: TransportHarness>() {
    let what = format!("an exchange of {EXCHANGE_TIMEOUT:?} ends in time");
    assert_none(&run_all::<H>().await, &what, |run| match &run.ended {
        None => Some(format!("it was cut off after {:?}", run.took)),
        Some(_) => None,
    });
}

pub async fn whatever_a_receiver_answers_it_is_asked_once<H: TransportHarness>() {
    assert_none(&run_all::<H>().await, "one call is one exchange", |run| {
        let (requests, connections) = (run.requests, run.connections);
        let once = requests <= 1 && (connections <= 1 || run.is_unasked);
        let text = || format!("it saw {requests} requests on {connections} connections");
        (!once).then(text)
    });
}

pub async fn wherever_a_receiver_points_nobody_goes<H: TransportHarness>() {
    let elsewhere = TestReceiver::answering([200]).await;
    let runs = run_all_towards::<H>(&elsewhere.url()).await;
    assert_eq!(elsewhere.connections(), 0, "no redirect or other hint is followed");
    assert_none(&runs, "nothing of an answer is brought back", |run| {
        run.carries_cookies.then(|| "it got its cookie back".to_owned())
    });
}

pub async fn a_whole_head_is_an_answer_and_nothing_else_is<H: TransportHarness>() {
    let what = "a whole head is `Ok`, whatever its status and its body, and nothing else is";
    assert_none(&run_all::<H>().await, what, |run| match (run.head, run.ended.as_ref()?) {
        (Head::Whole(status), Ok(answer)) if answer.status.as_u16() == status => None,
        (Head::Whole(status), Ok(answer)) => Some(format!("{}, not {status}", answer.status)),
        (Head::Whole(status), Err(error)) => Some(format!("`{error}`, not {status}")),
        (Head::Missing, Ok(answer)) => Some(format!("{}, though it never said so", answer.status)),
        (Head::Missing, Err(_)) | (Head::Doubtful, _) => None,
    });
}

pub async fn whatever_a_receiver_sends_no_more_of_it_is_kept<H: TransportHarness>() {
    let what = format!("at most {MAX_KEPT_BYTES} bytes of a body are kept");
    assert_none(&run_all::<H>().await, &what, |run| {
        let kept = run.ended.as_ref()?.as_ref().ok()?.body.len();
        (kept > MAX_KEPT_BYTES).then(|| format!("{kept} bytes were kept"))
    });
}

pub async fn whatever_a_receiver_did_the_next_request_gets_its_own_answer<H: TransportHarness>() {
    let what = "the transport stays usable, and pairs no answer with another request";
    assert_none(&run_all::<H>().await, what, |run| match run.next.last()? {
        Ok(answer) if answer.status == 200 && answer.body == NEXT_BODY => None,
        Ok(answer) => Some(format!("the next got {}, {:?}", answer.status, answer.body)),
        Err(error) => Some(format!("the next but one got `{error}`")),
    });
}

/// Asserts that a request without a response ends by its timeout.
async fn assert_timeout<H: TransportHarness>(url: &str, body: Bytes, what: &str) {
    let transport = transport::<H>().await;
    let call = transport.send(to(url, &body).with_timeout(SHORT_TIMEOUT));
    let ended = timeout(SHORT_TIMEOUT + MAX_OVERRUN, call).await;
    ended.unwrap_or_else(|_| panic!("{what}")).expect_err("no complete head arrived");
}

pub async fn a_receiver_that_never_reads_is_left_at_the_deadline<H: TransportHarness>() {
    // More than the buffers of two sockets hold.
    let large = Bytes::from(vec![b'x'; 32 * 1024 * 1024]);
    for reply in [Reply::silence(), Reply::never().after_head(), Reply::reset().after_head()] {
        let receiver = TestReceiver::answering([reply]).await;
        let what = "the deadline covers the writing of the request";
        assert_timeout::<H>(&receiver.url(), large.clone(), what).await;
    }
}

pub async fn a_connection_that_never_comes_about_is_left_at_the_deadline<H: TransportHarness>() {
    let receiver = TestReceiver::unreachable().await;
    let what = "the deadline covers connecting";
    assert_timeout::<H>(&receiver.url(), Bytes::new(), what).await;
}

pub async fn a_handshake_that_never_ends_is_left_at_the_deadline<H: TransportHarness>() {
    let record = |length: u8| [&[0x16, 3, 3, 0, length, 2, 0, 0, 200][..], &[0; 8]].concat();
    let replies = [
        Reply::silence(),
        Reply::half(record(13)).unasked(),
        Reply::drip(record(200), Duration::from_millis(50)).unasked(),
        Reply::endless("", vec![0x16; 1000]).unasked(),
        Reply::status(200).unasked(),
    ];
    for reply in replies {
        let receiver = TestReceiver::answering([reply]).await;
        let what = "the deadline covers the TLS handshake";
        assert_timeout::<H>(&receiver.https_url(), Bytes::new(), what).await;
    }
}
