//! Whatever a receiver answers, through the client.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::Notify,
    time::Instant,
};
use webhook_core::{
    Failure, Outcome, Timestamp,
    policy::classify,
    transport::{Phase, Request, Response, TransportErrorKind},
};
use webhook_http::FuzzConnection;

use crate::{runtime::run, text::is_harmless};

const LIMIT: Duration = Duration::from_secs(30);

/// More than the client reads in one exchange, by far.
const ENDLESS: usize = 1024 * 1024;

/// How a receiver answers, by the first byte of an input.
#[derive(Clone, Copy)]
struct Manner(u8);

impl Manner {
    /// Whether it closes the connection behind its answer.
    const fn closes(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether it says the same for ever.
    const fn goes_on(self) -> bool {
        self.0 & 2 != 0
    }

    /// How many bytes it writes at a time.
    const fn piece(self) -> usize {
        match (self.0 >> 2) & 3 {
            0 => usize::MAX,
            1 => 1,
            2 => 7,
            _ => 1000,
        }
    }

    /// How many bytes of its body are kept.
    const fn keep(self) -> usize {
        match (self.0 >> 4) & 3 {
            0 => 0,
            1 => 16,
            _ => Request::MAX_RESPONSE_BODY,
        }
    }
}

/// One byte for the manner, then the answer: it comes to an end, is bounded, and a connection is kept
/// only if the same answer means the same once more.
pub fn response(data: &[u8]) {
    let Some((&manner, answer)) = data.split_first() else { return };
    let answer = answer.get(..32 * 1024).unwrap_or(answer);
    run(converse(Manner(manner), Bytes::copy_from_slice(answer)));
}

async fn converse(manner: Manner, answer: Bytes) {
    let (ours, theirs) = duplex(64 * 1024);
    let said = Arc::new(Notify::new());
    let receiver = tokio::spawn(receive(theirs, manner, answer.clone(), Arc::clone(&said)));
    let line = FuzzConnection::open(ours).await.expect("a connection");
    let (first, kept) = exchange(line, manner).await;
    if let Ok(response) = &first {
        is_bounded(response, manner, &answer);
    }
    if let (Ok(first), Some(line)) = (&first, kept) {
        assert!(is_ended(&answer), "kept behind an answer without an end");
        is_clear_where_it_ends(first, &answer, manner);
        if !manner.goes_on() && !manner.closes() {
            // Behind the last byte of its first answer.
            said.notified().await;
            is_the_same_again(first, exchange(line, manner).await.0);
        }
    }
    is_told(first);
    receiver.abort();
    if let Ok(written) = receiver.await {
        assert!(written < ENDLESS, "all of it was read");
    }
}

async fn exchange(
    line: FuzzConnection,
    manner: Manner,
) -> (Result<Response, webhook_core::transport::TransportError>, Option<FuzzConnection>) {
    let url = "http://a.example/".parse().expect("a URL");
    let mut request = Request::new(url, HeaderMap::new(), "{}".into()).with_timeout(LIMIT);
    request.max_response_body = manner.keep();
    let begun = Instant::now();
    let answered = line.send(request).await;
    assert!(begun.elapsed() <= LIMIT + Duration::from_millis(5), "beyond the deadline");
    answered
}

fn is_bounded(response: &Response, manner: Manner, answer: &[u8]) {
    assert!(!response.status.is_informational(), "an interim answer is taken for the last");
    assert!(response.body.len() <= manner.keep(), "more is kept than was asked for");
    assert!(response.headers.len() <= 100);
    assert!(manner.goes_on() || is_ended(answer), "an answer without a whole head");
    // Nothing is invented: without the framing of chunks, the body is what was said.
    let mut said =
        answer.iter().cycle().take(if manner.goes_on() { 1 << 19 } else { answer.len() });
    assert!(
        response.body.iter().all(|byte| said.any(|other| other == byte)),
        "a body from nowhere"
    );
}

/// Whether there is an empty line: the end of a head.
fn is_ended(answer: &[u8]) -> bool {
    let twice = [answer, answer].concat();
    let has = |end: &[u8]| twice.windows(end.len()).any(|window| window == end);
    has(b"\n\r\n") || has(b"\n\n")
}

/// One length, and as many bytes.
fn is_clear_where_it_ends(first: &Response, answer: &[u8], manner: Manner) {
    let has = |name: HeaderName| first.headers.contains_key(name);
    assert!(!(has(CONTENT_LENGTH) && has(TRANSFER_ENCODING)), "kept between two lengths");
    let length =
        first.headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
    let is_bodiless = matches!(first.status.as_u16(), 204 | 304);
    let is_short = length.is_some_and(|length: usize| length > answer.len());
    assert!(manner.goes_on() || is_bodiless || !is_short, "kept in the middle of a body");
}

/// A receiver that is not where we think it is would answer the second request with the rest of its
/// first answer.
fn is_the_same_again(
    first: &Response,
    second: Result<Response, webhook_core::transport::TransportError>,
) {
    match second {
        Ok(second) => {
            assert_eq!(second.status, first.status, "an answer of before is paired with a request");
            assert_eq!(second.headers, first.headers);
            assert_eq!(second.body, first.body);
        }
        Err(error) => {
            let kind = error.kind();
            let is_waiting = kind == TransportErrorKind::Timeout(Phase::Head);
            assert!(!is_waiting, "the second answer was swallowed");
        }
    }
}

/// What is recorded can be shown, and the engine knows what to do.
fn is_told(answered: Result<Response, webhook_core::transport::TransportError>) {
    let outcome = answered.map_or_else(Outcome::NotAnswered, Outcome::Answered);
    let _ = classify(&outcome, Timestamp::default());
    if let Some(failure) = Failure::of(&outcome) {
        assert!(failure.text.len() <= Failure::MAX_TEXT);
        assert!(is_harmless(&failure.text), "{:?}", failure.text);
    }
}

/// Answers two requests in its manner, and says how much it has written.
async fn receive(
    mut stream: DuplexStream,
    manner: Manner,
    answer: Bytes,
    said: Arc<Notify>,
) -> usize {
    let mut written = 0;
    for _ in 0..2 {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n{}") {
            if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
                return written;
            }
        }
        loop {
            for piece in answer.chunks(manner.piece()) {
                if stream.write_all(piece).await.is_err() {
                    return written;
                }
                written += piece.len();
                if manner.piece() < usize::MAX {
                    tokio::task::yield_now().await;
                }
            }
            if !manner.goes_on() || answer.is_empty() || written >= ENDLESS {
                break;
            }
        }
        said.notify_one();
        if manner.closes() {
            return written;
        }
    }
    std::future::pending().await
}
