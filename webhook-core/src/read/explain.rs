//! Explanations of a delivery's state, for people.
//!
//! [`explain`] is a function of the stored records. It returns the outcome of each attempt and its
//! meaning, the next step, and what prevents it.

mod display;
mod next;
mod tenant;

use std::time::Duration;

pub use next::{NextAttempt, PolicyWait, WaitRule};
pub use tenant::{TenantExplanation, explain_to_tenant};

use crate::model::{
    attempt::{Attempt, FailureKind},
    delivery::{Delivery, DeliveryStatus},
    endpoint::Endpoint,
    endpoint_state::{DisabledReason, EndpointState},
    filter::EventFilter,
    health::Condition,
    id::DeliveryId,
    rate::RateLimit,
    time::Timestamp,
    trigger::Trigger,
    worker::WorkerName,
};

/// Explanation of a delivery's state. Its `Display` is a page for people.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// What it is about.
    pub subject: String,
    /// Why the endpoint gets the event.
    pub wanted: Wanted,
    /// What each attempt came to, the first one first.
    pub attempts: Vec<ExplainedAttempt>,
    /// Where it stands.
    pub standing: Standing,
}

/// Why an endpoint gets an event.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Wanted {
    /// By this filter.
    By(EventFilter),
    /// Its filters have been changed, and want it no more; what is stored is delivered all the
    /// same.
    NotAnyMore,
    /// The endpoint was removed, or this was sent without one.
    NoEndpoint,
}

/// What an attempt came to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ExplainedAttempt {
    /// Its number.
    pub number: u32,
    /// Why it was made.
    pub trigger: Trigger,
    /// How long ago it began.
    pub ago: Duration,
    /// What happened.
    pub what: String,
    /// What that means.
    pub meaning: &'static str,
}

/// State of a delivery, with the reason for it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Standing {
    /// The delivery has succeeded.
    Delivered,
    /// The delivery has failed, for this reason.
    Failed(&'static str),
    /// The delivery has failed, for this reason, and blocks its order queue until it is redelivered
    /// or skipped.
    Blocks(&'static str),
    /// The delivery is cancelled.
    Cancelled,
    /// The endpoint was disabled when the event was routed.
    Missed,
    /// An attempt is in flight.
    InFlight {
        /// Which one, where it has a name.
        worker: Option<WorkerName>,
        /// Since how long.
        since: Duration,
        /// How long its lease still holds.
        left: Option<Duration>,
    },
    /// The lease of this worker, which may have no name, expired this long ago.
    Lost(Option<WorkerName>, Duration),
    /// The next attempt is due later.
    Scheduled {
        /// For how long.
        wait: Duration,
        /// Which attempt it is then, where that is known.
        attempt: Option<NextAttempt>,
        /// What set the time, where that is known.
        rule: Option<WaitRule>,
    },
    /// The delivery has been due for this long, and waits for a worker with a free slot.
    Due(Duration),
    /// The delivery is due, but its endpoint cools down for this long: after this many failures in
    /// a row, or because the receiver asked for a pause.
    CoolingDown(Duration, Option<u32>),
    /// The delivery is due, but its endpoint has this rate limit.
    RateLimited(RateLimit),
    /// The delivery waits for this earlier one of its ordering key.
    Behind(DeliveryId),
    /// The delivery is blocked by this earlier one of its ordering key, which failed this long ago.
    Blocked(DeliveryId, Duration),
    /// The endpoint is paused.
    Paused,
    /// The endpoint is disabled, for this reason.
    Disabled(&'static str),
}

/// Explains a delivery by its record, its endpoint as it is now, the first one of the line in which
/// it stands, if it does, and the time by the store's clock.
pub fn explain(
    delivery: &Delivery,
    attempts: &[Attempt],
    endpoint: Option<&Endpoint>,
    first: Option<&Delivery>,
    now: Timestamp,
) -> Explanation {
    let explained = attempts.iter().map(|attempt| ExplainedAttempt {
        number: attempt.number,
        trigger: attempt.trigger,
        ago: now.since(attempt.started_at),
        what: outcome_text(attempt),
        meaning: meaning(attempt),
    });
    Explanation {
        subject: format!(
            "{} of {} to {}: {}",
            delivery.id, delivery.event_type, delivery.url, delivery.status
        ),
        wanted: wanted(delivery, endpoint),
        attempts: explained.collect(),
        standing: standing(delivery, attempts, endpoint, first, now),
    }
}

fn wanted(delivery: &Delivery, endpoint: Option<&Endpoint>) -> Wanted {
    let Some(endpoint) = endpoint else { return Wanted::NoEndpoint };
    let filter = endpoint.filters.iter().find(|filter| filter.matches(&delivery.event_type));
    filter.map_or(Wanted::NotAnyMore, |filter| Wanted::By(filter.clone()))
}

fn outcome_text(attempt: &Attempt) -> String {
    match (&attempt.failure, attempt.status) {
        (Some(failure), _) => failure.to_string(),
        (None, Some(status)) => format!("status {status}"),
        (None, None) => "nothing on record".to_owned(),
    }
}

/// What the record of an attempt means.
pub(crate) fn meaning(attempt: &Attempt) -> &'static str {
    let kind = attempt.failure.as_ref().map(|failure| failure.kind);
    match (kind, attempt.status) {
        (None, _) => "the receiver has it",
        (Some(FailureKind::Status), Some(status)) => meaning_of_status(status),
        (Some(kind), _) => meaning_of_kind(kind),
    }
}

const fn meaning_of_status(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are never followed: the endpoint's URL has to change",
        401 | 403 => "the receiver did not trust the request: compare its secret",
        404 | 405 => "the receiver has nothing at this URL",
        410 => "the receiver wants nothing more, ever",
        413 => "the receiver takes no body of this size",
        429 => "the receiver asks for fewer requests",
        400..=499 => "the receiver refused it",
        _ => "the receiver has trouble of its own",
    }
}

const fn meaning_of_kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Blocked => "the address is not public: nothing was sent",
        FailureKind::Resolve => "the receiver's name leads nowhere",
        FailureKind::Connect => "nobody answers at the receiver's address",
        FailureKind::Tls => "the receiver offers no connection that can be trusted",
        FailureKind::Timeout => "no answer in time: the receiver may have it all the same",
        FailureKind::StaleConnection => {
            "a kept connection was closed: says nothing of the receiver"
        }
        FailureKind::Interrupted => {
            "the connection broke off: the receiver may have it all the same"
        }
        FailureKind::Protocol => "the answer is no HTTP that we understand",
        FailureKind::Local => "our own fault: does not count against the receiver",
        FailureKind::Unknown => "our worker was lost: the receiver may have it all the same",
        FailureKind::Status | FailureKind::Other => "it failed",
    }
}

fn standing(
    delivery: &Delivery,
    attempts: &[Attempt],
    endpoint: Option<&Endpoint>,
    first: Option<&Delivery>,
    now: Timestamp,
) -> Standing {
    match delivery.status {
        DeliveryStatus::Success => Standing::Delivered,
        DeliveryStatus::Cancelled => Standing::Cancelled,
        DeliveryStatus::Missed => Standing::Missed,
        DeliveryStatus::Failed if first.is_some_and(|first| first.id == delivery.id) => {
            Standing::Blocks(fail_reason(attempts.last()))
        }
        DeliveryStatus::Failed => Standing::Failed(fail_reason(attempts.last())),
        DeliveryStatus::InFlight => in_flight(delivery, endpoint, now),
        DeliveryStatus::Pending => pending(delivery, attempts, endpoint, first, now),
    }
}

fn fail_reason(last: Option<&Attempt>) -> &'static str {
    let Some(last) = last else { return "it could not be read, or its endpoint was gone" };
    match (last.status, last.failure.as_ref().map(|failure| failure.kind)) {
        (Some(410), _) => "the receiver wants nothing more, ever",
        (_, Some(FailureKind::Blocked)) => {
            "the address is not allowed, and the URL would not change"
        }
        _ => "the retry policy allows no further attempt",
    }
}

/// Returns the state of a delivery whose lease has not been released.
fn in_flight(delivery: &Delivery, endpoint: Option<&Endpoint>, now: Timestamp) -> Standing {
    let worker = delivery.claimed_by.clone();
    match delivery.leased_until {
        Some(until) if until <= now => {
            let lost = || Standing::Lost(worker, now.since(until));
            endpoint.and_then(inactive).unwrap_or_else(lost)
        }
        until => {
            let since = now.since(delivery.last_attempt_at.unwrap_or(now));
            Standing::InFlight { worker, since, left: until.map(|until| until.since(now)) }
        }
    }
}

/// Returns the state of deliveries of an endpoint that is not active; `None` if it is active.
const fn inactive(endpoint: &Endpoint) -> Option<Standing> {
    match endpoint.state {
        EndpointState::Active => None,
        EndpointState::Paused => Some(Standing::Paused),
        EndpointState::Disabled(DisabledReason::ByHand) => Some(Standing::Disabled("by hand")),
        EndpointState::Disabled(DisabledReason::Gone) => {
            Some(Standing::Disabled("it answered 410 Gone"))
        }
        EndpointState::Disabled(DisabledReason::Failing) => {
            Some(Standing::Disabled("for days nothing but failures"))
        }
    }
}

/// Returns the state of a pending delivery. The endpoint may prevent an attempt, regardless of the
/// due time.
fn pending(
    delivery: &Delivery,
    attempts: &[Attempt],
    endpoint: Option<&Endpoint>,
    first: Option<&Delivery>,
    now: Timestamp,
) -> Standing {
    if let Some(off) = endpoint.and_then(inactive) {
        return off;
    }
    if let Some(first) = first.filter(|first| first.id != delivery.id) {
        return queued_behind(first, now);
    }
    let due_at = delivery.due_at.unwrap_or(now);
    let condition = endpoint.map(|endpoint| endpoint.health.condition());
    match (condition, endpoint.and_then(|endpoint| endpoint.rate)) {
        (Some(Condition::CoolingDown { failures, until }), _) if until > now.max(due_at) => {
            Standing::CoolingDown(until.since(now), (failures > 0).then_some(failures))
        }
        _ if due_at > now => scheduled(delivery, attempts, endpoint, due_at.since(now)),
        (_, Some(rate)) => Standing::RateLimited(rate),
        _ => Standing::Due(now.since(due_at)),
    }
}

/// Returns the state of a delivery behind the first one of its order queue.
fn queued_behind(first: &Delivery, now: Timestamp) -> Standing {
    if first.status.is_final() {
        let since = first.last_attempt_at.unwrap_or(first.created_at);
        Standing::Blocked(first.id, now.since(since))
    } else {
        Standing::Behind(first.id)
    }
}

fn scheduled(
    delivery: &Delivery,
    attempts: &[Attempt],
    endpoint: Option<&Endpoint>,
    wait: Duration,
) -> Standing {
    let policy = endpoint.map(|endpoint| &endpoint.retry);
    let by_last = |policy| next::rule(delivery, attempts.last()?, policy);
    let attempt = policy.map(|policy| next::next_attempt(delivery, policy));
    Standing::Scheduled { wait, attempt, rule: policy.and_then(by_last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_has_a_meaning_of_its_own() {
        let kinds = ["blocked", "resolve", "connect", "tls", "timeout", "stale-connection"];
        let more = ["interrupted", "protocol", "local", "unknown", "other"];
        let meaning = |kind: &&str| meaning_of_kind(kind.parse().unwrap());
        let meanings: std::collections::BTreeSet<_> =
            kinds.iter().chain(&more).map(meaning).collect();
        assert_eq!(meanings.len(), kinds.len() + more.len());
    }
}
