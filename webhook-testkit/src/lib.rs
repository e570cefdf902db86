//! Test webhooks without a network.
//!
//! **Fakes** that do as they are told: [`ManualClock`] stands still until it is turned,
//! [`SequenceIds`] makes identifiers you can foresee, [`MemoryStore`] keeps the whole contract of a
//! store, [`ScriptedTransport`] answers by script, [`PlainSigner`] signs without cryptography.
//! [`World`] is a dispatcher over all of them.
//!
//! **Suites** that prove an adapter of your own: [`store_conformance!`].

mod answer;
mod clock;
#[doc(hidden)]
pub mod conformance;
mod faulty;
mod ids;
mod memory;
#[cfg(feature = "mocks")]
pub mod mock;
mod receiver;
pub mod sample;
mod signer;
mod transport;
mod world;

pub use crate::{
    answer::{Answer, fault, refused, reset, silence, stale, status, timeout},
    clock::ManualClock,
    conformance::{store::StoreHarness, transport::TransportHarness},
    faulty::{Fault, FaultyStore, FaultyTransport, StoreCall},
    ids::SequenceIds,
    memory::MemoryStore,
    receiver::{ReceivedRequest, Reply, TestReceiver},
    signer::PlainSigner,
    transport::{ScriptedTransport, SentRequest},
    world::{Timeline, World},
};
pub use expect_test::expect;
