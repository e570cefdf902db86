//! What an endpoint may get now: its limits, its health, and what of its rate is used.
//!
//! A store that hands out deliveries asks here how many, and writes down what it is told.

use crate::model::{
    endpoint::Endpoint,
    health::Health,
    rate::{RateLimit, RateUsed},
    time::Timestamp,
};

/// What an endpoint may get, as a store keeps it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pace {
    /// Attempts in flight at once, in each worker process.
    pub max_in_flight: u32,
    /// Attempts a second, all workers together.
    pub rate: Option<RateLimit>,
    /// How it is.
    pub health: Health,
    /// What of the rate is used.
    pub used: RateUsed,
}

impl Pace {
    /// Of a healthy endpoint without a rate limit.
    pub const fn new(max_in_flight: u32) -> Self {
        Self { max_in_flight, rate: None, health: Health::HEALTHY, used: 0 }
    }

    /// Of an endpoint, that has used so much of its rate.
    pub const fn of(endpoint: &Endpoint, used: RateUsed) -> Self {
        let Endpoint { max_in_flight, rate, health, .. } = endpoint;
        Self { max_in_flight: *max_in_flight, rate: *rate, health: *health, used }
    }

    /// Sets its rate limit, and what of it is used.
    #[must_use]
    pub const fn with_rate(mut self, rate: Option<RateLimit>, used: RateUsed) -> Self {
        (self.rate, self.used) = (rate, used);
        self
    }

    /// Sets how it is.
    #[must_use]
    pub const fn with_health(mut self, health: Health) -> Self {
        self.health = health;
        self
    }

    /// Whether handing out a delivery changes it, so that two workers must not do it at once.
    pub fn is_shared(&self) -> bool {
        self.rate.is_some() || !self.health.is_unrestricted()
    }

    /// How many attempts may start at `now`, of a process that has `in_flight` under way.
    pub fn room(&self, in_flight: u32, now: Timestamp) -> u32 {
        let slots = self.max_in_flight.saturating_sub(in_flight);
        let healthy = match self.health.allows(now, self.max_in_flight) {
            // What was in flight when the rest began does not keep the probe from going out.
            most if self.health.wants_probe() => most,
            most => most.saturating_sub(in_flight),
        };
        let rate = self.rate.map_or(u32::MAX, |rate| rate.available(self.used, now));
        slots.min(healthy).min(rate)
    }

    /// How many attempts may be in flight at once at present, in each process: when they are, the
    /// end of one says that there is room again. While it rests that is another matter.
    pub const fn slots(&self) -> u32 {
        self.health.slots(self.max_in_flight)
    }

    /// When something may start again that health or rate hold back at `now`; absent when they do
    /// not.
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let rests = self.health.cools_down_until().filter(|until| *until > now);
        let rate = self.rate.map(|rate| rate.next_at(self.used, now)).filter(|at| *at > now);
        rests.max(rate)
    }

    /// `count` attempts start at `now`, under leases that end then.
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

    /// Left alone until `until`, as it asked.
    fn cooling_down(until: i64) -> Health {
        let wait = Duration::from_secs(until.unsigned_abs());
        Health::HEALTHY
            .after(HealthSignal::Busy(wait), None, at(0), &HealthPolicy::new(), 16)
            .health
    }

    /// It accepts again after a rest: two at once for now.
    fn recovering() -> Health {
        let probe = cooling_down(10).probed(at(55));
        probe.after(HealthSignal::Good, None, at(11), &HealthPolicy::new(), 16).health
    }

    fn limited(burst: u32, taken: u32) -> Pace {
        let rate = RateLimit::new(1, burst).unwrap();
        Pace::new(16).with_rate(Some(rate), rate.take(0, taken, at(100)))
    }

    #[test]
    fn the_least_of_limit_health_and_rate_is_the_room() {
        let table = [
            ("well", Pace::new(16), 0, 16),
            ("some in flight", Pace::new(16), 10, 6),
            ("more than allowed", Pace::new(16), 20, 0),
            ("recovers", Pace::new(16).with_health(recovering()), 0, 2),
            ("recovers, one in flight", Pace::new(16).with_health(recovering()), 1, 1),
            ("rests", Pace::new(16).with_health(cooling_down(101)), 0, 0),
            ("wants a probe", Pace::new(16).with_health(cooling_down(100)), 0, 1),
            ("wants a probe beside others", Pace::new(16).with_health(cooling_down(100)), 9, 1),
            ("wants a probe, no slot", Pace::new(16).with_health(cooling_down(100)), 16, 0),
            ("rate", limited(5, 0), 0, 5),
            ("rate, partly used", limited(5, 3), 0, 2),
            ("rate, used up", limited(5, 5), 0, 0),
            ("rate, few slots", limited(5, 0), 14, 2),
            ("rate, recovers", limited(5, 0).with_health(recovering()), 0, 2),
        ];
        for (what, pace, in_flight, expected) in table {
            assert_eq!(pace.room(in_flight, at(100)), expected, "{what}");
        }
    }

    #[test]
    fn two_workers_meet_where_handing_out_changes_something() {
        assert!(!Pace::new(16).is_shared());
        assert!(limited(5, 0).is_shared());
        assert!(Pace::new(16).with_health(cooling_down(1)).is_shared());
        assert!(Pace::new(16).with_health(recovering()).is_shared());
    }

    #[test]
    fn it_opens_when_the_last_that_holds_back_lets_go() {
        let both = limited(5, 5).with_health(cooling_down(160));
        let table = [
            (Pace::new(16), None),
            (Pace::new(16).with_health(cooling_down(160)), Some(at(160))),
            (Pace::new(16).with_health(cooling_down(100)), None),
            (limited(5, 4), None),
            (limited(5, 5), Some(at(101))),
            (both, Some(at(160))),
            (both.with_health(cooling_down(100)), Some(at(101))),
        ];
        for (pace, expected) in table {
            assert_eq!(pace.opens_at(at(100)), expected, "{pace:?}");
        }
    }

    #[test]
    fn what_starts_uses_up_the_rate_and_is_the_probe_if_one_is_wanted() {
        let (now, end) = (at(100), at(145));
        assert_eq!(Pace::new(16).after(3, now, end), Pace::new(16));
        assert_eq!(limited(5, 2).after(3, now, end), limited(5, 5));
        let rests = limited(5, 0).with_health(cooling_down(100));
        assert_eq!(rests.after(0, now, end), rests, "nothing starts, nothing changes");
        let probed = rests.after(1, now, end);
        assert_eq!(probed, limited(5, 1).with_health(cooling_down(100).probed(end)));
        assert_eq!(probed.room(0, now), 0, "one probe and no more");
    }

    #[test]
    fn slots_say_how_many_may_be_in_flight_but_for_a_rest() {
        assert_eq!(Pace::new(16).slots(), 16);
        assert_eq!(Pace::new(16).with_health(cooling_down(160)).slots(), 16);
        assert_eq!(Pace::new(16).with_health(recovering()).slots(), 2);
        assert_eq!(Pace::new(1).with_health(recovering()).slots(), 1);
    }

    #[test]
    fn it_is_made_of_what_its_endpoint_says() {
        let id = crate::model::id::EndpointId::from_uuid(uuid::Uuid::nil());
        let endpoint = Endpoint::new(id, "https://a.example/".parse().unwrap())
            .with_max_in_flight(7)
            .with_rate(RateLimit::new(1, 5).ok())
            .with_health(recovering());
        let pace = Pace::of(&endpoint, 42);
        let expected = Pace::new(7).with_rate(RateLimit::new(1, 5).ok(), 42);
        assert_eq!(pace, expected.with_health(recovering()));
    }
}
