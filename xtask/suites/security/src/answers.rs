//! E: Heads, framing and what an answer asks for.

use std::time::Duration;

use tokio::time::sleep;
use webhook_core::{
    Attempt, Outcome, RetryPolicy,
    policy::{Decision, FailReason},
    transport::{Response, Transport},
    view::{AttemptView, format_duration},
};

use crate::{
    decided,
    fixture::{Fixture, LATE_BYTES_WAIT, guarded, transport},
    ids::Id,
    script::Script,
};

pub(crate) async fn play(id: Id, input: &str) -> String {
    if id.number == 17 {
        return remembered(input).await;
    }
    let of = match id.number {
        15 => shown,
        16 => viewed,
        18..=28 => wait,
        _ => return guarded(input).await,
    };
    let fixture = Fixture::set(Script::read(input)).await;
    let held = fixture.exchange(&transport()).await;
    let broken = held.broken();
    of(&held.result.map_or_else(Outcome::NotAnswered, Outcome::Answered)) + &broken
}

fn attempt(outcome: &Outcome) -> Attempt {
    Attempt::record(1, decided::NOW, Duration::ZERO, outcome)
}

/// Text of the failure, as an operator reads it on a terminal.
fn shown(outcome: &Outcome) -> String {
    let text = attempt(outcome).failure.map_or_else(String::new, |failure| failure.text);
    format!("shown as \"{}\"", text.escape_debug())
}

/// Place of the response in the view of a customer.
fn viewed(outcome: &Outcome) -> String {
    let mut view = serde_json::to_value(AttemptView::of(&attempt(outcome))).unwrap_or_default();
    let response = view.as_object_mut().and_then(|view| view.remove("response"));
    let is_apart = response.is_some_and(|response| response.is_string());
    if is_apart && !view.to_string().contains('<') {
        "text in a field of its own, and what we say of it is ours".to_owned()
    } else {
        "mixed with what we say".to_owned()
    }
}

/// Number of requests that bring a cookie back.
async fn remembered(input: &str) -> String {
    let fixture = Fixture::set(Script::read(input)).await;
    let transport = transport();
    let broken = fixture.exchange(&transport).await.broken();
    sleep(LATE_BYTES_WAIT).await;
    let _ = transport.send(fixture.request(Default::default())).await;
    let requests = fixture.receiver.requests();
    if requests.iter().any(|request| request.headers.contains_key("cookie")) {
        return "the next brings it back".to_owned();
    }
    format!("none of {} requests has it{broken}", requests.len())
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
