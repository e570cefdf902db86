//! E: Heads, framing and what an answer asks for.

use std::time::Duration;

use tokio::time::sleep;
use webhook_core::{
    Attempt, AttemptView, Decision, FailReason, Outcome, Response, RetryPolicy, Transport,
    format_duration,
};

use crate::{
    case::Seen,
    decided,
    fixture::{Fixture, LATE_BYTES_WAIT, guarded, transport},
    ids::Id,
    naive_sender::{self, NaiveSender, Post, Took, unguarded},
    script::Script,
};

pub(crate) async fn play(id: Id, input: &str) -> Seen {
    match id.number {
        15 => shown(input).await,
        16 => viewed(input).await,
        17 => remembered(input).await,
        18..=28 => waited(input).await,
        _ => Seen::new(guarded(input).await, unguarded(input).await),
    }
}

/// What our transport comes to, and the bounds that it breaks.
async fn answer(input: &str) -> (Outcome, String) {
    let fixture = Fixture::set(Script::read(input)).await;
    let held = fixture.exchange(&transport()).await;
    let broken = held.broken();
    (held.result.map_or_else(Outcome::NotAnswered, Outcome::Answered), broken)
}

async fn naive_answer(input: &str) -> Option<naive_sender::NaiveAnswer> {
    let fixture = Fixture::set(Script::read(input)).await;
    match NaiveSender::default().deliver(&Post::of(&fixture, "/first")).await {
        Took::Success(answer) | Took::GivesUp(Some(answer)) => Some(answer),
        _ => None,
    }
}

fn attempt(outcome: &Outcome) -> Attempt {
    Attempt::record(1, decided::NOW, Duration::ZERO, outcome)
}

/// What an operator reads about it, on a terminal.
async fn shown(input: &str) -> Seen {
    let (outcome, broken) = answer(input).await;
    let text = attempt(&outcome).failure.map_or_else(String::new, |failure| failure.text);
    let body = naive_answer(input).await.map(|answer| answer.body).unwrap_or_default();
    let naive = String::from_utf8_lossy(&body).into_owned();
    Seen::new(is_shown(&text) + &broken, is_shown(&naive))
}

fn is_shown(text: &str) -> String {
    format!("shown as \"{}\"", text.escape_debug())
}

/// What a customer sees of it, on a page.
async fn viewed(input: &str) -> Seen {
    let (outcome, broken) = answer(input).await;
    let mut view = serde_json::to_value(AttemptView::of(&attempt(&outcome))).unwrap_or_default();
    let response = view.as_object_mut().and_then(|view| view.remove("response"));
    let is_apart = response.is_some_and(|response| response.is_string());
    let guarded = if is_apart && !view.to_string().contains('<') {
        "text in a field of its own, and what we say of it is ours"
    } else {
        "mixed with what we say"
    };
    let body = naive_answer(input).await.map(|answer| answer.body).unwrap_or_default();
    let page = format!("<p>failed: {}</p>", String::from_utf8_lossy(&body));
    let unguarded = if page.contains("<script>") { "runs on its page" } else { "is text" };
    Seen::new(guarded.to_owned() + &broken, unguarded)
}

/// Whether the next request says who it is.
async fn remembered(input: &str) -> Seen {
    let fixture = Fixture::set(Script::read(input)).await;
    let transport = transport();
    let broken = fixture.exchange(&transport).await.broken();
    sleep(LATE_BYTES_WAIT).await;
    let _ = transport.send(fixture.request(Default::default())).await;
    let guarded = has_cookie(&fixture) + &broken;

    let fixture = Fixture::set(Script::read(input)).await;
    let mut naive = NaiveSender::default();
    for path in ["/first", "/next"] {
        naive.deliver(&Post::of(&fixture, path)).await;
    }
    Seen::new(guarded, has_cookie(&fixture))
}

fn has_cookie(fixture: &Fixture) -> String {
    let requests = fixture.receiver.requests();
    if requests.iter().any(|request| request.headers.contains_key("cookie")) {
        return "the next brings it back".to_owned();
    }
    format!("none of {} requests has it", requests.len())
}

/// When it is tried again.
async fn waited(input: &str) -> Seen {
    let (outcome, broken) = answer(input).await;
    let fixture = Fixture::set(Script::read(input)).await;
    let took = NaiveSender::default().deliver(&Post::of(&fixture, "/first")).await;
    Seen::new(wait(&outcome) + &broken, naive_sender::outcome_text(&took, &fixture))
}

/// What the core decides about a first attempt. Without jitter it shows whose the wait is.
fn wait(outcome: &Outcome) -> String {
    let policy = RetryPolicy::durable().with_jitter_percent(0);
    let plain = decided::after(&without_headers(outcome), &policy);
    match decided::after(outcome, &policy) {
        decided @ Decision::Retry { wait, .. } if decided == plain => {
            format!("waits {}, as after any failure", format_duration(wait))
        }
        Decision::Retry { wait, .. } if wait == policy.max_retry_after() => {
            format!("waits {}, the longest there is", format_duration(wait))
        }
        Decision::Retry { wait, .. } => format!("waits {}", format_duration(wait)),
        Decision::Fail(FailReason::Gone) => "never sends there again".to_owned(),
        decided => format!("{decided:?}"),
    }
}

fn without_headers(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Answered(response) => Outcome::Answered(Response::new(response.status)),
        _ => Outcome::Unknown,
    }
}
