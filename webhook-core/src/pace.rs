//! What an endpoint may get now: its limits, its health, and what of its rate is used.
//!
//! A store that hands out deliveries asks here how many, and writes down what it is told.

use crate::{
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
        self.rate.is_some() || !self.health.is_well()
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

    /// How many attempts may be in flight at once at present, in each process: when they are, the end of
    /// one says that there is room again. While it rests that is another matter.
    pub const fn slots(&self) -> u32 {
        self.health.slots(self.max_in_flight)
    }

    /// When something may start again that health or rate hold back at `now`; absent when they do not.
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let rests = self.health.rests_until().filter(|until| *until > now);
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
