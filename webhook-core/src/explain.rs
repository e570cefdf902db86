//! Why a delivery is where it is, for people.
//!
//! [`explain`] is a function of what is on record. It says what each attempt came to and what that
//! means, what happens next, and what stands in the way.

mod tenant;

use std::{fmt, time::Duration};

pub use tenant::{TenantExplanation, explain_to_tenant};

use crate::{
    attempt::{Attempt, FailureKind},
    delivery::{Delivery, DeliveryStatus},
    duration::format_duration,
    endpoint::{DisabledReason, Endpoint, EndpointState},
    filter::EventFilter,
    health::Condition,
    id::DeliveryId,
    rate::RateLimit,
    time::Timestamp,
    trigger::Trigger,
};

/// Why a delivery is where it is. Its `Display` is a page for people.
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
    /// Its filters have been changed, and want it no more; what is stored is delivered all the same.
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

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Standing {
    /// It is delivered.
    Delivered,
    /// It was given up.
    GivenUp(&'static str),
    /// It was given up, and those behind it in its line wait until somebody does something.
    Blocks(&'static str),
    /// It was called off.
    Cancelled,
    /// Its endpoint was disabled when the event came.
    Missed,
    /// A worker has it, since so long.
    InFlight(Duration),
    /// Its time has not come, for so long.
    NotYet(Duration),
    /// It has been due for so long, and waits for a worker with a free slot.
    Due(Duration),
    /// It is due, but its endpoint is left alone for so long: it failed too often in a row, or asked
    /// for a pause.
    Resting(Duration, Option<u32>),
    /// It is due, and its endpoint gets no more than this a second.
    Limited(RateLimit),
    /// It waits for this earlier one of its ordering key.
    Behind(DeliveryId),
    /// This earlier one of its ordering key was given up so long ago, and blocks it.
    Blocked(DeliveryId, Duration),
    /// Its endpoint is paused.
    Paused,
    /// Its endpoint is disabled, and why.
    Disabled(&'static str),
}

/// Explains a delivery by its record, its endpoint as it is now, the first one of the line in which it
/// stands, if it does, and the time by the store's clock.
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
        what: what(attempt),
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

fn what(attempt: &Attempt) -> String {
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
            Standing::Blocks(why_given_up(attempts.last()))
        }
        DeliveryStatus::Failed => Standing::GivenUp(why_given_up(attempts.last())),
        DeliveryStatus::InFlight => {
            Standing::InFlight(now.since(delivery.last_attempt_at.unwrap_or(now)))
        }
        DeliveryStatus::Pending => waiting(delivery, endpoint, first, now),
    }
}

fn why_given_up(last: Option<&Attempt>) -> &'static str {
    let Some(last) = last else { return "it could not be read, or its endpoint was gone" };
    match (last.status, last.failure.as_ref().map(|failure| failure.kind)) {
        (Some(410), _) => "the receiver wants nothing more, ever",
        (_, Some(FailureKind::Blocked)) => {
            "the address is not allowed, and the URL would not change"
        }
        _ => "the retry policy allows no further attempt",
    }
}

/// Why a pending delivery waits: its endpoint may stand in the way, whatever its time.
fn waiting(
    delivery: &Delivery,
    endpoint: Option<&Endpoint>,
    first: Option<&Delivery>,
    now: Timestamp,
) -> Standing {
    match endpoint.map(|endpoint| endpoint.state) {
        Some(EndpointState::Paused) => return Standing::Paused,
        Some(EndpointState::Disabled(DisabledReason::ByHand)) => {
            return Standing::Disabled("by hand");
        }
        Some(EndpointState::Disabled(DisabledReason::Gone)) => {
            return Standing::Disabled("it answered 410 Gone");
        }
        Some(EndpointState::Disabled(DisabledReason::Failing)) => {
            return Standing::Disabled("for days nothing but failures");
        }
        Some(EndpointState::Active) | None => {}
    }
    if let Some(first) = first.filter(|first| first.id != delivery.id) {
        return behind(first, now);
    }
    let due_at = delivery.due_at.unwrap_or(now);
    let condition = endpoint.map(|endpoint| endpoint.health.condition());
    match (condition, endpoint.and_then(|endpoint| endpoint.rate)) {
        (Some(Condition::Cooling { failures, until }), _) if until > now.max(due_at) => {
            Standing::Resting(until.since(now), (failures > 0).then_some(failures))
        }
        _ if due_at > now => Standing::NotYet(due_at.since(now)),
        (_, Some(rate)) => Standing::Limited(rate),
        _ => Standing::Due(now.since(due_at)),
    }
}

/// What it means to stand behind the first one of a line.
fn behind(first: &Delivery, now: Timestamp) -> Standing {
    if first.status.is_final() {
        let since = first.last_attempt_at.unwrap_or(first.created_at);
        Standing::Blocked(first.id, now.since(since))
    } else {
        Standing::Behind(first.id)
    }
}

impl Explanation {
    /// All but where it stands.
    fn fmt_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        writeln!(f, "  {}", self.wanted)?;
        if self.attempts.is_empty() {
            writeln!(f, "  no attempt is on record")?;
        }
        self.attempts.iter().try_for_each(|attempt| write!(f, "{attempt}"))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_head(f)?;
        write!(f, "  {}", self.standing)
    }
}

impl fmt::Display for ExplainedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, trigger, ago, what, meaning } = self;
        let why = match trigger {
            Trigger::First | Trigger::Retry => "",
            Trigger::Manual => ", redelivered by hand",
            Trigger::Replay => ", by a replay",
            Trigger::Test => ", as a test",
        };
        writeln!(f, "  attempt {number}, {} ago{why}: {what}", seconds(*ago))?;
        writeln!(f, "    {meaning}")
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(filter) => write!(f, "the endpoint wants {filter}"),
            Self::NotAnyMore => f.write_str(
                "the endpoint wants such events no more; what came about before is delivered",
            ),
            Self::NoEndpoint => f.write_str("the endpoint was removed, or it was sent without one"),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("now: delivered; nothing is left to do"),
            Self::GivenUp(why) => write!(f, "now: given up, as {why}; redeliver it to try again"),
            Self::Blocks(why) => write!(
                f,
                "now: given up, as {why}; the later ones of its ordering key wait: redeliver it, or skip it"
            ),
            Self::Cancelled => f.write_str(
                "now: called off, by hand or with its endpoint; redeliver it to try again",
            ),
            Self::Missed => f.write_str(
                "now: missed, as the endpoint was disabled when the event came; enable it and replay",
            ),
            Self::InFlight(since) => write!(
                f,
                "now: a worker has it, for {}; if that worker is lost, another takes over when its lease ends",
                seconds(*since)
            ),
            Self::NotYet(wait) => write!(
                f,
                "next: an attempt in {}, by the retry policy or as the receiver asked",
                seconds(*wait)
            ),
            Self::Due(since) => write!(
                f,
                "next: due for {}; it waits for a worker with a free slot for this endpoint (does one run?)",
                seconds(*since)
            ),
            Self::Resting(wait, Some(failures)) => write!(
                f,
                "next: an attempt in {} or later, as the endpoint has failed {failures} times in a row and is left alone until then; one delivery is the probe, and no attempt is used up meanwhile",
                seconds(*wait)
            ),
            Self::Resting(wait, None) => write!(
                f,
                "next: an attempt in {} or later, as the receiver asked for a pause (429 or 503 with Retry-After)",
                seconds(*wait)
            ),
            Self::Limited(rate) => write!(
                f,
                "next: due; the endpoint gets {rate}, and others of it are before this one (does a worker run?)"
            ),
            Self::Behind(first) => {
                write!(f, "next: waits for an earlier delivery of its ordering key: {first}")
            }
            Self::Blocked(first, since) => write!(
                f,
                "next: nothing, blocked since an earlier delivery of its ordering key failed, {} ago: skip or redeliver {first}",
                seconds(*since)
            ),
            Self::Paused => f.write_str("next: nothing, as the endpoint is paused; resume it"),
            Self::Disabled(why) => {
                write!(f, "next: nothing, as the endpoint is disabled ({why}); enable it")
            }
        }
    }
}

/// In whole seconds: nobody asks for more.
fn seconds(time: Duration) -> String {
    format_duration(Duration::from_secs(time.as_secs()))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        attempt::{Failure, Outcome},
        id::{DeliveryId, EndpointId, EventId, TenantId},
    };

    const NOW: Timestamp = Timestamp::from_unix_secs(1_000_000);

    fn ago(secs: u64) -> Timestamp {
        NOW.before(Duration::from_secs(secs))
    }

    fn endpoint() -> Endpoint {
        let id = EndpointId::from_uuid(Uuid::from_u128(2));
        let endpoint = Endpoint::new(id, "https://billing.example/hooks?token=t".parse().unwrap());
        endpoint.with_filters(vec!["order.*".parse().unwrap(), "invoice.*".parse().unwrap()])
    }

    fn delivery(status: DeliveryStatus) -> Delivery {
        let id = DeliveryId::new(EventId::from_uuid(Uuid::from_u128(1)), endpoint().id);
        let event_type = "invoice.paid".parse().unwrap();
        let mut delivery =
            Delivery::new(id, TenantId::default(), event_type, endpoint().url, ago(600));
        (delivery.status, delivery.due_at) = (status, Some(ago(5)));
        delivery
    }

    fn attempt(
        number: u32,
        secs: u64,
        status: Option<u16>,
        failure: Option<(FailureKind, &str)>,
    ) -> Attempt {
        let failure = failure.map(|(kind, text)| Failure::new(kind, text));
        Attempt::from_parts(number, ago(secs), Duration::ZERO, status, failure, bytes::Bytes::new())
    }

    fn failed(number: u32, secs: u64, status: u16) -> Attempt {
        let text = format!("status {status}");
        attempt(number, secs, Some(status), Some((FailureKind::Status, &text)))
    }

    /// The page, without its first line.
    fn page(delivery: &Delivery, attempts: &[Attempt], endpoint: Option<&Endpoint>) -> String {
        page_behind(None, delivery, attempts, endpoint)
    }

    /// The same, where this one is the first of its line.
    fn page_behind(
        first: Option<&Delivery>,
        delivery: &Delivery,
        attempts: &[Attempt],
        endpoint: Option<&Endpoint>,
    ) -> String {
        let page = explain(delivery, attempts, endpoint, first, NOW).to_string();
        let (first, rest) = page.split_once('\n').unwrap();
        assert!(first.contains("invoice.paid to https://billing.example/hooks:"), "{first}");
        assert!(!page.contains("token"), "the query may be secret");
        rest.to_owned()
    }

    #[test]
    fn sixteen_situations_as_a_support_engineer_reads_them() {
        use DeliveryStatus::{Cancelled, Failed, InFlight, Missed, Pending, Success};
        let active = endpoint();
        let paused = endpoint().with_state(EndpointState::Paused);
        let gone = endpoint().with_state(EndpointState::Disabled(DisabledReason::Gone));
        let narrowed = endpoint().with_filters(vec!["order.*".parse().unwrap()]);
        let mut later = delivery(Pending);
        later.due_at = Some(NOW.after(Duration::from_secs(300)));
        let mut held = delivery(InFlight);
        held.last_attempt_at = Some(ago(3));
        let mut first = delivery(Pending);
        first.id = DeliveryId::new(EventId::from_uuid(Uuid::from_u128(9)), endpoint().id);
        let mut given_up = first.clone();
        (given_up.status, given_up.last_attempt_at) = (Failed, Some(ago(90)));
        let behind = first.id;
        let lost = Attempt::record(1, ago(60), Duration::ZERO, &Outcome::Unknown);
        let blocked = attempt(1, 9, None, Some((FailureKind::Blocked, "address not allowed")));
        let timeout = attempt(1, 40, None, Some((FailureKind::Timeout, "timed out")));
        let again = |number, why| attempt(number, 30, Some(200), None).with_trigger(why);
        let wants = "  the endpoint wants invoice.*\n";
        let table: Vec<(&str, String, String)> = vec![
            (
                "new, and nobody works",
                page(&delivery(Pending), &[], Some(&active)),
                format!("{wants}  no attempt is on record\n  next: due for 5s; it waits for a worker with a free slot for this endpoint (does one run?)"),
            ),
            (
                "tried again later",
                page(&later, &[failed(1, 20, 503)], Some(&active)),
                format!("{wants}  attempt 1, 20s ago: status 503\n    the receiver has trouble of its own\n  next: an attempt in 5m, by the retry policy or as the receiver asked"),
            ),
            (
                "under way",
                page(&held, &[timeout], Some(&active)),
                format!("{wants}  attempt 1, 40s ago: timed out\n    no answer in time: the receiver may have it all the same\n  now: a worker has it, for 3s; if that worker is lost, another takes over when its lease ends"),
            ),
            (
                "delivered after a worker was lost",
                page(&delivery(Success), &[lost, attempt(2, 10, Some(200), None)], Some(&active)),
                format!("{wants}  attempt 1, 1m ago: the worker was lost during this attempt\n    our worker was lost: the receiver may have it all the same\n  attempt 2, 10s ago: status 200\n    the receiver has it\n  now: delivered; nothing is left to do"),
            ),
            (
                "given up",
                page(&delivery(Failed), &[failed(1, 90, 401)], Some(&active)),
                format!("{wants}  attempt 1, 1m30s ago: status 401\n    the receiver did not trust the request: compare its secret\n  now: given up, as the retry policy allows no further attempt; redeliver it to try again"),
            ),
            (
                "not wanted",
                page(&delivery(Failed), &[failed(1, 90, 410)], Some(&gone)),
                format!("{wants}  attempt 1, 1m30s ago: status 410\n    the receiver wants nothing more, ever\n  now: given up, as the receiver wants nothing more, ever; redeliver it to try again"),
            ),
            (
                "refused",
                page(&delivery(Failed), &[blocked], Some(&active)),
                format!("{wants}  attempt 1, 9s ago: address not allowed\n    the address is not public: nothing was sent\n  now: given up, as the address is not allowed, and the URL would not change; redeliver it to try again"),
            ),
            (
                "redirected",
                page(&later, &[failed(1, 20, 301)], Some(&active)),
                format!("{wants}  attempt 1, 20s ago: status 301\n    redirects are never followed: the endpoint's URL has to change\n  next: an attempt in 5m, by the retry policy or as the receiver asked"),
            ),
            (
                "behind another",
                page_behind(Some(&first), &delivery(Pending), &[], Some(&active)),
                format!("{wants}  no attempt is on record\n  next: waits for an earlier delivery of its ordering key: {behind}"),
            ),
            (
                "behind one that was given up",
                page_behind(Some(&given_up), &delivery(Pending), &[], Some(&active)),
                format!("{wants}  no attempt is on record\n  next: nothing, blocked since an earlier delivery of its ordering key failed, 1m30s ago: skip or redeliver {behind}"),
            ),
            (
                "given up, with others behind",
                page_behind(Some(&delivery(Failed)), &delivery(Failed), &[failed(1, 90, 401)], Some(&active)),
                format!("{wants}  attempt 1, 1m30s ago: status 401\n    the receiver did not trust the request: compare its secret\n  now: given up, as the retry policy allows no further attempt; the later ones of its ordering key wait: redeliver it, or skip it"),
            ),
            (
                "paused",
                page(&later, &[], Some(&paused)),
                format!("{wants}  no attempt is on record\n  next: nothing, as the endpoint is paused; resume it"),
            ),
            (
                "disabled",
                page(&delivery(Pending), &[], Some(&gone)),
                format!("{wants}  no attempt is on record\n  next: nothing, as the endpoint is disabled (it answered 410 Gone); enable it"),
            ),
            (
                "missed",
                page(&delivery(Missed), &[], Some(&gone)),
                format!("{wants}  no attempt is on record\n  now: missed, as the endpoint was disabled when the event came; enable it and replay"),
            ),
            (
                "removed",
                page(&delivery(Cancelled), &[], None),
                "  the endpoint was removed, or it was sent without one\n  no attempt is on record\n  now: called off, by hand or with its endpoint; redeliver it to try again".to_owned(),
            ),
            (
                "redelivered by hand, then by a replay",
                page(&delivery(Success), &[again(2, Trigger::Manual), again(3, Trigger::Replay)], Some(&active)),
                format!("{wants}  attempt 2, 30s ago, redelivered by hand: status 200\n    the receiver has it\n  attempt 3, 30s ago, by a replay: status 200\n    the receiver has it\n  now: delivered; nothing is left to do"),
            ),
            (
                "narrowed since",
                page(&delivery(Success), &[attempt(1, 10, Some(204), None)], Some(&narrowed)),
                "  the endpoint wants such events no more; what came about before is delivered\n  attempt 1, 10s ago: status 204\n    the receiver has it\n  now: delivered; nothing is left to do".to_owned(),
            ),
        ];
        for (situation, page, expected) in table {
            assert_eq!(page, expected, "{situation}");
        }
    }

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
