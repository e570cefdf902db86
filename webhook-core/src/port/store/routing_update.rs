//! Answer of a store to a publisher that routes by a cached snapshot.

use crate::model::{
    id::{EndpointId, TenantVersion},
    routing::RoutingEntry,
};

/// Endpoints of a tenant, compared with the version that the caller knows.
///
/// Closed: each publisher applies every kind of update.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RoutingUpdate {
    /// The tenant is still at the known version.
    Same,
    /// The difference to the known version.
    Changed {
        /// Present version of the tenant.
        version: TenantVersion,
        /// Entries that were added or changed.
        entries: Vec<RoutingEntry>,
        /// Endpoints that were removed.
        removed: Vec<EndpointId>,
    },
    /// All endpoints of the tenant, whatever the caller knows.
    Whole {
        /// Present version of the tenant.
        version: TenantVersion,
        /// Entries of all endpoints, in any order.
        entries: Vec<RoutingEntry>,
    },
}
