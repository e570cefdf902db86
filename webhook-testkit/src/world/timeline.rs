//! What happened, a line for each attempt.

use std::{collections::BTreeSet, fmt, time::Duration};

use expect_test::Expect;
use webhook_core::{
    Attempt, DeliveryStatus, FailureKind, Timestamp, signing::WEBHOOK_ID, store::Settle,
};

use super::finish_log::LoggedFinish;
use crate::{ManualClock, SentRequest};

/// What has happened in a [`World`](crate::World): a line for each attempt, in the order they were
/// written down.
///
/// `00:00:05  attempt 2  timeout        retry at 00:05:35`: when it began (hours, minutes and seconds
/// of the world's life), its number, what came back, and what follows. When there is more than one
/// delivery, each line ends with the event's type and where it went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Timeline(String);

impl Timeline {
    /// Compares with what is expected; `UPDATE_EXPECT=1` writes what is into the test.
    pub fn assert_eq(&self, expected: Expect) {
        expected.assert_eq(&self.0);
    }

    pub(super) fn of(finished: &[LoggedFinish], sent: &[SentRequest]) -> Self {
        let deliveries: BTreeSet<_> = finished.iter().map(|logged| logged.delivery.id).collect();
        let mut text = String::new();
        for logged in finished {
            for line in lines(logged, sent) {
                text.push_str(&line);
                if deliveries.len() > 1 {
                    let delivery = &logged.delivery;
                    text.push_str(&format!("  {} to {}", delivery.event_type, delivery.url));
                }
                text.push('\n');
            }
        }
        Self(text)
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A line for each attempt of a finish: lost ones first, then the one that was made.
fn lines(logged: &LoggedFinish, sent: &[SentRequest]) -> Vec<String> {
    let made = logged.finish.attempts.last().filter(|attempt| !is_lost(attempt));
    let lost = logged.finish.attempts.iter().filter(|attempt| is_lost(attempt));
    let mut lines: Vec<_> = lost.map(|attempt| line(attempt, "unknown", "lost")).collect();
    match made {
        Some(attempt) => {
            lines.push(line(attempt, &came_back(logged, attempt, sent), &follows(logged)));
        }
        None => lines.push(format!("{}  not sent, {}", clock_time(logged.at), follows(logged))),
    }
    lines
}

fn line(attempt: &Attempt, came_back: &str, follows: &str) -> String {
    let began = clock_time(attempt.started_at);
    format!("{began}  attempt {}  {came_back:<14} {follows}", attempt.number)
}

fn is_lost(attempt: &Attempt) -> bool {
    attempt.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Unknown)
}

/// The answer of the transport's script, as far as the attempt came to the transport.
fn came_back(logged: &LoggedFinish, attempt: &Attempt, sent: &[SentRequest]) -> String {
    let event = logged.delivery.id.event.to_string();
    let mut answers = sent.iter().filter(|sent| {
        let id = sent.request.headers.get(WEBHOOK_ID);
        sent.at == attempt.started_at
            && sent.request.url == logged.delivery.url
            && id.is_some_and(|id| id.as_bytes() == event.as_bytes())
    });
    match (answers.next(), &attempt.failure) {
        (Some(sent), _) => sent.answer.to_string(),
        (None, Some(failure)) => failure.kind.to_string(),
        (None, None) => attempt.status.unwrap_or_default().to_string(),
    }
}

fn follows(logged: &LoggedFinish) -> String {
    match logged.finish.settle {
        _ if logged.delivery.status == DeliveryStatus::Cancelled => "cancelled".to_owned(),
        Settle::Success => "success".to_owned(),
        Settle::Failed => "failed".to_owned(),
        Settle::Retry(wait) => format!("retry at {}", clock_time(logged.at.after(wait))),
    }
}

/// Hours, minutes and seconds since the world began; milliseconds where there are any.
fn clock_time(at: Timestamp) -> String {
    let age: Duration = at.since(ManualClock::START);
    let (secs, millis) = (age.as_secs(), age.subsec_millis());
    let whole = format!("{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60);
    if millis == 0 { whole } else { format!("{whole}.{millis:03}") }
}
