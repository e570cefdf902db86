//! Which rule set when the next attempt is due, found again from what is on record.
//!
//! No store keeps it: a policy's waits are functions of delivery and try, so that the wait on record
//! tells which one it was.

use std::{fmt, time::Duration};

use crate::{
    model::{
        attempt::{Attempt, FailureKind},
        delivery::{Delivery, Progress},
        duration::format_duration,
        retry::RetryPolicy,
    },
    policy::decide::own_fault_wait,
};

/// The attempt that comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NextAttempt {
    /// Its number, over the delivery's whole life.
    pub number: u32,
    /// Which try it is, of the present budget.
    pub tries: u32,
    /// How many tries the endpoint's present retry policy allows.
    pub of: u32,
}

/// Which rule set when an attempt is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WaitRule {
    /// A wait of the endpoint's retry policy.
    Policy(PolicyWait),
    /// The first wait of its retry policy: a connection had gone stale.
    StaleConnection(PolicyWait),
    /// The short wait after a fault of our own.
    OwnFault,
    /// The receiver asked for it, with `Retry-After`.
    RetryAfter,
    /// None that holds now: the retry policy was another one, or the outcome was recorded late.
    Former,
}

/// A wait of a retry policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PolicyWait {
    /// Which one, from 1.
    pub nth: u32,
    /// How long it is in the policy.
    pub wait: Duration,
    /// By how much it may be shorter or longer, in percent.
    pub jitter_percent: u8,
}

/// Maximum difference between a recorded wait and the wait that was decided.
///
/// Claim and due time both use the store's clock, so clocks do not differ. Between them lie the
/// start of an attempt after its claim and the commit of its record, which take milliseconds. The
/// first wait of a usual policy, 5 s, can still be told apart from no wait and from twice as long.
const WAIT_TOLERANCE: Duration = Duration::from_secs(2);

/// The attempt after those on record, by the endpoint's present policy.
pub(super) fn next_attempt(delivery: &Delivery, policy: &RetryPolicy) -> NextAttempt {
    let number = delivery.attempts.saturating_add(1);
    let tries = progress(delivery).tries().saturating_add(1);
    NextAttempt { number, tries, of: policy.max_attempts() }
}

/// Which rule set when the delivery is due after its `last` attempt; `None` when that set nothing.
pub(super) fn rule(delivery: &Delivery, last: &Attempt, policy: &RetryPolicy) -> Option<WaitRule> {
    let kind = last.failure.as_ref()?.kind;
    // A lost attempt is followed by the end of its lease, and by no wait.
    if last.number != delivery.attempts || kind == FailureKind::Unknown {
        return None;
    }
    let began = delivery.last_attempt_at.unwrap_or(last.started_at);
    let waited = delivery.due_at?.since(began.after(last.duration));
    let is = |wait: Duration| waited.abs_diff(wait) <= WAIT_TOLERANCE;
    let (id, progress) = (delivery.id, progress(delivery));
    let before = progress.with_forgiven(progress.forgiven.saturating_sub(1));
    let by_policy = policy.wait_after(progress.tries(), id);
    Some(match kind {
        FailureKind::Local if progress.forgiven > 0 && is(own_fault_wait(id, before)) => {
            WaitRule::OwnFault
        }
        FailureKind::StaleConnection if is(policy.first_wait(id)) => {
            WaitRule::StaleConnection(policy_wait(policy, 1))
        }
        _ if by_policy.is_some_and(is) => WaitRule::Policy(policy_wait(policy, progress.tries())),
        FailureKind::Status if is_asked(waited, by_policy, policy) => WaitRule::RetryAfter,
        _ => WaitRule::Former,
    })
}

/// Whether only the receiver can have asked for such a wait: it lengthens a policy's, up to a limit.
fn is_asked(waited: Duration, by_policy: Option<Duration>, policy: &RetryPolicy) -> bool {
    let longest = policy.max_retry_after().saturating_add(WAIT_TOLERANCE);
    by_policy.is_some_and(|wait| wait < waited) && waited <= longest
}

fn policy_wait(policy: &RetryPolicy, nth: u32) -> PolicyWait {
    let plan = policy.plan();
    let planned = usize::try_from(nth).ok().and_then(|nth| plan.attempts.get(nth));
    let wait = planned.map(|planned| planned.wait).unwrap_or_default();
    PolicyWait { nth, wait, jitter_percent: plan.jitter_percent }
}

/// How far the delivery is after the attempts on record.
const fn progress(delivery: &Delivery) -> Progress {
    Progress::of_attempt(delivery.attempts)
        .with_budget_from(delivery.budget_from)
        .with_forgiven(delivery.forgiven)
}

impl NextAttempt {
    /// Whether the policy allows it. When it has become stricter, the delivery is given up instead.
    pub const fn is_allowed(&self) -> bool {
        self.tries <= self.of
    }
}

impl fmt::Display for NextAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, tries, of } = self;
        if number == tries {
            write!(f, "attempt {number} of {of}")
        } else {
            write!(f, "attempt {number} (try {tries} of {of})")
        }
    }
}

impl fmt::Display for WaitRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(wait) => write!(f, "after {wait}"),
            Self::StaleConnection(wait) => {
                write!(f, "after {wait}, as the closed connection says nothing of the receiver")
            }
            Self::OwnFault => {
                f.write_str("after the short wait for faults of our own, which use up no try")
            }
            Self::RetryAfter => f.write_str("as the receiver asked by Retry-After"),
            Self::Former => {
                f.write_str("by a retry policy it had before, or as the outcome was recorded late")
            }
        }
    }
}

impl fmt::Display for PolicyWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nth, wait, jitter_percent } = self;
        let (ordinal, wait) = (ordinal(*nth), format_duration(*wait));
        write!(f, "the {nth}{ordinal} wait of its retry policy ({wait}")?;
        match jitter_percent {
            0 => f.write_str(")"),
            percent => write!(f, ", spread by {percent}%)"),
        }
    }
}

/// What stands behind a number that counts off: 1st, 2nd, 3rd, 4th, 11th, 21st.
const fn ordinal(number: u32) -> &'static str {
    match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            attempt::Failure,
            id::{DeliveryId, EndpointId, EventId, TenantId},
            time::Timestamp,
        },
        policy::{
            classify::Verdict,
            decide::{Decision, decide},
        },
    };
    use proptest::prelude::*;
    use uuid::Uuid;

    const CLAIMED_AT: Timestamp = Timestamp::from_unix_secs(1_000_000);
    const ATTEMPT_DURATION: Duration = Duration::from_millis(700);

    /// The delivery after its `number`-th attempt failed and was decided on, recorded `late`.
    fn after(
        decision: Decision,
        progress: Progress,
        kind: FailureKind,
        late: Duration,
    ) -> (Delivery, Attempt) {
        let id = DeliveryId::new(
            EventId::from_uuid(Uuid::from_u128(1)),
            EndpointId::from_uuid(Uuid::from_u128(2)),
        );
        let url = "https://a.example/".parse().unwrap();
        let mut delivery =
            Delivery::new(id, TenantId::default(), "a".parse().unwrap(), url, CLAIMED_AT);
        let Decision::Retry { wait, counts } = decision else { panic!("it is to be tried again") };
        delivery.due_at = Some(CLAIMED_AT.after(ATTEMPT_DURATION + late + wait));
        delivery.last_attempt_at = Some(CLAIMED_AT);
        (delivery.attempts, delivery.budget_from) = (progress.attempt, progress.budget_from);
        delivery.forgiven = progress.forgiven + u32::from(!counts);
        // The worker's own clock is an hour off.
        let started_at = CLAIMED_AT.before(Duration::from_secs(3600));
        let status = (kind == FailureKind::Status).then_some(503);
        let failure = Some(Failure::new(kind, "x"));
        let body = bytes::Bytes::new();
        let last = Attempt::from_parts(
            progress.attempt,
            started_at,
            ATTEMPT_DURATION,
            status,
            failure,
            body,
        );
        (delivery, last)
    }

    fn policy() -> RetryPolicy {
        "5s,5m,30m".parse().unwrap()
    }

    /// The rule that is found for what `decide` decides.
    fn found(progress: Progress, verdict: Verdict, kind: FailureKind) -> Option<WaitRule> {
        let late = Duration::from_millis(900);
        let id = after(retry(0), progress, kind, late).0.id;
        let (delivery, last) =
            after(decide(id, progress, verdict, &policy()), progress, kind, late);
        rule(&delivery, &last, &policy())
    }

    fn retry(secs: u64) -> Decision {
        Decision::Retry { wait: Duration::from_secs(secs), counts: true }
    }

    const fn wait(nth: u32, secs: u64) -> PolicyWait {
        PolicyWait { nth, wait: Duration::from_secs(secs), jitter_percent: 20 }
    }

    const fn asked(secs: u64) -> Verdict {
        Verdict::TryAgain { retry_after: Some(Duration::from_secs(secs)) }
    }

    const RETRYABLE: Verdict = Verdict::TryAgain { retry_after: None };

    #[test]
    fn each_decision_is_told_by_its_rule() {
        use FailureKind::{Local, StaleConnection, Status, Timeout, Unknown};
        let third = Progress::of_attempt(3);
        let table = [
            (Progress::of_attempt(1), RETRYABLE, Timeout, Some(WaitRule::Policy(wait(1, 5)))),
            (third, RETRYABLE, Status, Some(WaitRule::Policy(wait(3, 1800)))),
            (third, asked(10), Status, Some(WaitRule::Policy(wait(3, 1800)))),
            (third, asked(7200), Status, Some(WaitRule::RetryAfter)),
            (third, asked(u64::MAX), Status, Some(WaitRule::RetryAfter)),
            (
                third,
                Verdict::TryAgainSoon,
                StaleConnection,
                Some(WaitRule::StaleConnection(wait(1, 5))),
            ),
            (third, Verdict::OwnFault, Local, Some(WaitRule::OwnFault)),
            (third.with_forgiven(2), Verdict::OwnFault, Local, Some(WaitRule::OwnFault)),
            (third.with_forgiven(2), RETRYABLE, Status, Some(WaitRule::Policy(wait(1, 5)))),
            (third.with_budget_from(1), RETRYABLE, Status, Some(WaitRule::Policy(wait(2, 300)))),
            (third, RETRYABLE, Unknown, None),
        ];
        for (progress, verdict, kind, expected) in table {
            assert_eq!(found(progress, verdict, kind), expected, "{progress:?} {verdict:?} {kind}");
        }
        let worn = Progress::of_attempt(102).with_forgiven(100);
        let rule = found(worn, Verdict::OwnFault, Local);
        assert_eq!(rule, Some(WaitRule::Policy(wait(2, 300))), "own faults count at last");
    }

    #[test]
    fn what_no_rule_sets_was_another_policys_or_late() {
        let of = |secs, kind| {
            let (delivery, last) =
                after(retry(secs), Progress::of_attempt(1), kind, ATTEMPT_DURATION);
            rule(&delivery, &last, &policy())
        };
        assert_eq!(of(60, FailureKind::Timeout), Some(WaitRule::Former), "nobody can have asked");
        assert_eq!(of(0, FailureKind::Status), Some(WaitRule::Former), "none asks for less");
        assert_eq!(of(90_000, FailureKind::Status), Some(WaitRule::Former), "longer than allowed");
    }

    #[test]
    fn an_attempt_that_is_not_the_last_one_sets_nothing() {
        let (mut delivery, last) =
            after(retry(5), Progress::of_attempt(1), FailureKind::Status, ATTEMPT_DURATION);
        delivery.attempts = 2;
        assert_eq!(rule(&delivery, &last, &policy()), None);
    }

    #[test]
    fn a_try_is_told_apart_from_an_attempt() {
        let text = |number, tries, of| NextAttempt { number, tries, of }.to_string();
        assert_eq!(text(4, 4, 10), "attempt 4 of 10");
        assert_eq!(text(12, 1, 10), "attempt 12 (try 1 of 10)");
        let ordinals = [1, 2, 3, 4, 11, 12, 13, 21, 50].map(|n| format!("{n}{}", ordinal(n)));
        let expected = ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "50th"];
        assert_eq!(ordinals, expected);
    }

    proptest! {
        #[test]
        fn a_wait_of_the_policy_is_always_found(attempt in 1u32..=9, late in 0u64..2000) {
            let (progress, policy) = (Progress::of_attempt(attempt), RetryPolicy::durable());
            let late = Duration::from_millis(late);
            let id = after(retry(0), progress, FailureKind::Connect, late).0.id;
            let decision = decide(id, progress, RETRYABLE, &policy);
            let (delivery, last) = after(decision, progress, FailureKind::Connect, late);
            let expected = WaitRule::Policy(policy_wait(&policy, attempt));
            prop_assert_eq!(rule(&delivery, &last, &policy), Some(expected));
        }
    }
}
