//! C: Answers that point elsewhere.
//!
//! Where the answer says `169.254.169.254`, a canary listens: nobody may come, neither with this request
//! nor with the next.

use webhook_core::Transport;
use webhook_testkit::TestReceiver;

use crate::{
    case::Seen,
    fixture::{Fixture, transport},
    ids::Id,
    naive_sender::{self, NaiveSender, Post},
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

async fn unguarded(input: &str) -> String {
    let (fixture, elsewhere) = set(input).await;
    let took = NaiveSender::default().deliver(&Post::of(&fixture, "/first")).await;
    match elsewhere.requests().first() {
        Some(request) if !request.body.is_empty() => "goes there with the event".to_owned(),
        Some(_) => "goes there".to_owned(),
        None => naive_sender::outcome_text(&took, &fixture),
    }
}

/// The receiver, and the canary that it points to.
async fn set(input: &str) -> (Fixture, TestReceiver) {
    let elsewhere = TestReceiver::answering([200]).await;
    let input = input
        .replace("http://169.254.169.254/", &elsewhere.url())
        .replace("169.254.169.254:80", &elsewhere.addr().to_string());
    (Fixture::set(Script::read(&input)).await, elsewhere)
}
