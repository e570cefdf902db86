//! Where endpoints, events, deliveries and attempts are kept.
//!
//! One store, split by who reads it: [`EndpointStore`] for those who register, [`DeliveryStore`] for
//! the engine, [`DeliveryLog`] for those who look things up, [`Maintenance`] for operators. [`Store`] is
//! the four together.
//!
//! Three laws hold for all of them:
//!
//! - **A store decides nothing.** It writes decisions down, in one transaction each.
//! - **One clock.** Due times and leases are reckoned by the store's own clock; callers hand over
//!   durations.
//! - **Batches answer per item.** One caller's conflict never fails another's work.

pub(crate) mod deliveries;
pub(crate) mod endpoints;
pub(crate) mod error;
mod intake;
pub(crate) mod log;
pub(crate) mod maintenance;
pub(crate) mod prune;
pub(crate) mod query;
pub(crate) mod replay_page;
pub(crate) mod state;
mod work;

pub use deliveries::DeliveryStore;
pub use endpoints::EndpointStore;
pub use error::{StoreError, StoreErrorKind};
pub use log::DeliveryLog;
pub use maintenance::Maintenance;

/// A whole store. Implemented by itself for everything that implements the four parts.
pub trait Store: EndpointStore + DeliveryStore + DeliveryLog + Maintenance {}

impl<S: EndpointStore + DeliveryStore + DeliveryLog + Maintenance> Store for S {}
