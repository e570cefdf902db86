//! What the demo left on record, and whether it is what it had to be.

use std::collections::BTreeMap;

use serde::Serialize;
use webhook_registry::{Backlog, Delivery, DeliveryStatus, FailureKind, Report, Webhooks};

use super::{
    actor::Actor,
    cast::{CAST, Role},
};
use crate::{error::Error, output::Row};

/// A delivery and its attempts, in one line.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    receiver: &'static str,
    event: String,
    #[serde(rename = "type")]
    event_type: String,
    status: DeliveryStatus,
    /// Each attempt: a status, or what went wrong.
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

/// Something that has to be true at the end.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) holds: bool,
    pub(super) text: String,
}

impl Check {
    fn new(holds: bool, text: impl Into<String>) -> Self {
        Self { holds, text: text.into() }
    }

    /// That something came out as expected.
    fn equal(subject: &str, found: &str, expected: &str) -> Self {
        let but = if found == expected { "" } else { ", but expected " };
        let expected_too = if found == expected { "" } else { expected };
        Self::new(found == expected, format!("{subject} {found}{but}{expected_too}"))
    }
}

/// Reads what is on record, in the order of the cast, then of the events.
pub(super) async fn records(
    webhooks: &Webhooks,
    actors: &[Actor],
    deliveries: Vec<Delivery>,
) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for actor in actors {
        let own = deliveries.iter().filter(|one| one.id.endpoint == actor.endpoint);
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|delivery| delivery.id);
        for delivery in own {
            records.push(record(webhooks, actor.role, delivery).await?);
        }
    }
    Ok(records)
}

async fn record(
    webhooks: &Webhooks,
    role: &'static Role,
    delivery: &Delivery,
) -> Result<Record, Error> {
    let log = webhooks.operator().attempts(delivery.id).await?;
    let answer = |attempt: &webhook_registry::Attempt| match (attempt.status, &attempt.failure) {
        (Some(status), _) => status.to_string(),
        (None, Some(failure)) if failure.kind == FailureKind::Timeout => "no answer".to_owned(),
        (None, failure) => failure.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    Ok(Record {
        receiver: role.name,
        event: delivery.id.event.to_string(),
        event_type: delivery.event_type.to_string(),
        status: delivery.status,
        attempts: log.iter().map(answer).collect(),
        took_ms: log.iter().map(|attempt| attempt.duration.as_millis()).sum(),
    })
}

/// Everything that has to be true.
pub(super) async fn all(
    webhooks: &Webhooks,
    actors: &[Actor],
    records: &[Record],
    report: Report,
    backlog: Backlog,
) -> Result<Vec<Check>, Error> {
    let mut checks: Vec<_> = actors.iter().map(|actor| ends(actor, records)).collect();
    checks.extend(actors.iter().map(|actor| ledger(actor, records)));
    for actor in actors {
        let state = webhooks.operator().endpoint(actor.endpoint).await?.state.to_string();
        let subject = format!("{} is now", actor.role.name);
        checks.push(Check::equal(&subject, &state, actor.role.state));
    }
    checks.push(left(records, report, backlog));
    Ok(checks)
}

/// Whether the deliveries of a receiver ended as its role says.
fn ends(actor: &Actor, records: &[Record]) -> Check {
    let mut found = BTreeMap::<_, usize>::new();
    for record in records.iter().filter(|record| record.receiver == actor.role.name) {
        *found.entry((record.status, record.attempts.len())).or_default() += 1;
    }
    let ends = actor.role.ends.iter();
    let expected: BTreeMap<_, _> =
        ends.map(|&(status, attempts, count)| ((status, attempts as usize), count)).collect();
    Check::equal(&format!("{}:", actor.role.name), &told(&found), &told(&expected))
}

/// `3 success with 1 attempt, ...`
fn told(ends: &BTreeMap<(DeliveryStatus, usize), usize>) -> String {
    let told = ends.iter().map(|((status, attempts), count)| {
        let plural = if *attempts == 1 { "" } else { "s" };
        format!("{count} {status} with {attempts} attempt{plural}")
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Whether a receiver's own ledger holds what is on record, and nothing besides.
fn ledger(actor: &Actor, records: &[Record]) -> Check {
    let own = records.iter().filter(|record| record.receiver == actor.role.name);
    let sent: BTreeMap<_, _> = own
        .filter(|record| !record.attempts.is_empty())
        .map(|record| (record.event.clone(), record.attempts.len()))
        .collect();
    let seen = actor.ledger.seen();
    let seen: BTreeMap<_, _> =
        seen.into_iter().map(|(event, times)| (event, times as usize)).collect();
    let (requests, unverified) = (seen.values().sum::<usize>(), actor.ledger.unverified());
    let text = format!(
        "{} saw what is on record and nothing else: {requests} x POST, each signature verified",
        actor.role.name
    );
    Check::new(seen == sent && unverified == 0, text)
}

/// Whether the engine's own report agrees, and nothing is left.
fn left(records: &[Record], report: Report, backlog: Backlog) -> Check {
    let count = |wanted| records.iter().filter(|record| record.status == wanted).count();
    let (success, failed) = (count(DeliveryStatus::Success), count(DeliveryStatus::Failed));
    let expected = CAST.iter().flat_map(|role| role.ends).map(|(_, _, count)| count).sum::<usize>();
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
