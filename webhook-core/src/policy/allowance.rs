//! Allowance of an endpoint: the number of attempts that its limit, health and rate permit now.
//!
//! A store asks here how many deliveries it may lease, and stores the resulting allowance.

use crate::model::{
    endpoint::Endpoint,
    health::Health,
    rate::{RateLimit, RateUsed},
    time::Timestamp,
};

/// Limits of an endpoint and their use, as a store keeps them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Allowance {
    /// Maximum number of attempts in flight, in each worker process.
    pub max_in_flight: u32,
    /// Rate limit of all workers together.
    pub rate: Option<RateLimit>,
    /// Health of the endpoint.
    pub health: Health,
    /// Used part of the rate.
    pub used: RateUsed,
}

impl Allowance {
    /// Creates the allowance of a healthy endpoint without a rate limit.
    pub const fn new(max_in_flight: u32) -> Self {
        Self { max_in_flight, rate: None, health: Health::HEALTHY, used: 0 }
    }

    /// Creates the allowance of an endpoint that has used this part of its rate.
    pub const fn of(endpoint: &Endpoint, used: RateUsed) -> Self {
        let Endpoint { max_in_flight, rate, health, .. } = endpoint;
        Self { max_in_flight: *max_in_flight, rate: *rate, health: *health, used }
    }

    /// Sets the rate limit, and its used part.
    #[must_use]
    pub const fn with_rate(mut self, rate: Option<RateLimit>, used: RateUsed) -> Self {
        (self.rate, self.used) = (rate, used);
        self
    }

    /// Sets the health.
    #[must_use]
    pub const fn with_health(mut self, health: Health) -> Self {
        self.health = health;
        self
    }

    /// Returns true if leasing a delivery changes the allowance, so that two workers must not do it
    /// at the same time.
    pub fn is_shared(&self) -> bool {
        self.rate.is_some() || !self.health.is_unrestricted()
    }

    /// Number of attempts that may start at `now` in a process that has `in_flight` attempts in
    /// flight.
    pub fn room(&self, in_flight: u32, now: Timestamp) -> u32 {
        let slots = self.max_in_flight.saturating_sub(in_flight);
        let healthy = match self.health.allows(now, self.max_in_flight) {
            // Attempts that were in flight when the cool-down began do not delay the probe.
            limit if self.health.wants_probe() => limit,
            limit => limit.saturating_sub(in_flight),
        };
        let rate = self.rate.map_or(u32::MAX, |rate| rate.available(self.used, now));
        slots.min(healthy).min(rate)
    }

    /// Maximum number of attempts in flight now, in each process, regardless of a cool-down. If it
    /// is reached, the end of an attempt shows that another one may start.
    pub const fn slots(&self) -> u32 {
        self.health.slots(self.max_in_flight)
    }

    /// Time at which an attempt may start again; `None` if neither health nor rate prevents one at
    /// `now`.
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let health = self.health.cools_down_until().filter(|until| *until > now);
        let rate = self.rate.map(|rate| rate.next_at(self.used, now)).filter(|at| *at > now);
        health.max(rate)
    }

    /// Records that `count` attempts start at `now`, under leases that end at `leases_end`.
    #[must_use]
    pub fn after(mut self, count: u32, now: Timestamp, leases_end: Timestamp) -> Self {
        if count == 0 {
            return self;
        }
        if self.health.wants_probe() {
            self.health = self.health.probed(leases_end);
        }
        if let Some(rate) = self.rate {
            self.used = rate.take(self.used, count, now);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::health::{HealthPolicy, HealthSignal};
    use std::time::Duration;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    /// Cooling down until `until`, as the receiver asked.
    fn cooling_down(until: i64) -> Health {
        let wait = Duration::from_secs(until.unsigned_abs());
        Health::HEALTHY
            .after(HealthSignal::Busy(wait), None, at(0), &HealthPolicy::new(), 16)
            .health
    }

    /// Recovering after a cool-down: two attempts at a time.
    fn recovering() -> Health {
        let probe = cooling_down(10).probed(at(55));
        probe.after(HealthSignal::Good, None, at(11), &HealthPolicy::new(), 16).health
    }

    fn limited(burst: u32, taken: u32) -> Allowance {
        let rate = RateLimit::new(1, burst).unwrap();
        Allowance::new(16).with_rate(Some(rate), rate.take(0, taken, at(100)))
    }

    #[test]
    fn room_is_the_least_of_limit_health_and_rate() {
        let table = [
            ("healthy", Allowance::new(16), 0, 16),
            ("some in flight", Allowance::new(16), 10, 6),
            ("more than allowed", Allowance::new(16), 20, 0),
            ("recovers", Allowance::new(16).with_health(recovering()), 0, 2),
            ("recovers, one in flight", Allowance::new(16).with_health(recovering()), 1, 1),
            ("cooling down", Allowance::new(16).with_health(cooling_down(101)), 0, 0),
            ("wants a probe", Allowance::new(16).with_health(cooling_down(100)), 0, 1),
            (
                "wants a probe beside others",
                Allowance::new(16).with_health(cooling_down(100)),
                9,
                1,
            ),
            ("wants a probe, no slot", Allowance::new(16).with_health(cooling_down(100)), 16, 0),
            ("rate", limited(5, 0), 0, 5),
            ("rate, partly used", limited(5, 3), 0, 2),
            ("rate, used up", limited(5, 5), 0, 0),
            ("rate, few slots", limited(5, 0), 14, 2),
            ("rate, recovers", limited(5, 0).with_health(recovering()), 0, 2),
        ];
        for (what, allowance, in_flight, expected) in table {
            assert_eq!(allowance.room(in_flight, at(100)), expected, "{what}");
        }
    }

    #[test]
    fn an_allowance_is_shared_if_leasing_changes_it() {
        assert!(!Allowance::new(16).is_shared());
        assert!(limited(5, 0).is_shared());
        assert!(Allowance::new(16).with_health(cooling_down(1)).is_shared());
        assert!(Allowance::new(16).with_health(recovering()).is_shared());
    }

    #[test]
    fn it_opens_when_health_and_rate_both_permit() {
        let both = limited(5, 5).with_health(cooling_down(160));
        let table = [
            (Allowance::new(16), None),
            (Allowance::new(16).with_health(cooling_down(160)), Some(at(160))),
            (Allowance::new(16).with_health(cooling_down(100)), None),
            (limited(5, 4), None),
            (limited(5, 5), Some(at(101))),
            (both, Some(at(160))),
            (both.with_health(cooling_down(100)), Some(at(101))),
        ];
        for (allowance, expected) in table {
            assert_eq!(allowance.opens_at(at(100)), expected, "{allowance:?}");
        }
    }

    #[test]
    fn attempts_use_up_the_rate_and_the_first_is_the_probe() {
        let (now, end) = (at(100), at(145));
        assert_eq!(Allowance::new(16).after(3, now, end), Allowance::new(16));
        assert_eq!(limited(5, 2).after(3, now, end), limited(5, 5));
        let cooling = limited(5, 0).with_health(cooling_down(100));
        assert_eq!(cooling.after(0, now, end), cooling, "nothing starts, nothing changes");
        let probed = cooling.after(1, now, end);
        assert_eq!(probed, limited(5, 1).with_health(cooling_down(100).probed(end)));
        assert_eq!(probed.room(0, now), 0, "one probe and no more");
    }

    #[test]
    fn slots_ignore_a_cool_down() {
        assert_eq!(Allowance::new(16).slots(), 16);
        assert_eq!(Allowance::new(16).with_health(cooling_down(160)).slots(), 16);
        assert_eq!(Allowance::new(16).with_health(recovering()).slots(), 2);
        assert_eq!(Allowance::new(1).with_health(recovering()).slots(), 1);
    }

    #[test]
    fn of_takes_the_limits_of_the_endpoint() {
        let id = crate::model::id::EndpointId::from_uuid(uuid::Uuid::nil());
        let endpoint = Endpoint::new(id, "https://a.example/".parse().unwrap())
            .with_max_in_flight(7)
            .with_rate(RateLimit::new(1, 5).ok())
            .with_health(recovering());
        let allowance = Allowance::of(&endpoint, 42);
        let expected = Allowance::new(7).with_rate(RateLimit::new(1, 5).ok(), 42);
        assert_eq!(allowance, expected.with_health(recovering()));
    }
}
