//! Rate limits: so many attempts a second, over all workers.
//!
//! The generic cell rate algorithm: of everything that was started, one point in time is kept, by
//! which all of it would be done at the steady rate. Nothing has to be refilled, and two workers that
//! write it in turn cannot give out more than one would. Source: ITU-T I.371, annex A.

use std::{fmt, str::FromStr};

use crate::model::{text::serde_as_text, time::Timestamp};

/// How many attempts may start a second, all workers together, and how many at once after a pause.
///
/// As text: `10/s`, or `10/s burst 50`. Without a burst, as many at once as in a second.
///
/// ```
/// use webhook_core::RateLimit;
///
/// let limit: RateLimit = "10/s burst 50".parse()?;
/// assert_eq!(limit, RateLimit::new(10, 50)?);
/// # Ok::<(), webhook_core::error::InvalidRateLimit>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RateLimit {
    per_second: u32,
    burst: u32,
}

/// How much of a rate limit is used: when everything started would be done at the steady rate, in
/// microseconds of Unix time by the store's clock.
pub type RateUsed = i64;

const SECOND_MICROS: i64 = 1_000_000;

/// Maximum time between two reads of the clock whose results are stored in reverse order.
const MAX_READ_SKEW_MICROS: i64 = 60 * SECOND_MICROS;

impl RateLimit {
    /// The most of either number.
    pub const MAX: u32 = 100_000;

    /// Takes a rate and a burst.
    ///
    /// # Errors
    ///
    /// [`InvalidRateLimit`] when one is 0 or above [`MAX`](Self::MAX).
    pub fn new(per_second: u32, burst: u32) -> Result<Self, InvalidRateLimit> {
        let fits = |number: u32| (1..=Self::MAX).contains(&number);
        if fits(per_second) && fits(burst) {
            Ok(Self { per_second, burst })
        } else {
            Err(InvalidRateLimit)
        }
    }

    /// Attempts a second.
    pub const fn per_second(self) -> u32 {
        self.per_second
    }

    /// Attempts at once, after a pause.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// How many may start at `now`.
    pub fn available(self, used: RateUsed, now: Timestamp) -> u32 {
        let ahead = self.ahead_of(used, now);
        let left = (i64::from(self.burst) * self.interval() - ahead) / self.interval();
        u32::try_from(left).unwrap_or(0)
    }

    /// When the next one may start; in the past, when one may now. Rounded up to a millisecond.
    pub fn next_at(self, used: RateUsed, now: Timestamp) -> Timestamp {
        let ahead = self.ahead_of(used, now);
        let wait = (ahead - (i64::from(self.burst) - 1) * self.interval()).max(0);
        Timestamp::from_unix_millis(now.as_unix_millis().saturating_add((wait + 999) / 1000))
    }

    /// What is used when `count` more start at `now`.
    #[must_use]
    pub fn take(self, used: RateUsed, count: u32, now: Timestamp) -> RateUsed {
        let taken = i64::from(count) * self.interval();
        micros(now).saturating_add(self.ahead_of(used, now)).saturating_add(taken)
    }

    /// How far what was started reaches beyond `now`. That is no further than a whole burst, and as much
    /// more as another has looked at the clock later. What is far beyond that was written before the
    /// clock was set back, or under another limit, and must not silence an endpoint.
    fn ahead_of(self, used: RateUsed, now: Timestamp) -> i64 {
        let ahead = used.saturating_sub(micros(now)).max(0);
        let max_ahead = i64::from(self.burst) * self.interval() + MAX_READ_SKEW_MICROS;
        if ahead > max_ahead { 0 } else { ahead }
    }

    /// Microseconds between two attempts at the steady rate.
    fn interval(self) -> i64 {
        SECOND_MICROS / i64::from(self.per_second)
    }
}

fn micros(at: Timestamp) -> i64 {
    at.as_unix_millis().saturating_mul(1000)
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s burst {}", self.per_second, self.burst)
    }
}

impl FromStr for RateLimit {
    type Err = InvalidRateLimit;

    fn from_str(text: &str) -> Result<Self, InvalidRateLimit> {
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| InvalidRateLimit);
        let (rate, burst) = match text.split_once("burst") {
            Some((rate, burst)) => (rate, Some(number(burst)?)),
            None => (text, None),
        };
        let per_second = number(rate.trim().strip_suffix("/s").ok_or(InvalidRateLimit)?)?;
        Self::new(per_second, burst.unwrap_or(per_second))
    }
}

serde_as_text!(RateLimit);

/// The text or the numbers are no rate limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid rate limit; expected such as 10/s or \"10/s burst 50\", each from 1 to 100000"
)]
pub struct InvalidRateLimit;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn limits_are_written_as_they_are_read() {
        let table = [
            ("10/s", Some("10/s burst 10")),
            ("10/s burst 50", Some("10/s burst 50")),
            (" 3/s  burst 1 ", Some("3/s burst 1")),
            ("100000/s", Some("100000/s burst 100000")),
            ("0/s", None),
            ("10/s burst 0", None),
            ("100001/s", None),
            ("10", None),
            ("10/m", None),
            ("-1/s", None),
            ("10/s burst", None),
        ];
        for (text, expected) in table {
            let limit = text.parse::<RateLimit>().ok();
            assert_eq!(limit.map(|limit| limit.to_string()).as_deref(), expected, "{text}");
            let again = limit.map(|limit| RateLimit::new(limit.per_second(), limit.burst()));
            assert_eq!(again, limit.map(Ok), "{text}");
        }
    }

    #[test]
    fn a_burst_goes_at_once_and_then_one_at_each_interval() {
        let limit = RateLimit::new(10, 5).unwrap();
        let at = Timestamp::from_unix_millis;
        let used = limit.take(0, 5, at(1_000_000));
        assert_eq!(limit.available(0, at(1_000_000)), 5);
        assert_eq!(limit.available(used, at(1_000_000)), 0);
        assert_eq!(limit.next_at(used, at(1_000_000)), at(1_000_100));
        assert_eq!(limit.available(used, at(1_000_099)), 0);
        assert_eq!(limit.available(used, at(1_000_100)), 1);
        assert_eq!(limit.available(used, at(1_000_500)), 5);
        assert_eq!(limit.available(used, at(9_000_000)), 5, "no more is saved than a burst");
    }

    #[test]
    fn a_clock_that_is_set_back_holds_up_hardly_longer_than_a_burst_takes() {
        let limit = RateLimit::new(10, 5).unwrap();
        let used = limit.take(0, 5, Timestamp::from_unix_secs(1_000_000));
        for used in [used, i64::MAX] {
            let now = Timestamp::from_unix_secs(1000);
            let next = limit.next_at(used, now);
            assert!(next.since(now) <= Duration::from_secs(61), "{next}");
            assert!(limit.available(used, next) >= 1, "and then one may start");
        }
    }

    #[test]
    fn who_has_looked_at_the_clock_before_another_took_the_burst_gets_none() {
        let limit = RateLimit::new(10, 5).unwrap();
        let at = Timestamp::from_unix_millis;
        let used = limit.take(0, 5, at(1_000_000));
        assert_eq!(limit.available(used, at(999_950)), 0);
        assert_eq!(limit.next_at(used, at(999_950)), at(1_000_100));
    }

    #[test]
    fn the_wait_is_rounded_up_to_a_millisecond() {
        let at = Timestamp::from_unix_millis;
        for (per_second, millis) in [(1, 1000), (3, 334), (1000, 1), (100_000, 1)] {
            let limit = RateLimit::new(per_second, 1).unwrap();
            let used = limit.take(0, 1, at(5000));
            assert_eq!(limit.next_at(used, at(5000)), at(5000 + millis), "{per_second}/s");
        }
        let limit = RateLimit::new(3, 2).unwrap();
        assert_eq!(limit.next_at(0, at(5000)), at(5000), "one may now");
    }

    #[test]
    fn what_reaches_further_than_a_burst_and_a_later_look_is_forgotten() {
        let limit = RateLimit::new(10, 5).unwrap();
        let now = Timestamp::from_unix_secs(1000);
        // Half a second of burst, and a minute.
        let max_ahead = 1000 * SECOND_MICROS + 60_500_000;
        assert_eq!(limit.next_at(max_ahead, now), Timestamp::from_unix_millis(1_060_100));
        assert_eq!((limit.available(max_ahead, now), limit.available(max_ahead + 1, now)), (0, 5));
        assert_eq!(limit.take(max_ahead, 1, now), max_ahead + 100_000);
        assert_eq!(limit.take(max_ahead + 1, 1, now), 1000 * SECOND_MICROS + 100_000);
    }

    proptest! {
        #[test]
        fn any_text_is_a_limit_that_prints_and_parses_to_itself_or_refused(
            text in prop_oneof![".*", "[0-9+ ]{1,7}/s( ?burst [0-9]{1,7})?"],
        ) {
            let Ok(limit) = text.parse::<RateLimit>() else { return Ok(()) };
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            prop_assert!((1..=100_000).contains(&limit.per_second()));
            prop_assert!((1..=100_000).contains(&limit.burst()));
        }

        #[test]
        fn no_more_start_than_the_rate_and_one_burst_allow(
            rate in 1u32..2000, burst in 1u32..100, steps in prop::collection::vec((0i64..500, 0u32..50), 1..200),
        ) {
            let limit = RateLimit::new(rate, burst).unwrap();
            let (mut used, mut now, mut started) = (0, 1_000_000i64, 0u64);
            for (wait, wanted) in steps {
                now += wait;
                let at = Timestamp::from_unix_millis(now);
                let count = wanted.min(limit.available(used, at));
                used = limit.take(used, count, at);
                started += u64::from(count);
                let allowed = f64::from(burst) + (now - 1_000_000) as f64 / 1000.0 * f64::from(rate) * 1.001 + 1.0;
                prop_assert!(started as f64 <= allowed, "{started} of {allowed}");
                prop_assert!(limit.available(used, limit.next_at(used, at)) >= 1);
            }
        }
    }
}
