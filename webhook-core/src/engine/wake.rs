//! The hint that there is work.

use std::sync::Arc;

use tokio::sync::Notify;

/// Tells a dispatcher of the same process that there is something to do.
///
/// A hint and no more: a dispatcher that misses it finds the work at its next poll.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Wakes one dispatcher that shares this hint, now or as soon as it looks.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for the next hint.
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
