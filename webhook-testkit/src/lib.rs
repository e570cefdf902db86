//! Test webhooks without a network.
//!
//! **Fakes** that do as they are told: [`ManualClock`] stands still until it is turned,
//! [`SequenceIds`] makes identifiers you can foresee, [`MemoryStore`] keeps the whole contract of a
//! store.
//!
//! **Suites** that prove an adapter of your own: [`store_conformance!`].

mod clock;
#[doc(hidden)]
pub mod conformance;
mod ids;
mod memory;

pub use crate::{
    clock::ManualClock, conformance::store::StoreHarness, ids::SequenceIds, memory::MemoryStore,
};
