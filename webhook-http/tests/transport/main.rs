//! The transport against real sockets that answer by script.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in a test, a panic is the failed assertion"
)]

#[cfg(feature = "check")]
mod check;
mod drips;
mod exchange;
mod identity;
mod once;
mod peer;
mod policy;
mod proxy;
mod reuse;
mod tls;
