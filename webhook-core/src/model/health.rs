//! How an endpoint is, as its attempts tell.
//!
//! ```text
//! healthy --failures--> failing --more--> cooling --probe fails--> cooling, longer
//!    ^                     |                 |  \--fails for days--> disabled
//!    |                     v                 v
//!    +---- a success ------+     recovering: one more at once for each success
//! ```
//!
//! While an endpoint cools, its deliveries wait and use up no attempts; then one of them is the probe.
//! Our own faults and refused addresses say nothing about a receiver, and change nothing here.
//!
//! [`Health`] is a value and [`Health::after`] a function of it: a week of outcomes is tested in
//! microseconds, and a store writes down what it returns, in the transaction that records the attempt.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::model::{notice::NoticeKind, time::Timestamp};

/// When an endpoint counts as failing, when it is left alone for a while, and when for good.
///
/// ```
/// use std::time::Duration;
/// use webhook_core::HealthPolicy;
///
/// let patient = HealthPolicy::new().disable_after(Some(Duration::from_secs(14 * 24 * 3600)));
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
    /// Failures in a row before its owner is told.
    pub const WARN_AFTER: u32 = 5;

    /// Failures in a row before it is left alone for a while.
    pub const COOL_AFTER: u32 = 10;

    /// The first time it is left alone; each next one is twice as long.
    pub const COOL_DOWN: Duration = Duration::from_secs(30);

    /// The longest time it is left alone: how long a receiver that works again waits at most.
    pub const MAX_COOL_DOWN: Duration = Duration::from_secs(15 * 60);

    /// How long nothing but failures disables it: a long weekend, and a day to notice.
    pub const DISABLE_AFTER: Duration = Duration::from_secs(5 * 24 * 60 * 60);

    /// The fewest failures that disable it: one event a week that fails says little.
    pub const DISABLE_MIN: u32 = 20;

    /// The defaults: told after 5 failures in a row, left alone after 10, for 30 s at first and 15 min
    /// at most, disabled after 5 days and 20 failures without a success.
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

    /// Sets how many failures in a row make a notice; at least 1.
    #[must_use]
    pub const fn warn_after(mut self, failures: u32) -> Self {
        self.warn_after = at_least_one(failures);
        self
    }

    /// Sets after how many failures in a row an endpoint is left alone for a while; at least 1.
    #[must_use]
    pub const fn cool_after(mut self, failures: u32) -> Self {
        self.cool_after = at_least_one(failures);
        self
    }

    /// Sets for how long, the first time and at most.
    #[must_use]
    pub const fn cool_down(mut self, first: Duration, longest: Duration) -> Self {
        (self.cool_down, self.max_cool_down) = (first, longest);
        self
    }

    /// Sets after how long without a success an endpoint is disabled; never, when absent.
    #[must_use]
    pub const fn disable_after(mut self, time: Option<Duration>) -> Self {
        self.disable_after = time;
        self
    }

    /// Sets how many failures it takes besides; at least 1.
    #[must_use]
    pub const fn disable_min(mut self, failures: u32) -> Self {
        self.disable_min = at_least_one(failures);
        self
    }

    /// How long the `number`-th cool-down lasts, counted from 1.
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

/// What an attempt says about its receiver.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sign {
    /// Nothing, and nothing waits for it.
    #[default]
    None,
    /// Nothing, though it may have been the probe: another may be made.
    Void,
    /// It accepts.
    Good,
    /// It fails.
    Bad,
    /// It asks to be left alone for so long: 429 or 503 with `Retry-After`.
    Busy(Duration),
}

/// How an endpoint is. The default is healthy.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Health {
    /// Failures in a row.
    failures: u32,
    /// Since when there was no success.
    failing_since: Option<Timestamp>,
    /// Whether its owner was told.
    warned: bool,
    /// Cool-downs in a row.
    cool_downs: u32,
    /// Nothing starts before then, and then only the probe.
    rests_until: Option<Timestamp>,
    /// Whether the probe is out. Its lease ends when the rest does.
    probing: bool,
    /// How many attempts may be in flight, while it recovers.
    ramp: Option<u32>,
}

/// How an endpoint is, in a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Condition {
    /// It accepts, or nothing is known.
    Healthy,
    /// It has failed some times in a row.
    Failing {
        /// How often.
        failures: u32,
        /// Since when.
        since: Timestamp,
    },
    /// It is left alone; afterwards one delivery is the probe.
    Cooling {
        /// Failures in a row; none, when it asked for the pause itself.
        failures: u32,
        /// Until when.
        until: Timestamp,
    },
    /// It accepts again, and gets more bit by bit.
    Recovering {
        /// How many attempts may be in flight at once, in each worker process.
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
            Self::Cooling { failures: 0, until } => {
                write!(f, "left alone until {until}, as it asked")
            }
            Self::Cooling { failures, until } => {
                write!(f, "left alone until {until}, after {failures} failures in a row")
            }
            Self::Recovering { in_flight } => write!(f, "recovering, {in_flight} attempts at once"),
        }
    }
}

/// What follows from a sign.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// How the endpoint is from now on.
    pub health: Health,
    /// What its owner has to be told.
    pub notice: Option<NoticeKind>,
    /// Whether it is given up: to be disabled.
    pub gives_up: bool,
}

impl Health {
    /// Nothing is known against it.
    pub const HEALTHY: Self = Self {
        failures: 0,
        failing_since: None,
        warned: false,
        cool_downs: 0,
        rests_until: None,
        probing: false,
        ramp: None,
    };

    /// How it is after `sign`, given on an attempt that ended with `error`, at `now` by the store's
    /// clock. The endpoint may have `max_in_flight` attempts at once when it is well.
    #[must_use]
    pub fn after(
        self,
        sign: Sign,
        error: Option<&str>,
        now: Timestamp,
        policy: &HealthPolicy,
        max_in_flight: u32,
    ) -> Turn {
        match sign {
            Sign::None => Turn::to(self),
            Sign::Void if self.probing => {
                Turn::to(Self { probing: false, rests_until: Some(now), ..self })
            }
            Sign::Void => Turn::to(self),
            Sign::Good if self.keeps_resting(now) => {
                let failing_since = self.failing_since.map(|_| now);
                Turn::to(Self { failing_since, ..self })
            }
            Sign::Good => self.succeeded(max_in_flight),
            Sign::Bad => self.failed(error, now, policy),
            Sign::Busy(wait) => {
                let until = now.after(wait);
                let until = self.rests_until.filter(|_| !self.probing).max(Some(until));
                Turn::to(Self { rests_until: until, probing: false, ramp: None, ..self })
            }
        }
    }

    fn succeeded(self, max_in_flight: u32) -> Turn {
        let notice = self.warned.then_some(NoticeKind::EndpointRecovered);
        let recovers = self.ramp.is_some() || self.rests_until.is_some();
        let ramp = self.ramp.unwrap_or(1).saturating_add(1);
        let health = if recovers && ramp < max_in_flight {
            // A relapse goes on with longer cool-downs.
            Self { ramp: Some(ramp), cool_downs: self.cool_downs, ..Self::default() }
        } else {
            Self::default()
        };
        Turn { health, notice, gives_up: false }
    }

    fn failed(mut self, error: Option<&str>, now: Timestamp, policy: &HealthPolicy) -> Turn {
        self.failures = self.failures.saturating_add(1);
        let since = *self.failing_since.get_or_insert(now);
        if self.is_hopeless(self.failures, now, policy) {
            let notice = NoticeKind::disabled_failing(self.failures, since, error);
            return Turn { health: Self::default(), notice: Some(notice), gives_up: true };
        }
        let warn = !self.warned && self.failures >= policy.warn_after;
        self.warned |= warn;
        // What was in flight when the rest began says nothing new.
        let rests = self.keeps_resting(now) || policy.cool_after == u32::MAX;
        let relapsed = self.ramp.is_some() || self.rests_until.is_some();
        if !rests && (relapsed || self.failures >= policy.cool_after) {
            self.cool_downs = self.cool_downs.saturating_add(1);
            self.rests_until = Some(now.after(policy.cool_down_of(self.cool_downs)));
            (self.probing, self.ramp) = (false, None);
        }
        let notice = warn.then(|| NoticeKind::failing(self.failures, since, error));
        Turn { health: self, notice, gives_up: false }
    }

    /// Whether it is left alone, and the attempt that ends now is none that was to find out more.
    fn keeps_resting(&self, now: Timestamp) -> bool {
        !self.probing && self.rests_until.is_some_and(|until| now < until)
    }

    fn is_hopeless(&self, failures: u32, now: Timestamp, policy: &HealthPolicy) -> bool {
        let (Some(since), Some(most)) = (self.failing_since, policy.disable_after) else {
            return false;
        };
        failures >= policy.disable_min && now.since(since) >= most
    }

    /// Whether up to `failures` more may make it rest, or be given up: what else has to be locked
    /// for that is best locked first.
    pub fn may_turn(&self, failures: u32, now: Timestamp, policy: &HealthPolicy) -> bool {
        let failures = self.failures.saturating_add(failures);
        !self.is_well() || failures >= policy.cool_after || self.is_hopeless(failures, now, policy)
    }

    /// How many attempts may be in flight, if the endpoint may have `max_in_flight` when it is well;
    /// nothing while it rests, one when it is time for the probe.
    pub fn allows(&self, now: Timestamp, max_in_flight: u32) -> u32 {
        match (self.rests_until, self.ramp) {
            (Some(until), _) if now < until => 0,
            (Some(_), _) => 1,
            (None, Some(ramp)) => ramp.clamp(1, max_in_flight.max(1)),
            (None, None) => max_in_flight,
        }
    }

    /// How many attempts may be in flight, but for a rest.
    pub(crate) const fn slots(&self, max_in_flight: u32) -> u32 {
        match self.ramp {
            Some(ramp) if ramp < max_in_flight && ramp > 0 => ramp,
            _ => max_in_flight,
        }
    }

    /// Whether the next attempt is a probe: the endpoint has rested, and nobody knows how it is.
    pub const fn wants_probe(&self) -> bool {
        self.rests_until.is_some()
    }

    /// The probe is claimed: nothing else starts before its lease ends.
    #[must_use]
    pub const fn probed(mut self, lease_ends: Timestamp) -> Self {
        (self.probing, self.rests_until) = (true, Some(lease_ends));
        self
    }

    /// Until when it rests, if it does.
    pub const fn rests_until(&self) -> Option<Timestamp> {
        self.rests_until
    }

    /// Whether attempts may start as they come: it neither rests nor recovers.
    pub const fn is_well(&self) -> bool {
        self.rests_until.is_none() && self.ramp.is_none()
    }

    /// Whether nothing is known against it.
    pub fn is_healthy(&self) -> bool {
        *self == Self::HEALTHY
    }

    /// How it is, in a word.
    pub fn condition(&self) -> Condition {
        if let Some(until) = self.rests_until {
            return Condition::Cooling { failures: self.failures, until };
        }
        match (self.ramp, self.failing_since) {
            (Some(in_flight), _) => Condition::Recovering { in_flight },
            (None, Some(since)) => Condition::Failing { failures: self.failures, since },
            (None, None) => Condition::Healthy,
        }
    }
}

impl Turn {
    const fn to(health: Health) -> Self {
        Self { health, notice: None, gives_up: false }
    }
}

#[cfg(test)]
#[path = "health/tests.rs"]
mod tests;
