//! The decision after an attempt: is the delivery done, and if not, how long to wait?
//!
//! [`decide`] is a function of its arguments. It reads no clock and rolls no dice, so a retry
//! schedule of three days is tested in microseconds, and three databases cannot disagree about it:
//! a store writes the [`Decision`] down, it never makes one.
//!
//! Laws, checked by the property tests at the bottom of this file:
//!
//! - no wait is shorter than a `Retry-After`, as far as [`RetryPolicy::max_retry_after`] allows;
//! - `Retry-After` never shortens a wait;
//! - no delivery sees more counted tries than its policy allows, and every delivery comes to an end.

use std::time::Duration;

use crate::{
    model::{delivery::Progress, id::DeliveryId, retry::RetryPolicy},
    policy::classify::Verdict,
};

/// What to do with a delivery after an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Decision {
    /// It is delivered.
    Succeed,
    /// Try again.
    Retry {
        /// How long to wait first.
        wait: Duration,
        /// Whether the attempt counts against the policy.
        counts: bool,
    },
    /// Give up.
    Fail(FailReason),
}

/// Why a delivery is given up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FailReason {
    /// The policy allows no further attempt.
    Exhausted,
    /// The receiver wants nothing more: its endpoint is disabled as well.
    Gone,
    /// The URL is refused.
    Refused,
}

/// Attempts that may fail by our own fault before they count: four days of them at
/// [`OWN_FAULT_WAIT`]'s longest. Nothing goes on for ever.
const MAX_FORGIVEN: u32 = 100;

/// The first and the longest wait after a fault of our own.
const OWN_FAULT_WAIT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// Decides what to do after an attempt that `verdict` was given on.
pub fn decide(
    delivery: DeliveryId,
    progress: Progress,
    verdict: Verdict,
    policy: &RetryPolicy,
) -> Decision {
    match verdict {
        Verdict::Accepted => Decision::Succeed,
        Verdict::Gone => Decision::Fail(FailReason::Gone),
        Verdict::Refused => Decision::Fail(FailReason::Refused),
        Verdict::OwnFault if progress.forgiven < MAX_FORGIVEN => {
            Decision::Retry { wait: own_fault_wait(delivery, progress), counts: false }
        }
        Verdict::TryAgainSoon => retry(delivery, progress, policy, |_| policy.first_wait(delivery)),
        Verdict::OwnFault => retry(delivery, progress, policy, |wait| wait),
        Verdict::TryAgain { retry_after } => {
            let asked = retry_after.unwrap_or_default().min(policy.max_retry_after());
            retry(delivery, progress, policy, |wait| wait.max(asked))
        }
    }
}

fn retry(
    delivery: DeliveryId,
    progress: Progress,
    policy: &RetryPolicy,
    adjust: impl FnOnce(Duration) -> Duration,
) -> Decision {
    match policy.wait_after(progress.tries(), delivery) {
        Some(wait) => Decision::Retry { wait: adjust(wait), counts: true },
        None => Decision::Fail(FailReason::Exhausted),
    }
}

/// How long to wait after a fault of our own, twice as long each time.
pub(crate) fn own_fault_wait(delivery: DeliveryId, progress: Progress) -> Duration {
    let (first, longest) = OWN_FAULT_WAIT;
    let wait = first.saturating_mul(2u32.saturating_pow(progress.forgiven)).min(longest);
    RetryPolicy::spread(wait, progress.attempt, delivery)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{EndpointId, EventId};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn delivery() -> DeliveryId {
        DeliveryId::new(
            EventId::from_uuid(Uuid::from_u128(1)),
            EndpointId::from_uuid(Uuid::from_u128(2)),
        )
    }

    fn policy() -> RetryPolicy {
        "5s,5m,30m jitter 0%".parse().unwrap()
    }

    fn again(secs: u64) -> Decision {
        Decision::Retry { wait: Duration::from_secs(secs), counts: true }
    }

    fn asked(secs: u64) -> Verdict {
        Verdict::TryAgain { retry_after: Some(Duration::from_secs(secs)) }
    }

    #[test]
    fn the_table() {
        const TRY_AGAIN: Verdict = Verdict::TryAgain { retry_after: None };
        let table = [
            (1, Verdict::Accepted, Decision::Succeed),
            (4, Verdict::Accepted, Decision::Succeed),
            (1, Verdict::Gone, Decision::Fail(FailReason::Gone)),
            (1, Verdict::Refused, Decision::Fail(FailReason::Refused)),
            (1, TRY_AGAIN, again(5)),
            (2, TRY_AGAIN, again(300)),
            (3, TRY_AGAIN, again(1800)),
            (4, TRY_AGAIN, Decision::Fail(FailReason::Exhausted)),
            (9, TRY_AGAIN, Decision::Fail(FailReason::Exhausted)),
            (1, asked(2), again(5)),
            (1, asked(600), again(600)),
            (1, asked(u64::MAX), again(86_400)),
            (4, asked(1), Decision::Fail(FailReason::Exhausted)),
            (3, Verdict::TryAgainSoon, again(5)),
            (4, Verdict::TryAgainSoon, Decision::Fail(FailReason::Exhausted)),
        ];
        for (attempt, verdict, expected) in table {
            let decision = decide(delivery(), Progress::of_attempt(attempt), verdict, &policy());
            assert_eq!(decision, expected, "attempt {attempt}, {verdict:?}");
        }
    }

    #[test]
    fn our_own_faults_cost_the_receiver_nothing_but_end_some_day() {
        let own_fault = |attempt, forgiven| {
            let progress = Progress::of_attempt(attempt).with_forgiven(forgiven);
            decide(delivery(), progress, Verdict::OwnFault, &policy())
        };
        let waits = |decision, secs: u64| match decision {
            Decision::Retry { wait, counts: false } => wait.as_secs().abs_diff(secs) <= secs / 5,
            _ => false,
        };
        assert!(waits(own_fault(1, 0), 5), "{:?}", own_fault(1, 0));
        assert!(waits(own_fault(12, 11), 3600), "{:?}", own_fault(12, 11));
        assert_eq!(own_fault(101, 100), again(5));
        assert_eq!(own_fault(104, 100), Decision::Fail(FailReason::Exhausted));
    }

    #[test]
    fn a_redelivery_has_a_fresh_budget() {
        let progress = Progress::of_attempt(5).with_budget_from(4);
        assert_eq!(
            decide(delivery(), progress, Verdict::TryAgain { retry_after: None }, &policy()),
            again(5)
        );
        assert!(progress.is_allowed(&policy()));
        assert!(!Progress::of_attempt(5).is_allowed(&policy()));
    }

    proptest! {
        #[test]
        fn retry_after_only_ever_delays(attempt in 1u32..6, secs: u64) {
            let progress = Progress::of_attempt(attempt);
            let plain = decide(delivery(), progress, Verdict::TryAgain { retry_after: None }, &policy());
            match (plain, decide(delivery(), progress, asked(secs), &policy())) {
                (Decision::Retry { wait: plain, .. }, Decision::Retry { wait, .. }) => {
                    prop_assert!(wait >= plain);
                    prop_assert!(wait >= Duration::from_secs(secs).min(RetryPolicy::MAX_RETRY_AFTER));
                    prop_assert!(wait <= plain.max(RetryPolicy::MAX_RETRY_AFTER));
                }
                (plain, asked) => prop_assert_eq!(plain, asked),
            }
        }

        #[test]
        fn every_delivery_comes_to_an_end(faults: Vec<bool>) {
            let (mut progress, mut faults) = (Progress::of_attempt(1), faults.into_iter().cycle());
            let max_attempts = MAX_FORGIVEN + policy().max_attempts();
            loop {
                prop_assert!(progress.attempt <= max_attempts && progress.is_allowed(&policy()));
                let own = faults.next().unwrap_or(true);
                let verdict = if own { Verdict::OwnFault } else { Verdict::TryAgain { retry_after: None } };
                match decide(delivery(), progress, verdict, &policy()) {
                    Decision::Retry { counts, .. } => progress.forgiven += u32::from(!counts),
                    _ => break,
                }
                progress.attempt += 1;
            }
        }
    }
}
