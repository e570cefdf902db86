//! Capabilities: the parts of the contract that a store may leave out.

use std::fmt;

/// A part of the contract that a store may leave out.
///
/// A call that needs a missing capability fails with
/// [`Unsupported`](crate::StoreErrorKind::Unsupported), which names it. It is never accepted and
/// then ignored.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Capability {
    /// Deliveries of an endpoint with an [`OrderPolicy`](crate::OrderPolicy) are sent in order.
    Ordering,
    /// Endpoints with a [`RateLimit`](crate::RateLimit) are claimed within it, by all workers
    /// together.
    RateLimits,
    /// The [`Health`](crate::Health) of an endpoint is stored, and shared by all workers.
    SharedHealth,
    /// A claim respects the [`TenantLimits`](crate::store::TenantLimits).
    TenantShares,
    /// [`Store::routing`](crate::store::Store::routing) returns a difference to a known version.
    RoutingByDifference,
    /// Stored data survives the end of the process.
    Durability,
    /// [`EndpointDirectory`](crate::store::EndpointDirectory).
    Directory,
    /// [`DeliveryLog`](crate::store::DeliveryLog).
    Log,
    /// [`TrackedDeliveries`](crate::store::TrackedDeliveries).
    Tracking,
    /// [`DeliveryOperations`](crate::store::DeliveryOperations).
    Operations,
    /// [`Maintenance`](crate::store::Maintenance).
    Maintenance,
    /// [`NoticeQueue`](crate::store::NoticeQueue).
    Notices,
    /// [`WorkSignal`](crate::store::WorkSignal).
    WorkSignal,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 13] = [
        Self::Ordering,
        Self::RateLimits,
        Self::SharedHealth,
        Self::TenantShares,
        Self::RoutingByDifference,
        Self::Durability,
        Self::Directory,
        Self::Log,
        Self::Tracking,
        Self::Operations,
        Self::Maintenance,
        Self::Notices,
        Self::WorkSignal,
    ];

    /// Name in messages and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordering => "ordering",
            Self::RateLimits => "rate limits",
            Self::SharedHealth => "shared health",
            Self::TenantShares => "tenant shares",
            Self::RoutingByDifference => "routing by difference",
            Self::Durability => "durability",
            Self::Directory => "directory",
            Self::Log => "log",
            Self::Tracking => "tracking",
            Self::Operations => "operations",
            Self::Maintenance => "maintenance",
            Self::Notices => "notices",
            Self::WorkSignal => "work signal",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Set of capabilities.
///
/// ```
/// use webhook_core::{store::{Capabilities, Capability}};
///
/// let durable = Capabilities::NONE.with(Capability::Durability);
/// assert!(durable.has(Capability::Durability));
/// assert!(!durable.has(Capability::Ordering));
/// ```
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct Capabilities(u32);

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);

    /// Every capability.
    pub const ALL: Self = Self((1 << Capability::ALL.len()) - 1);

    /// Adds a capability.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | capability.bit())
    }

    /// Removes a capability.
    #[must_use]
    pub const fn without(self, capability: Capability) -> Self {
        Self(self.0 & !capability.bit())
    }

    /// Returns true if the set contains `capability`.
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// Capabilities of the set, in the order of [`Capability::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.has(*capability))
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_capability_is_a_member_of_its_own() {
        assert_eq!(Capabilities::ALL.iter().collect::<Vec<_>>(), Capability::ALL);
        for capability in Capability::ALL {
            let alone = Capabilities::NONE.with(capability);
            assert_eq!(alone.iter().collect::<Vec<_>>(), [capability]);
            assert_eq!(alone.without(capability), Capabilities::NONE);
            let others = Capabilities::ALL.without(capability);
            assert_eq!(others.iter().count(), Capability::ALL.len() - 1);
            assert!(!others.has(capability));
        }
    }

    #[test]
    fn each_capability_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Capability::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), Capability::ALL.len());
    }
}
