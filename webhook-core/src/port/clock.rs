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

    /// Whether time passes without anybody doing something for it. Under a clock that is turned by hand
    /// it does not, and nobody waits a moment who can do without: whoever turns it may be waiting
    /// for that.
    fn passes_by_itself(&self) -> bool {
        true
    }
}
