//! Cache of endpoints' health, which tells which successes must be stored.
//!
//! Without it, each success would be written to its endpoint, although it changes nothing for a
//! healthy one.

use std::collections::BTreeMap;

use crate::model::{endpoint::Endpoint, health::HealthSignal, id::EndpointId};

/// Maximum number of cached endpoints. When it is exceeded, the cache is cleared; claims and
/// failures fill it again.
const MAX_CACHED_HEALTH: usize = 10_000;

/// Health of endpoints as this process knows it. An unknown endpoint counts as healthy.
#[derive(Debug, Default)]
pub(crate) struct HealthCache(BTreeMap<EndpointId, CachedHealth>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum CachedHealth {
    /// Not healthy: a success must be stored.
    Unhealthy,
    /// A success is being stored, and no attempt has failed since.
    Clearing,
    /// Healthy, even if an older copy of its settings says otherwise.
    Healthy,
}

impl HealthCache {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Records the health that a claim reports.
    pub(crate) fn record_claim(&mut self, endpoint: EndpointId, unhealthy: bool) {
        if unhealthy {
            self.set(endpoint, CachedHealth::Unhealthy);
        } else if self.0.contains_key(&endpoint) {
            self.set(endpoint, CachedHealth::Healthy);
        }
    }

    /// Records the health in a copy of an endpoint that may be outdated.
    pub(crate) fn record_copy(&mut self, endpoint: &Endpoint) {
        if !endpoint.health.is_healthy() && !self.0.contains_key(&endpoint.id) {
            self.set(endpoint.id, CachedHealth::Unhealthy);
        }
    }

    /// Returns the part of a health signal that must be stored, and remembers it.
    pub(crate) fn filter(&mut self, endpoint: EndpointId, signal: HealthSignal) -> HealthSignal {
        let unhealthy =
            matches!(self.0.get(&endpoint), Some(CachedHealth::Unhealthy | CachedHealth::Clearing));
        match signal {
            HealthSignal::Bad | HealthSignal::Busy(_) => {
                self.set(endpoint, CachedHealth::Unhealthy);
            }
            HealthSignal::Good if unhealthy => self.set(endpoint, CachedHealth::Clearing),
            HealthSignal::Good | HealthSignal::Void if !unhealthy => return HealthSignal::None,
            _ => {}
        }
        signal
    }

    /// Records that a success has been stored.
    pub(crate) fn success_stored(&mut self, endpoint: EndpointId) {
        if self.0.get(&endpoint) == Some(&CachedHealth::Clearing) {
            self.set(endpoint, CachedHealth::Healthy);
        }
    }

    fn set(&mut self, endpoint: EndpointId, health: CachedHealth) {
        if self.0.len() >= MAX_CACHED_HEALTH && !self.0.contains_key(&endpoint) {
            self.0.clear();
        }
        self.0.insert(endpoint, health);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{health::Health, time::Timestamp};
    use uuid::Uuid;

    const ID: EndpointId = EndpointId::from_uuid(Uuid::nil());

    #[test]
    fn a_success_is_stored_unless_the_endpoint_is_healthy() {
        let mut cache = HealthCache::new();
        assert_eq!(cache.filter(ID, HealthSignal::Good), HealthSignal::None);
        assert_eq!(cache.filter(ID, HealthSignal::Void), HealthSignal::None);
        assert_eq!(cache.filter(ID, HealthSignal::Bad), HealthSignal::Bad);
        assert_eq!(cache.filter(ID, HealthSignal::Good), HealthSignal::Good);
        cache.success_stored(ID);
        assert_eq!(
            cache.filter(ID, HealthSignal::Good),
            HealthSignal::None,
            "the success is stored"
        );
    }

    #[test]
    fn a_failure_while_a_success_is_stored_is_kept() {
        let mut cache = HealthCache::new();
        cache.filter(ID, HealthSignal::Bad);
        cache.filter(ID, HealthSignal::Good);
        cache.filter(ID, HealthSignal::Bad);
        cache.success_stored(ID);
        assert_eq!(cache.filter(ID, HealthSignal::Good), HealthSignal::Good);
    }

    #[test]
    fn a_claim_takes_precedence_over_an_old_copy() {
        let endpoint = Endpoint::new(ID, "https://a.example/".parse().unwrap());
        let unhealthy = endpoint.with_health(Health::HEALTHY.probed(Timestamp::default()));
        let mut cache = HealthCache::new();
        cache.record_copy(&unhealthy);
        assert_eq!(cache.filter(ID, HealthSignal::Good), HealthSignal::Good);
        cache.record_claim(ID, false);
        cache.record_copy(&unhealthy);
        assert_eq!(cache.filter(ID, HealthSignal::Good), HealthSignal::None);
        cache.record_claim(ID, true);
        assert_eq!(cache.filter(ID, HealthSignal::Void), HealthSignal::Void);
    }
}
