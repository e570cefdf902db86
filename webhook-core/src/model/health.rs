//! Health of an endpoint, derived from the outcomes of its attempts.
//!
//! ```text
//! healthy --failures--> failing --more--> cooling down --probe fails--> cooling down, longer
//!    ^                     |                 |  \--fails for days--> disabled
//!    |                     v                 v
//!    +---- a success ------+     recovering: one more at once for each success
//! ```
//!
//! While an endpoint cools down, its deliveries wait and use up no attempts. After that, one of
//! them is the probe. Local faults and refused addresses say nothing about a receiver, and change
//! nothing here.
//!
//! [`Health`] is a value and [`Health::after`] a function of it, so a week of outcomes is tested in
//! microseconds. A store stores the result in the transaction that records the attempt.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::model::{notice::NoticeKind, time::Timestamp};

/// Policy that decides when an endpoint counts as failing, cools down and is disabled.
///
/// ```
/// use std::time::Duration;
/// use webhook_core::HealthPolicy;
///
/// let patient = HealthPolicy::new().with_disable_after(Some(Duration::from_secs(14 * 24 * 3600)));
/// # let _ = patient;
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HealthPolicy {
    warn_after: u32,
    cool_after: u32,
    cool_down: Duration,
    max_cool_down: Duration,
    disable_after: Option<Duration>,
    disable_min: u32,
}

impl HealthPolicy {
    /// Failures in a row before a notice is stored.
    pub const WARN_AFTER: u32 = 5;

    /// Failures in a row before the endpoint cools down.
    pub const COOL_AFTER: u32 = 10;

    /// Length of the first cool-down. Each further one is twice as long.
    pub const COOL_DOWN: Duration = Duration::from_secs(30);

    /// Maximum length of a cool-down, and so the maximum wait of a receiver that works again.
    pub const MAX_COOL_DOWN: Duration = Duration::from_secs(15 * 60);

    /// Time without a success after which the endpoint is disabled: a long weekend, and a day to
    /// notice.
    pub const DISABLE_AFTER: Duration = Duration::from_secs(5 * 24 * 60 * 60);

    /// Minimum number of failures that disable the endpoint: one failure a week says little.
    pub const DISABLE_MIN: u32 = 20;

    /// The defaults: a notice after 5 failures in a row, a cool-down after 10, for 30 s at first
    /// and 15 min at most; disabled after 5 days and 20 failures without a success.
    pub const fn new() -> Self {
        Self {
            warn_after: Self::WARN_AFTER,
            cool_after: Self::COOL_AFTER,
            cool_down: Self::COOL_DOWN,
            max_cool_down: Self::MAX_COOL_DOWN,
            disable_after: Some(Self::DISABLE_AFTER),
            disable_min: Self::DISABLE_MIN,
        }
    }

    /// Failures change nothing. A receiver that asks for a pause still gets it.
    pub const fn off() -> Self {
        Self { warn_after: u32::MAX, cool_after: u32::MAX, disable_after: None, ..Self::new() }
    }

    /// Sets the number of failures in a row after which a notice is stored; at least 1.
    #[must_use]
    pub const fn with_warn_after(mut self, failures: u32) -> Self {
        self.warn_after = at_least_one(failures);
        self
    }

    /// Sets the number of failures in a row after which an endpoint cools down; at least 1.
    #[must_use]
    pub const fn with_cool_after(mut self, failures: u32) -> Self {
        self.cool_after = at_least_one(failures);
        self
    }

    /// Sets the length of the first cool-down, and the maximum length.
    #[must_use]
    pub const fn with_cool_down(mut self, first: Duration, longest: Duration) -> Self {
        (self.cool_down, self.max_cool_down) = (first, longest);
        self
    }

    /// Sets the time without a success after which an endpoint is disabled; `None` for never.
    #[must_use]
    pub const fn with_disable_after(mut self, time: Option<Duration>) -> Self {
        self.disable_after = time;
        self
    }

    /// Sets the minimum number of failures that disable an endpoint; at least 1.
    #[must_use]
    pub const fn with_disable_min(mut self, failures: u32) -> Self {
        self.disable_min = at_least_one(failures);
        self
    }

    /// Length of the `number`-th cool-down, counted from 1.
    fn cool_down_of(&self, number: u32) -> Duration {
        let factor = 2u32.saturating_pow(number.saturating_sub(1));
        self.cool_down.saturating_mul(factor).min(self.max_cool_down)
    }
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self::new()
    }
}

const fn at_least_one(number: u32) -> u32 {
    if number == 0 { 1 } else { number }
}

/// Effect of an attempt's outcome on the health of its endpoint.
///
/// Closed: [`Health::after`] handles every signal.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HealthSignal {
    /// No effect.
    #[default]
    None,
    /// No effect, except that another probe may be made if the attempt was the probe.
    Void,
    /// The receiver accepts events.
    Good,
    /// The receiver fails.
    Bad,
    /// The receiver asks for a pause: 429 or 503 with `Retry-After`.
    Busy(Duration),
}

/// Health of an endpoint. The default is healthy.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Health {
    /// Failures in a row.
    failures: u32,
    /// Time of the first failure since the last success.
    failing_since: Option<Timestamp>,
    /// True if a notice of the failures was stored.
    warned: bool,
    /// Cool-downs in a row.
    cool_downs: u32,
    /// End of the cool-down. No attempt starts before it, and then only the probe.
    cools_down_until: Option<Timestamp>,
    /// True while the probe is in flight. Its lease ends when the cool-down does.
    probing: bool,
    /// Maximum number of attempts in flight while the endpoint recovers.
    ramp: Option<u32>,
}

/// State of an endpoint's health.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Condition {
    /// The last attempt has succeeded, or there was none.
    Healthy,
    /// Attempts have failed.
    Failing {
        /// Failures in a row.
        failures: u32,
        /// Time of the first failure.
        since: Timestamp,
    },
    /// No attempt is made. After that, one delivery is the probe.
    CoolingDown {
        /// Failures in a row; 0 if the receiver asked for the pause.
        failures: u32,
        /// End of the cool-down.
        until: Timestamp,
    },
    /// Attempts succeed again, and their number is increased step by step.
    Recovering {
        /// Maximum number of attempts in flight, in each worker process.
        in_flight: u32,
    },
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy => f.write_str("healthy"),
            Self::Failing { failures, since } => {
                write!(f, "failing, {failures} times in a row since {since}")
            }
            Self::CoolingDown { failures: 0, until } => {
                write!(f, "cooling down until {until}, as it asked")
            }
            Self::CoolingDown { failures, until } => {
                write!(f, "cooling down until {until}, after {failures} failures in a row")
            }
            Self::Recovering { in_flight } => write!(f, "recovering, {in_flight} attempts at once"),
        }
    }
}

/// Result of applying a health signal.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthChange {
    /// New health of the endpoint.
    pub health: Health,
    /// Notice to be stored.
    pub notice: Option<NoticeKind>,
    /// True if the endpoint must be disabled.
    pub disables: bool,
}

impl Health {
    /// Health of an endpoint without failures.
    pub const HEALTHY: Self = Self {
        failures: 0,
        failing_since: None,
        warned: false,
        cool_downs: 0,
        cools_down_until: None,
        probing: false,
        ramp: None,
    };

    /// Applies the `signal` of an attempt that ended with `error`, at `now` by the store's clock.
    /// `max_in_flight` is the limit of the endpoint when it is unrestricted.
    #[must_use]
    pub fn after(
        self,
        signal: HealthSignal,
        error: Option<&str>,
        now: Timestamp,
        policy: &HealthPolicy,
        max_in_flight: u32,
    ) -> HealthChange {
        match signal {
            HealthSignal::None => HealthChange::to(self),
            HealthSignal::Void if self.probing => {
                HealthChange::to(Self { probing: false, cools_down_until: Some(now), ..self })
            }
            HealthSignal::Void => HealthChange::to(self),
            HealthSignal::Good if self.is_cooling_down(now) => {
                let failing_since = self.failing_since.map(|_| now);
                HealthChange::to(Self { failing_since, ..self })
            }
            HealthSignal::Good => self.succeeded(max_in_flight),
            HealthSignal::Bad => self.failed(error, now, policy),
            HealthSignal::Busy(wait) => {
                let until = now.after(wait);
                let until = self.cools_down_until.filter(|_| !self.probing).max(Some(until));
                HealthChange::to(Self {
                    cools_down_until: until,
                    probing: false,
                    ramp: None,
                    ..self
                })
            }
        }
    }

    fn succeeded(self, max_in_flight: u32) -> HealthChange {
        let notice = self.warned.then_some(NoticeKind::EndpointRecovered);
        let recovers = self.ramp.is_some() || self.cools_down_until.is_some();
        let ramp = self.ramp.unwrap_or(1).saturating_add(1);
        let health = if recovers && ramp < max_in_flight {
            // A relapse goes on with longer cool-downs.
            Self { ramp: Some(ramp), cool_downs: self.cool_downs, ..Self::default() }
        } else {
            Self::default()
        };
        HealthChange { health, notice, disables: false }
    }

    fn failed(
        mut self,
        error: Option<&str>,
        now: Timestamp,
        policy: &HealthPolicy,
    ) -> HealthChange {
        self.failures = self.failures.saturating_add(1);
        let since = *self.failing_since.get_or_insert(now);
        if self.must_be_disabled(self.failures, now, policy) {
            let notice = NoticeKind::disabled_failing(self.failures, since, error);
            return HealthChange { health: Self::default(), notice: Some(notice), disables: true };
        }
        let warn = !self.warned && self.failures >= policy.warn_after;
        self.warned |= warn;
        // The outcome of an attempt that was in flight when the cool-down began says nothing new.
        let is_unaffected = self.is_cooling_down(now) || policy.cool_after == u32::MAX;
        let relapsed = self.ramp.is_some() || self.cools_down_until.is_some();
        if !is_unaffected && (relapsed || self.failures >= policy.cool_after) {
            self.cool_downs = self.cool_downs.saturating_add(1);
            self.cools_down_until = Some(now.after(policy.cool_down_of(self.cool_downs)));
            (self.probing, self.ramp) = (false, None);
        }
        let notice = warn.then(|| NoticeKind::failing(self.failures, since, error));
        HealthChange { health: self, notice, disables: false }
    }

    /// Returns true if the endpoint cools down, and the attempt that ends now is not the probe.
    fn is_cooling_down(&self, now: Timestamp) -> bool {
        !self.probing && self.cools_down_until.is_some_and(|until| now < until)
    }

    /// Returns true if the endpoint has failed often and long enough to be disabled.
    fn must_be_disabled(&self, failures: u32, now: Timestamp, policy: &HealthPolicy) -> bool {
        let (Some(since), Some(limit)) = (self.failing_since, policy.disable_after) else {
            return false;
        };
        failures >= policy.disable_min && now.since(since) >= limit
    }

    /// Returns true if up to `failures` more failures may start a cool-down or disable the
    /// endpoint. A store can use this to lock other rows first.
    pub fn may_change(&self, failures: u32, now: Timestamp, policy: &HealthPolicy) -> bool {
        let failures = self.failures.saturating_add(failures);
        !self.is_unrestricted()
            || failures >= policy.cool_after
            || self.must_be_disabled(failures, now, policy)
    }

    /// Maximum number of attempts in flight at `now`, for an endpoint whose limit is
    /// `max_in_flight`: 0 during a cool-down, then 1 for the probe.
    pub fn allows(&self, now: Timestamp, max_in_flight: u32) -> u32 {
        match (self.cools_down_until, self.ramp) {
            (Some(until), _) if now < until => 0,
            (Some(_), _) => 1,
            (None, Some(ramp)) => ramp.clamp(1, max_in_flight.max(1)),
            (None, None) => max_in_flight,
        }
    }

    /// Maximum number of attempts in flight, regardless of a cool-down.
    pub(crate) const fn slots(&self, max_in_flight: u32) -> u32 {
        match self.ramp {
            Some(ramp) if ramp < max_in_flight && ramp > 0 => ramp,
            _ => max_in_flight,
        }
    }

    /// Returns true if the next attempt is a probe, because the endpoint was cooling down.
    pub const fn wants_probe(&self) -> bool {
        self.cools_down_until.is_some()
    }

    /// Records that the probe is claimed. No other attempt starts before its lease ends.
    #[must_use]
    pub const fn probed(mut self, lease_ends: Timestamp) -> Self {
        (self.probing, self.cools_down_until) = (true, Some(lease_ends));
        self
    }

    /// End of the cool-down; `None` if there is none. It may be in the past until the probe has
    /// ended.
    pub const fn cools_down_until(&self) -> Option<Timestamp> {
        self.cools_down_until
    }

    /// Returns true if health does not limit attempts: the endpoint neither cools down nor
    /// recovers.
    pub const fn is_unrestricted(&self) -> bool {
        self.cools_down_until.is_none() && self.ramp.is_none()
    }

    /// Returns true if there was no failure, cool-down or recovery since the last success.
    pub fn is_healthy(&self) -> bool {
        *self == Self::HEALTHY
    }

    /// State of the health.
    pub fn condition(&self) -> Condition {
        if let Some(until) = self.cools_down_until {
            return Condition::CoolingDown { failures: self.failures, until };
        }
        match (self.ramp, self.failing_since) {
            (Some(in_flight), _) => Condition::Recovering { in_flight },
            (None, Some(since)) => Condition::Failing { failures: self.failures, since },
            (None, None) => Condition::Healthy,
        }
    }
}

impl HealthChange {
    const fn to(health: Health) -> Self {
        Self { health, notice: None, disables: false }
    }
}

#[cfg(test)]
#[path = "health/tests.rs"]
mod tests;
