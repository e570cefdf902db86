//! The contract of a store, case by case.
//!
//! A comment above each case names the mutant of [`MemoryStore`](crate::MemoryStore) that it
//! catches: a line of a file and its replacement. `cargo xtask conformance --mutants` runs all of
//! them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic here is the failed assertion"
)]

pub mod backlog;
pub mod cancel;
mod case;
pub mod claims;
mod drop_point;
pub mod dropped_edits;
pub mod dropping;
pub mod endpoints;
pub mod enqueue;
pub mod finish;
mod fixture;
pub mod health;
pub mod keys;
pub mod leases;
mod list;
pub mod log;
pub mod missed;
pub mod notices;
pub mod order;
pub mod order_routing;
pub mod pace;
pub mod prune;
pub mod redeliver;
pub mod release;
pub mod removal;
pub mod reopen;
pub mod replay;
pub mod routing;
pub mod sequences;
pub mod stats;
pub mod status;
pub mod tracked;

use std::{sync::Arc, time::Duration};

use webhook_core::store::Store;

pub use case::{StoreCase, capabilities_of};
use fixture::Fixture;
pub use webhook_core::store::{Capabilities, Capability};

/// How [`store_conformance!`](crate::store_conformance) gets a store, and turns its clock.
///
/// All its stores have the same capabilities. They are read once from one more store, before the
/// first case that needs any.
#[allow(async_fn_in_trait, reason = "a case runs on one thread, from its beginning to its end")]
pub trait StoreHarness: Sized {
    /// An empty store that nobody else uses, ready for work. Whatever it needs, such as a folder
    /// for its files, lives in the harness until the case is over.
    async fn fresh() -> Self;

    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// Turns the store's own clock, by whole milliseconds. It must stand still otherwise: the cases
    /// compare times exactly.
    async fn advance(&self, by: Duration);

    /// The store, opened anew: by another connection to the same data, with nothing taken over from
    /// this process but the clock. A store that lives in memory is gone by then and leaves this out;
    /// what keeps anything on a disk or elsewhere should not: without it, nobody sees whether what was
    /// answered was also written down.
    async fn reopen(&self) -> Arc<dyn Store> {
        self.store()
    }
}
