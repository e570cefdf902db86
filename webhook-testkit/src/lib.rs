//! Test webhooks without a network.
//!
//! The [guides](docs) tell how to test your webhooks, and how to write a store, a transport or a signer.
//!
//! # A first test
//!
//! A [`World`] is a dispatcher over fakes. Script what the receiver answers, publish, let days pass,
//! and look at what happened:
//!
//! ```
//! use webhook_testkit::{World, expect, sample, status};
//!
//! # futures_util::FutureExt::now_or_never(async {
//! let world = World::with_endpoint("https://billing.example/hooks", "invoice.*").await;
//! world.transport.answers([status(503)]);
//!
//! world.publish(sample::event("invoice.paid")).await;
//! world.run_to_idle().await;
//!
//! world.timeline().assert_eq(expect![[r#"
//!     00:00:00  attempt 1  503            retry at 00:00:05
//!     00:00:05  attempt 2  200            success
//! "#]]);
//! # }).unwrap();
//! ```
//!
//! # Fakes
//!
//! They keep the contract of the real thing, and do as they are told.
//!
//! | port | fake |
//! |---|---|
//! | [`Clock`](webhook_core::Clock) | [`ManualClock`] stands still until it is turned |
//! | [`Ids`](webhook_core::Ids) | [`SequenceIds`] can be foreseen |
//! | [`Store`](webhook_core::store::Store) | [`MemoryStore`] keeps everything in memory |
//! | [`Transport`](webhook_core::transport::Transport) | [`ScriptedTransport`] answers by script: [`status`], [`timeout`], [`refused`], [`reset`], [`stale`], [`silence`] |
//! | [`Signer`](webhook_core::signing::Signer) | [`PlainSigner`] signs without cryptography |
//! | [`SecretVault`](webhook_core::store::SecretVault) | [`PlainVault`] seals without cryptography |
//!
//! [`FaultyStore`] and [`FaultyTransport`] put faults around any of them, [`TestReceiver`] listens on
//! a real socket and misbehaves on demand ([`Reply::misbehaviours`] lists in which ways), and [`mock`]
//! has a mock of every port for those who prefer expectations.
//!
//! # Simulator
//!
//! A [`Simulation`] runs days of a whole system from one seed: workers that die and stall, a store
//! that fails before or after its effect, receivers with any response. It checks invariants that
//! must hold under all faults. A [`BrokenInvariant`] names the seed and the faults that are needed.
//!
//! ```
//! use webhook_testkit::Simulation;
//!
//! let report = Simulation::builder().seed(42).run().unwrap_or_else(|broken| panic!("{broken}"));
//! assert!(report.sends > 0);
//! ```
//!
//! # Suites
//!
//! An adapter of your own is done when it passes its suite: [`store_conformance!`],
//! [`transport_conformance!`], [`signer_conformance!`] or [`vault_conformance!`]. Each expands to one test for each sentence
//! of the port's contract. For a store, say how to get a fresh one and how to turn its clock:
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use webhook_core::store::Store;
//! use webhook_testkit::{ManualClock, MemoryStore, StoreHarness};
//!
//! struct Memory(MemoryStore, ManualClock);
//!
//! impl StoreHarness for Memory {
//!     async fn fresh() -> Self {
//!         let clock = ManualClock::new();
//!         Self(MemoryStore::new(Arc::new(clock.clone())), clock)
//!     }
//!
//!     fn store(&self) -> Arc<dyn Store> {
//!         Arc::new(self.0.clone())
//!     }
//!
//!     async fn advance(&self, by: Duration) {
//!         self.1.advance(by);
//!     }
//! }
//!
//! webhook_testkit::store_conformance!(Memory);
//! # fn main() {}
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
#[doc(hidden)]
pub mod conformance;
pub mod docs;
mod faulty;
mod forbidden;
mod ids;
mod memory;
#[cfg(feature = "mocks")]
pub mod mock;
mod observed;
mod receiver;
#[doc(hidden)]
pub mod relay;
pub mod sample;
mod scripted_response;
mod signer;
mod simulation;
mod transport;
mod units;
mod vault;
mod world;
#[cfg(test)]
mod wrappers;

pub use crate::{
    clock::ManualClock,
    conformance::{store::StoreHarness, transport::TransportHarness},
    faulty::{Fault, FaultyStore, FaultyTransport, StoreCall},
    forbidden::FORBIDDEN_IN_LOG,
    ids::SequenceIds,
    memory::MemoryStore,
    receiver::{Head, Misbehaviour, ReceivedRequest, Reply, TestReceiver},
    scripted_response::{ScriptedResponse, fault, refused, reset, silence, stale, status, timeout},
    signer::PlainSigner,
    simulation::{
        BrokenInvariant, FaultKind, FaultList, InvalidFaultList, Simulation, SimulationReport,
    },
    transport::{ScriptedTransport, SentRequest},
    vault::PlainVault,
    world::{Timeline, World},
};
pub use expect_test::{Expect, expect};
#[doc(hidden)]
pub use receiver::{read_head, read_more};

/// Compiles the example of the package's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
