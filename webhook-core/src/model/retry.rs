//! Retry policies: how often to try, and how long to wait in between.
//!
//! A policy is a list of waits. Its jitter is a hash of the delivery and the try, so that the
//! deliveries of one outage spread out, and yet the same delivery always waits the same: no random
//! source, and a test sees what production does.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use crate::model::{
    duration::{format_duration, parse_duration},
    id::DeliveryId,
    text::serde_as_text,
};

/// How often to try, and how long to wait in between.
///
/// As text: the waits, then jitter and longest `Retry-After` where they are not the default, such as
/// `5s,5m,30m` or `5s,5m jitter 0% retry-after 1h`; `none` for a single attempt.
///
/// ```
/// use std::time::Duration;
/// use webhook_core::RetryPolicy;
///
/// let policy: RetryPolicy = "5s,5m,30m".parse()?;
/// assert_eq!(policy.max_attempts(), 4);
/// assert_eq!(policy.plan().window(), Duration::from_secs(5 + 300 + 1800));
/// # Ok::<(), webhook_core::error::InvalidRetryPolicy>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RetryPolicy {
    waits: Arc<[Duration]>,
    jitter_percent: u8,
    max_retry_after: Duration,
}

impl RetryPolicy {
    /// The most waits in a policy.
    pub const MAX_WAITS: usize = 50;

    /// The longest single wait: 30 days.
    pub const MAX_WAIT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// The longest wait that a receiver can ask for with `Retry-After`, unless told otherwise: a
    /// day. Longer ones are cut, so that one mistaken header does not silence a delivery for ever.
    pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

    /// Jitter unless told otherwise: each wait is up to this much shorter or longer.
    pub const JITTER_PERCENT: u8 = 20;

    /// The schedule of durable deliveries, after the advice of Standard Webhooks: at once, then
    /// after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h. Ten attempts in a little over
    /// three days outlast a weekend's outage.
    pub fn durable() -> Self {
        let hours = [2, 5, 10, 14, 20, 24].map(|hours| Duration::from_secs(hours * 3600));
        let waits = [5, 300, 1800].map(Duration::from_secs).into_iter().chain(hours).collect();
        Self::of(waits)
    }

    /// The schedule inside a call: 3 attempts, 1 s and 2 s apart, without jitter, and no
    /// `Retry-After` beyond 30 s. Somebody waits.
    pub fn send_now() -> Self {
        let longest = Duration::from_secs(30);
        Self::exponential(3, Duration::from_secs(1), 2, longest)
            .with_jitter_percent(0)
            .with_max_retry_after(longest)
    }

    /// A single attempt.
    pub fn none() -> Self {
        Self::of(Arc::new([]))
    }

    fn of(waits: Arc<[Duration]>) -> Self {
        let jitter_percent = Self::JITTER_PERCENT;
        Self { waits, jitter_percent, max_retry_after: Self::MAX_RETRY_AFTER }
    }

    /// `attempts` attempts, the first wait `first`, each next one `factor` times longer, none longer
    /// than `max`. Attempts and waits beyond the limits of a policy are cut to them.
    pub fn exponential(attempts: u32, first: Duration, factor: u32, max: Duration) -> Self {
        let retries = (attempts.max(1) as usize - 1).min(Self::MAX_WAITS);
        let max = max.min(Self::MAX_WAIT);
        let grow = |wait: &Duration| Some(wait.saturating_mul(factor).min(max));
        let waits = std::iter::successors(Some(first.min(max)), grow).take(retries).collect();
        Self::of(waits)
    }

    /// The waits, one after each failure but the last.
    ///
    /// # Errors
    ///
    /// [`InvalidRetryPolicy`] when there are too many, or one is too long.
    pub fn list(waits: impl IntoIterator<Item = Duration>) -> Result<Self, InvalidRetryPolicy> {
        let waits: Arc<[Duration]> = waits.into_iter().collect();
        let valid =
            waits.len() <= Self::MAX_WAITS && waits.iter().all(|&wait| wait <= Self::MAX_WAIT);
        if valid { Ok(Self::of(waits)) } else { Err(InvalidRetryPolicy) }
    }

    /// Sets by how much a wait may be shorter or longer, in percent; at most 100.
    #[must_use]
    pub fn with_jitter_percent(mut self, percent: u8) -> Self {
        self.jitter_percent = percent.min(100);
        self
    }

    /// Sets the longest wait that a receiver can ask for with `Retry-After`.
    #[must_use]
    pub fn with_max_retry_after(mut self, longest: Duration) -> Self {
        self.max_retry_after = longest.min(Self::MAX_WAIT);
        self
    }

    /// The longest wait that a receiver can ask for.
    pub const fn max_retry_after(&self) -> Duration {
        self.max_retry_after
    }

    /// How many attempts there are at most, the first included.
    pub fn max_attempts(&self) -> u32 {
        u32::try_from(self.waits.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// How long to wait after the `failures`-th failure (counted from 1), jitter included; `None`
    /// when there is no further attempt.
    pub fn wait_after(&self, failures: u32, delivery: DeliveryId) -> Option<Duration> {
        let wait = *self.waits.get(failures.checked_sub(1)? as usize)?;
        Some(jittered(wait, self.jitter_percent, seed(delivery, failures)))
    }

    /// A wait that is no policy's, spread by as much as a policy's.
    pub(crate) fn spread(wait: Duration, failures: u32, delivery: DeliveryId) -> Duration {
        jittered(wait, Self::JITTER_PERCENT, seed(delivery, failures))
    }

    /// The wait after the first failure, for failures that say nothing about the receiver.
    pub(crate) fn first_wait(&self, delivery: DeliveryId) -> Duration {
        self.wait_after(1, delivery).unwrap_or_default()
    }

    /// The schedule, without jitter, for showing it.
    pub fn plan(&self) -> Plan {
        let mut at = Duration::ZERO;
        let first = PlannedAttempt { number: 1, wait: Duration::ZERO, at };
        let later = self.waits.iter().zip(2..).map(|(&wait, number)| {
            at = at.saturating_add(wait);
            PlannedAttempt { number, wait, at }
        });
        Plan {
            attempts: std::iter::once(first).chain(later).collect(),
            jitter_percent: self.jitter_percent,
        }
    }
}

impl fmt::Display for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits: Vec<_> = self.waits.iter().map(|&wait| format_duration(wait)).collect();
        f.write_str(if waits.is_empty() { "none" } else { "" })?;
        f.write_str(&waits.join(","))?;
        if self.jitter_percent != Self::JITTER_PERCENT {
            write!(f, " jitter {}%", self.jitter_percent)?;
        }
        if self.max_retry_after != Self::MAX_RETRY_AFTER {
            write!(f, " retry-after {}", format_duration(self.max_retry_after))?;
        }
        Ok(())
    }
}

impl FromStr for RetryPolicy {
    type Err = InvalidRetryPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidRetryPolicy> {
        let (text, longest) = cut(text, "retry-after");
        let (waits, jitter) = cut(text, "jitter");
        let longest = longest.map_or(Ok(Self::MAX_RETRY_AFTER), parse_duration);
        let jitter = jitter.map_or(Ok(Self::JITTER_PERCENT), parse_percent)?;
        let policy = match waits.trim() {
            "none" => Self::none(),
            waits => {
                let waits: Result<Vec<_>, _> = waits.split(',').map(parse_duration).collect();
                Self::list(waits.map_err(|_| InvalidRetryPolicy)?)?
            }
        };
        let longest = longest.map_err(|_| InvalidRetryPolicy)?;
        Ok(policy.with_jitter_percent(jitter).with_max_retry_after(longest))
    }
}

serde_as_text!(RetryPolicy);

/// What stands before `word`, and what after it.
fn cut<'t>(text: &'t str, word: &str) -> (&'t str, Option<&'t str>) {
    text.split_once(word).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn parse_percent(text: &str) -> Result<u8, InvalidRetryPolicy> {
    let number = text.trim().strip_suffix('%').ok_or(InvalidRetryPolicy)?;
    number.parse().ok().filter(|percent| *percent <= 100).ok_or(InvalidRetryPolicy)
}

/// The text or the list is no retry policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid retry policy; expected waits such as 5s,5m,30m (at most 50, none over 30d), or none"
)]
pub struct InvalidRetryPolicy;

/// A schedule, for showing it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The attempts, the first at zero.
    pub attempts: Vec<PlannedAttempt>,
    /// By how much each wait may be shorter or longer, in percent.
    pub jitter_percent: u8,
}

impl Plan {
    /// From the first attempt to the last, attempts themselves taking no time.
    pub fn window(&self) -> Duration {
        self.attempts.last().map(|attempt| attempt.at).unwrap_or_default()
    }
}

/// One line of a [`Plan`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PlannedAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// How long after the one before.
    pub wait: Duration,
    /// How long after the first.
    pub at: Duration,
}

/// Spreads `wait` over plus or minus `percent`, by `seed`.
fn jittered(wait: Duration, percent: u8, seed: u64) -> Duration {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let spread = millis.saturating_mul(u64::from(percent)) / 100;
    let offset = if spread == 0 { 0 } else { seed % (2 * spread + 1) };
    Duration::from_millis(millis - spread + offset)
}

/// A hash of delivery and try (the finalizer of SplitMix64), for spreading and nothing else.
fn seed(delivery: DeliveryId, failures: u32) -> u64 {
    let (event_high, event_low) = delivery.event.as_uuid().as_u64_pair();
    let (endpoint_high, endpoint_low) = delivery.endpoint.as_uuid().as_u64_pair();
    [event_high, event_low, endpoint_high, endpoint_low]
        .into_iter()
        .fold(u64::from(failures), |hash, part| mix(hash ^ part))
}

pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{EndpointId, EventId};
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use uuid::Uuid;

    fn delivery(number: u128) -> DeliveryId {
        DeliveryId::new(
            EventId::from_uuid(Uuid::from_u128(number)),
            EndpointId::from_uuid(Uuid::from_u128(1)),
        )
    }

    fn secs(policy: &RetryPolicy) -> Vec<u64> {
        policy.plan().attempts.iter().map(|attempt| attempt.wait.as_secs()).collect()
    }

    #[test]
    fn the_defaults_are_as_promised() {
        assert_eq!(secs(&RetryPolicy::send_now()), [0, 1, 2]);
        assert_eq!(
            secs(&RetryPolicy::durable()),
            [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
        );
        assert_eq!(RetryPolicy::durable().plan().window(), Duration::from_secs(272_105));
    }

    #[test]
    fn exponential_waits_grow_up_to_their_maximum() {
        let policy =
            RetryPolicy::exponential(7, Duration::from_secs(1), 2, Duration::from_secs(10));
        assert_eq!(secs(&policy), [0, 1, 2, 4, 8, 10, 10]);
        assert_eq!(RetryPolicy::exponential(0, Duration::MAX, 9, Duration::MAX).max_attempts(), 1);
        assert_eq!(
            RetryPolicy::exponential(u32::MAX, Duration::MAX, 9, Duration::MAX).max_attempts(),
            51
        );
    }

    #[test]
    fn policies_are_read_and_written_as_text() {
        for text in [
            "none",
            "5s",
            "5s,5m,30m",
            "500ms,1m30s",
            "5s jitter 0%",
            "none jitter 50%",
            "5s retry-after 30s",
            "5s,5m jitter 0% retry-after 1h",
        ] {
            assert_eq!(text.parse::<RetryPolicy>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            ",",
            "5s,",
            "5",
            "5s jitter",
            "5s jitter 101%",
            "5s retry-after",
            "5s retry-after x jitter 1%",
            "31d",
            &"1s,".repeat(60),
        ] {
            assert_eq!(bad.parse::<RetryPolicy>(), Err(InvalidRetryPolicy), "{bad:?}");
        }
    }

    #[test]
    fn waits_end_with_the_list() {
        let policy: RetryPolicy = "5s,5m jitter 0%".parse().unwrap();
        let waits: Vec<_> =
            (0..4).map(|failures| policy.wait_after(failures, delivery(1))).collect();
        assert_eq!(
            waits,
            [None, Some(Duration::from_secs(5)), Some(Duration::from_secs(300)), None]
        );
    }

    #[test]
    fn jitter_spreads_over_its_whole_range() {
        let policy: RetryPolicy = "100s".parse().unwrap();
        let waits: Vec<_> = (0..2000).filter_map(|n| policy.wait_after(1, delivery(n))).collect();
        assert!(waits.iter().min() < Some(&Duration::from_secs(81)), "{:?}", waits.iter().min());
        assert!(waits.iter().max() > Some(&Duration::from_secs(119)), "{:?}", waits.iter().max());
    }

    #[test]
    fn jitter_reaches_both_its_bounds_and_what_lies_between() {
        let policy: RetryPolicy = "10ms jitter 10%".parse().unwrap();
        let waits = (0..100).filter_map(|n| policy.wait_after(1, delivery(n)));
        let waits: BTreeSet<_> = waits.map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, BTreeSet::from([9, 10, 11]));
    }

    /// What is on record was decided by the versions of before, and is explained by this one.
    #[test]
    fn the_same_delivery_waits_the_same_in_every_version() {
        let policy: RetryPolicy = "1000s,1000s".parse().unwrap();
        let wait = |n, failures| policy.wait_after(failures, delivery(n)).unwrap().as_millis();
        let waits = [(1, 1), (1, 2), (2, 1), (u128::MAX, 1)].map(|(n, failures)| wait(n, failures));
        assert_eq!(waits, [1_076_759, 1_187_313, 815_489, 842_641]);
    }

    /// The first numbers of the generator that starts from 0, as its author publishes them.
    #[test]
    fn the_hash_is_the_published_one() {
        let gamma = 0x9e37_79b9_7f4a_7c15;
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(gamma), 0x6e78_9e6a_a1b9_65f4);
    }

    proptest::proptest! {
        #[test]
        fn jitter_stays_within_its_bounds(number: u128, millis in 0u64..2_592_000_000, percent in 0u8..=100) {
            let wait = Duration::from_millis(millis);
            let policy = RetryPolicy::list([wait]).unwrap().with_jitter_percent(percent);
            let jittered = policy.wait_after(1, delivery(number)).unwrap();
            let spread = wait.mul_f64(f64::from(percent) / 100.0) + Duration::from_millis(1);
            proptest::prop_assert!(jittered + spread >= wait && jittered <= wait + spread);
        }

        #[test]
        fn any_text_is_a_policy_that_prints_and_parses_to_itself_or_refused(
            waits in "(([0-9]{1,4}(ms|s|m|h|d)){1,2},){0,4}[0-9]{1,3}(ms|s|m|h|d)",
            rest in "( jitter [0-9]{1,3}%)?( retry-after [0-9]{1,2}[smhd])?",
            other in ".*", is_other in prop::bool::weighted(0.2),
        ) {
            let text = if is_other { other } else { waits + &rest };
            let Ok(policy) = text.parse::<RetryPolicy>() else { return Ok(()) };
            prop_assert_eq!(policy.to_string().parse(), Ok(policy.clone()));
            let plan = policy.plan();
            prop_assert_eq!(plan.attempts.len() as u32, policy.max_attempts());
            prop_assert!(plan.attempts.iter().all(|attempt| attempt.wait <= RetryPolicy::MAX_WAIT));
            prop_assert!(plan.window() <= RetryPolicy::MAX_WAIT * 50);
            prop_assert_eq!(policy.wait_after(policy.max_attempts(), delivery(1)), None);
        }
    }
}
