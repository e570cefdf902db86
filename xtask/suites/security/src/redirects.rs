//! C: Answers that point elsewhere.
//!
//! Where the answer says `169.254.169.254`, a canary listens: nobody may come, neither with this request
//! nor with the next.

use webhook_core::Transport;
use webhook_testkit::TestReceiver;

use crate::{
    careless::{self, Careless, Post},
    case::Seen,
    ids::Id,
    script::Script,
    stage::{Stage, transport},
};

pub(crate) async fn play(_id: Id, input: &str) -> Seen {
    Seen::new(guarded(input).await, unguarded(input).await)
}

async fn guarded(input: &str) -> String {
    let (stage, elsewhere) = set(input).await;
    let transport = transport();
    let held = stage.exchange(&transport).await;
    // Some clients remember a place, and go there the next time.
    let again = transport.send(stage.request(Default::default())).await;
    let went = match (elsewhere.connections(), again) {
        (0, Ok(_)) => "nobody goes there".to_owned(),
        (0, Err(error)) => format!("the next {}", error.kind()),
        _ => "goes there".to_owned(),
    };
    format!("{}; {went}", held.told())
}

async fn unguarded(input: &str) -> String {
    let (stage, elsewhere) = set(input).await;
    let took = Careless::default().deliver(&Post::of(&stage, "/first")).await;
    match elsewhere.requests().first() {
        Some(request) if !request.body.is_empty() => "goes there with the event".to_owned(),
        Some(_) => "goes there".to_owned(),
        None => careless::told(&took, &stage),
    }
}

/// The receiver, and the canary that it points to.
async fn set(input: &str) -> (Stage, TestReceiver) {
    let elsewhere = TestReceiver::answering([200]).await;
    let input = input
        .replace("http://169.254.169.254/", &elsewhere.url())
        .replace("169.254.169.254:80", &elsewhere.addr().to_string());
    (Stage::set(Script::read(&input)).await, elsewhere)
}
