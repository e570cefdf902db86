//! The transport against real sockets that answer by script.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in a test, a panic is the failed assertion"
)]

mod address_policy;
mod drips;
#[cfg(feature = "check")]
mod endpoint_check;
mod exchange;
mod handshake;
mod identity;
mod once;
mod peer;
mod proxied;
mod reuse;
