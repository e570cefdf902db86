//! Stored results of the demo, compared with the expected ones.

use std::collections::BTreeMap;

use serde::Serialize;
use webhook_registry::{Delivery, DeliveryStatus, FailureKind, Report, Webhooks, store::Backlog};

use super::{
    registered::RegisteredReceiver,
    script::{RECEIVERS, ScriptedReceiver},
};
use crate::{error::Error, output::Row};

/// A delivery and its attempts, as one row.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    receiver: &'static str,
    event: String,
    #[serde(rename = "type")]
    event_type: String,
    status: DeliveryStatus,
    /// Status or failure of each attempt.
    attempts: Vec<String>,
    took_ms: u128,
}

impl Row for Record {
    const HEAD: &'static [&'static str] =
        &["  RECEIVER", "EVENT", "STATUS", "ATTEMPTS", "EACH ANSWERED", "SENDING TOOK"];

    fn cells(&self) -> Vec<String> {
        let none = || vec!["not sent: waits until the endpoint is resumed".to_owned()];
        let attempts = if self.attempts.is_empty() { none() } else { self.attempts.clone() };
        vec![
            format!("  {}", self.receiver),
            self.event_type.clone(),
            self.status.to_string(),
            self.attempts.len().to_string(),
            attempts.join(", then "),
            format!("{} ms", self.took_ms),
        ]
    }
}

/// A condition that must hold at the end.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) holds: bool,
    pub(super) text: String,
}

impl Check {
    fn new(holds: bool, text: impl Into<String>) -> Self {
        Self { holds, text: text.into() }
    }

    /// Returns a check that compares a result with the expected one.
    fn equal(subject: &str, found: &str, expected: &str) -> Self {
        let but = if found == expected { "" } else { ", but expected " };
        let expected_too = if found == expected { "" } else { expected };
        Self::new(found == expected, format!("{subject} {found}{but}{expected_too}"))
    }
}

/// Reads the stored deliveries, ordered by receiver and event.
pub(super) async fn records(
    webhooks: &Webhooks,
    receivers: &[RegisteredReceiver],
    deliveries: Vec<Delivery>,
) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for receiver in receivers {
        let own = deliveries.iter().filter(|one| one.id.endpoint == receiver.endpoint);
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|delivery| delivery.id);
        for delivery in own {
            records.push(record(webhooks, receiver.script, delivery).await?);
        }
    }
    Ok(records)
}

async fn record(
    webhooks: &Webhooks,
    script: &'static ScriptedReceiver,
    delivery: &Delivery,
) -> Result<Record, Error> {
    let log = webhooks.operator().attempts(delivery.id).await?;
    let answer = |attempt: &webhook_registry::Attempt| match (attempt.status, &attempt.failure) {
        (Some(status), _) => status.to_string(),
        (None, Some(failure)) if failure.kind == FailureKind::Timeout => "no answer".to_owned(),
        (None, failure) => failure.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    Ok(Record {
        receiver: script.name,
        event: delivery.id.event.to_string(),
        event_type: delivery.event_type.to_string(),
        status: delivery.status,
        attempts: log.iter().map(answer).collect(),
        took_ms: log.iter().map(|attempt| attempt.duration.as_millis()).sum(),
    })
}

/// Returns all checks.
pub(super) async fn all(
    webhooks: &Webhooks,
    receivers: &[RegisteredReceiver],
    records: &[Record],
    report: Report,
    backlog: Backlog,
) -> Result<Vec<Check>, Error> {
    let mut checks: Vec<_> = receivers.iter().map(|receiver| ends(receiver, records)).collect();
    checks.extend(receivers.iter().map(|receiver| requests(receiver, records)));
    for receiver in receivers {
        let state = webhooks.operator().endpoint(receiver.endpoint).await?.state.to_string();
        let subject = format!("{} is now", receiver.script.name);
        checks.push(Check::equal(&subject, &state, receiver.script.state));
    }
    checks.push(left(records, report, backlog));
    Ok(checks)
}

/// Compares the deliveries of a receiver with its script.
fn ends(receiver: &RegisteredReceiver, records: &[Record]) -> Check {
    let mut found = BTreeMap::<_, usize>::new();
    for record in records.iter().filter(|record| record.receiver == receiver.script.name) {
        *found.entry((record.status, record.attempts.len())).or_default() += 1;
    }
    let ends = receiver.script.ends.iter();
    let expected: BTreeMap<_, _> =
        ends.map(|&(status, attempts, count)| ((status, attempts as usize), count)).collect();
    Check::equal(
        &format!("{}:", receiver.script.name),
        &counts_text(&found),
        &counts_text(&expected),
    )
}

/// `3 success with 1 attempt, ...`
fn counts_text(ends: &BTreeMap<(DeliveryStatus, usize), usize>) -> String {
    let counts = ends.iter().map(|((status, attempts), count)| {
        let plural = if *attempts == 1 { "" } else { "s" };
        format!("{count} {status} with {attempts} attempt{plural}")
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// Compares the requests that a receiver has seen with the stored attempts.
fn requests(receiver: &RegisteredReceiver, records: &[Record]) -> Check {
    let own = records.iter().filter(|record| record.receiver == receiver.script.name);
    let sent: BTreeMap<_, _> = own
        .filter(|record| !record.attempts.is_empty())
        .map(|record| (record.event.clone(), record.attempts.len()))
        .collect();
    let seen = receiver.requests.seen();
    let seen: BTreeMap<_, _> =
        seen.into_iter().map(|(event, times)| (event, times as usize)).collect();
    let (requests, unverified) = (seen.values().sum::<usize>(), receiver.requests.unverified());
    let text = format!(
        "{} saw what is on record and nothing else: {requests} x POST, each signature verified",
        receiver.script.name
    );
    Check::new(seen == sent && unverified == 0, text)
}

/// Compares the report of the dispatcher with the records, and checks that nothing is left.
fn left(records: &[Record], report: Report, backlog: Backlog) -> Check {
    let count = |wanted| records.iter().filter(|record| record.status == wanted).count();
    let (success, failed) = (count(DeliveryStatus::Success), count(DeliveryStatus::Failed));
    let expected =
        RECEIVERS.iter().flat_map(|script| script.ends).map(|(_, _, count)| count).sum::<usize>();
    let holds = (report.delivered, report.failed) == (success, failed)
        && (backlog.unrouted, backlog.in_flight, backlog.pending) == (0, 0, 0)
        && records.len() == expected;
    let waiting = backlog.waiting;
    let text = format!(
        "of {} deliveries {success} arrived, {failed} were given up, {waiting} wait for a disabled endpoint; nothing else is left",
        records.len()
    );
    Check::new(holds, text)
}
