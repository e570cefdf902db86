//! Time as the engine sees it.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::model::time::Timestamp;

/// Tells the time, and waits.
///
/// Serves time-outs, pauses and the timestamp in signatures. It does *not* decide when a delivery
/// is due or a lease runs out: that is the store's own clock, one for all workers.
///
/// # Contract
///
/// - [`monotonic`](Self::monotonic) never goes back, whatever happens to the wall clock.
/// - [`sleep`](Self::sleep) returns no earlier than asked; dropping it ends the wait.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall-clock time.
    fn now(&self) -> Timestamp;

    /// Time since some fixed point of this process.
    fn monotonic(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, wait: Duration);

    /// Returns true if time passes on its own. On a manual clock it does not: then the engine skips
    /// optional waits, because the program that turns the clock may itself be waiting for the call.
    fn is_real_time(&self) -> bool {
        true
    }
}
