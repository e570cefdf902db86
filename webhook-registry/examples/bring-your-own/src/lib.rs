//! A service that brings its own ports: nothing here knows hyper, ring or a database.
//!
//! - [`SpoolTransport`] writes each request into a folder, for a courier of your own;
//! - [`TokioClock`] follows tokio's clock, so that a test can pause and turn it;
//! - [`SmallStore`] keeps everything in a few maps, and passes the same suite as a database.

mod clock;
mod store;
mod transport;

pub use crate::{clock::TokioClock, store::SmallStore, transport::SpoolTransport};
