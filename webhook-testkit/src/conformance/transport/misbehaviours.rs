//! Receivers that misbehave: each in turn is spoken to twice, and all of them at once.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};
use webhook_core::{Response, Transport, TransportError};

use super::{GENEROUS, SHORT, TransportHarness, request, to, transport};
use crate::{Head, Misbehaviour, Reply, TestReceiver};

/// The deadline of exchanges that go on all at once, on a machine that has other things to do.
const DEADLINE: Duration = Duration::from_secs(1);

/// How much later than its deadline an exchange may end.
const GRACE: Duration = Duration::from_secs(1);

/// How much of a body the requests ask for.
const KEEP: usize = 1000;

/// After this, what a receiver says late has been said.
const QUIET: Duration = Duration::from_millis(60);

/// What the receiver answers to the next request, once it behaves.
const OWN: &str = "to the next request";

/// A receiver that has misbehaved once, and how the transport came through.
struct Played {
    name: &'static str,
    head: Head,
    took: Duration,
    /// Absent, if it was not over in time.
    ended: Option<Result<Response, TransportError>>,
    requests: usize,
    connections: usize,
    /// Whether the receiver speaks before a request is written, which may then go out once more.
    is_unasked: bool,
    carries_cookies: bool,
    /// What the exchange after that came to, and the one after it, if the former had no answer.
    next: Vec<Result<Response, TransportError>>,
}

async fn play_all<H: TransportHarness>() -> Vec<Played> {
    play_towards::<H>("http://127.0.0.1:9/").await
}

async fn play_towards<H: TransportHarness>(elsewhere: &str) -> Vec<Played> {
    let transport = transport::<H>().await;
    join_all(Reply::misbehaviours(elsewhere).into_iter().map(|bad| play(&*transport, bad))).await
}

async fn play(transport: &dyn Transport, bad: Misbehaviour) -> Played {
    let is_unasked = bad.reply.is_unasked();
    let receiver = TestReceiver::answering([bad.reply]).await;
    let mut request = request(&receiver).with_timeout(DEADLINE);
    request.max_response_body = KEEP;
    let begun = Instant::now();
    let ended = timeout(DEADLINE + GRACE, transport.send(request)).await.ok();
    let took = begun.elapsed();
    sleep(QUIET).await;
    let (requests, connections) = (receiver.requests().len(), receiver.connections());
    receiver.answers([Reply::status(200).body(OWN)]);
    let next = go_on(transport, &receiver).await;
    let carries_cookies = receiver.requests().iter().any(|got| got.headers.contains_key("cookie"));
    let Misbehaviour { name, head, .. } = bad;
    Played { name, head, took, ended, requests, connections, is_unasked, carries_cookies, next }
}

/// One more exchange, and another one with much time, if the first has no answer: a kept connection
/// may turn out to be useless, but only once.
async fn go_on(
    transport: &dyn Transport,
    receiver: &TestReceiver,
) -> Vec<Result<Response, TransportError>> {
    let mut next = Vec::new();
    for deadline in [DEADLINE, GENEROUS] {
        let answer = transport.send(request(receiver).with_timeout(deadline)).await;
        let is_answer = answer.is_ok();
        next.push(answer);
        if is_answer {
            break;
        }
    }
    next
}

/// Fails with a line for each receiver of which `wrong` has something to say.
fn assert_none(played: &[Played], what: &str, wrong: impl Fn(&Played) -> Option<String>) {
    assert!(played.len() > 50, "only {} receivers", played.len());
    let told =
        |played: &Played| Some(format!("  a receiver that {}: {}", played.name, wrong(played)?));
    let told: Vec<_> = played.iter().filter_map(told).collect();
    assert!(told.is_empty(), "{what}; {} do not hold:\n{}", told.len(), told.join("\n"));
}

pub async fn whatever_a_receiver_does_the_deadline_is_kept<H: TransportHarness>() {
    let what = format!("an exchange of {DEADLINE:?} ends in time");
    assert_none(&play_all::<H>().await, &what, |played| match &played.ended {
        None => Some(format!("it was cut off after {:?}", played.took)),
        Some(_) => None,
    });
}

pub async fn whatever_a_receiver_answers_it_is_asked_once<H: TransportHarness>() {
    assert_none(&play_all::<H>().await, "one call is one exchange", |played| {
        let (requests, connections) = (played.requests, played.connections);
        let once = requests <= 1 && (connections <= 1 || played.is_unasked);
        let told = || format!("it saw {requests} requests on {connections} connections");
        (!once).then(told)
    });
}

pub async fn wherever_a_receiver_points_nobody_goes<H: TransportHarness>() {
    let elsewhere = TestReceiver::answering([200]).await;
    let played = play_towards::<H>(&elsewhere.url()).await;
    assert_eq!(elsewhere.connections(), 0, "no redirect or other hint is followed");
    assert_none(&played, "nothing of an answer is brought back", |played| {
        played.carries_cookies.then(|| "it got its cookie back".to_owned())
    });
}

pub async fn a_whole_head_is_an_answer_and_nothing_else_is<H: TransportHarness>() {
    let what = "a whole head is `Ok`, whatever its status and its body, and nothing else is";
    assert_none(&play_all::<H>().await, what, |played| {
        match (played.head, played.ended.as_ref()?) {
            (Head::Whole(status), Ok(answer)) if answer.status.as_u16() == status => None,
            (Head::Whole(status), Ok(answer)) => Some(format!("{}, not {status}", answer.status)),
            (Head::Whole(status), Err(error)) => Some(format!("`{error}`, not {status}")),
            (Head::Missing, Ok(answer)) => {
                Some(format!("{}, though it never said so", answer.status))
            }
            (Head::Missing, Err(_)) | (Head::Doubtful, _) => None,
        }
    });
}

pub async fn whatever_a_receiver_sends_no_more_of_it_is_kept<H: TransportHarness>() {
    let what = format!("at most {KEEP} bytes of a body are kept");
    assert_none(&play_all::<H>().await, &what, |played| {
        let kept = played.ended.as_ref()?.as_ref().ok()?.body.len();
        (kept > KEEP).then(|| format!("{kept} bytes were kept"))
    });
}

pub async fn whatever_a_receiver_did_the_next_request_gets_its_own_answer<H: TransportHarness>() {
    let what = "the transport stays usable, and pairs no answer with another request";
    assert_none(&play_all::<H>().await, what, |played| match played.next.last()? {
        Ok(answer) if answer.status == 200 && answer.body == OWN => None,
        Ok(answer) => Some(format!("the next got {}, {:?}", answer.status, answer.body)),
        Err(error) => Some(format!("the next but one got `{error}`")),
    });
}

/// What becomes of a request that ends by its deadline or not at all.
async fn assert_left<H: TransportHarness>(url: &str, body: Bytes, what: &str) {
    let transport = transport::<H>().await;
    let call = transport.send(to(url, &body).with_timeout(SHORT));
    let ended = timeout(SHORT + GRACE, call).await;
    ended.unwrap_or_else(|_| panic!("{what}")).expect_err("no complete head arrived");
}

pub async fn a_receiver_that_never_reads_is_left_at_the_deadline<H: TransportHarness>() {
    // More than the buffers of two sockets hold.
    let large = Bytes::from(vec![b'x'; 32 * 1024 * 1024]);
    for reply in [Reply::silence(), Reply::deaf(), Reply::reset().after_head()] {
        let receiver = TestReceiver::answering([reply]).await;
        let what = "the deadline covers the writing of the request";
        assert_left::<H>(&receiver.url(), large.clone(), what).await;
    }
}

pub async fn a_connection_that_never_comes_about_is_left_at_the_deadline<H: TransportHarness>() {
    let receiver = TestReceiver::unreachable().await;
    let what = "the deadline covers connecting";
    assert_left::<H>(&receiver.url(), Bytes::new(), what).await;
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
        assert_left::<H>(&receiver.https_url(), Bytes::new(), what).await;
    }
}
