//! The fast path: events published while a dispatcher runs in the process are sent without a claim.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is the failed test"
)]

mod answers;
mod claims;
mod process;
mod slots;
