//! Suites that prove an adapter: the contract of a port, case by case.

mod contract;
pub mod signer;
pub mod store;
pub mod transport;
pub mod vault;

use std::future::Future;

pub use contract::prove;

/// Runs one case to its end. A case that fails panics, as tests do.
#[expect(clippy::expect_used, reason = "a test without a runtime has failed")]
pub fn run<F: Future>(case: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime for the test").block_on(case)
}
