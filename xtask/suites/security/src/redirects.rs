//! C: Answers that point elsewhere.
//!
//! Where the answer says `169.254.169.254`, a canary listens: nobody may come, neither with this request
//! nor with the next.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use webhook_core::transport::Transport;
use webhook_testkit::TestReceiver;

use crate::{
    case::Seen,
    fixture::{Fixture, transport},
    ids::Id,
    script::Script,
};

pub(crate) async fn play(_id: Id, input: &str) -> Seen {
    Seen::new(guarded(input).await, unguarded(input).await)
}

async fn guarded(input: &str) -> String {
    let (fixture, elsewhere) = set(input).await;
    let transport = transport();
    let held = fixture.exchange(&transport).await;
    // Some clients remember a place, and go there the next time.
    let again = transport.send(fixture.request(Default::default())).await;
    let went = match (elsewhere.connections(), again) {
        (0, Ok(_)) => "nobody goes there".to_owned(),
        (0, Err(error)) => format!("the next {}", error.kind()),
        _ => "goes there".to_owned(),
    };
    format!("{}; {went}", held.outcome_text())
}

/// A sender that follows the first place that a response names.
async fn unguarded(input: &str) -> String {
    let (fixture, elsewhere) = set(input).await;
    follow(&fixture).await;
    match elsewhere.requests().first() {
        Some(request) if !request.body.is_empty() => "goes there with the event".to_owned(),
        Some(_) => "goes there".to_owned(),
        None => "nobody goes there".to_owned(),
    }
}

async fn follow(fixture: &Fixture) -> Option<()> {
    let head = naive_post(&fixture.url("/first")).await?;
    let place = head.lines().find_map(|line| line.strip_prefix("location: "))?;
    naive_post(place).await.map(drop)
}

/// Posts an event and returns the head of the response.
async fn naive_post(url: &str) -> Option<String> {
    let at = url.strip_prefix("http://")?.split('/').next()?;
    let mut stream = TcpStream::connect(at).await.ok()?;
    let request = format!("POST / HTTP/1.1\r\nhost: {at}\r\ncontent-length: 2\r\n\r\n{{}}");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_buf(&mut head).await.ok().filter(|read| *read > 0)?;
    }
    String::from_utf8(head).ok()
}

/// The receiver, and the canary that it points to.
async fn set(input: &str) -> (Fixture, TestReceiver) {
    let elsewhere = TestReceiver::answering([200]).await;
    let input = input
        .replace("http://169.254.169.254/", &elsewhere.url())
        .replace("169.254.169.254:80", &elsewhere.addr().to_string());
    (Fixture::set(Script::read(&input)).await, elsewhere)
}
