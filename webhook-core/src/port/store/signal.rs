//! Optional trait of a store: wake-ups between processes.

use std::fmt;

use async_trait::async_trait;

/// Wake-ups between the processes that share a store.
///
/// They save time and decide nothing: a dispatcher polls in any case.
#[async_trait]
pub trait WorkSignal: fmt::Debug + Send + Sync + 'static {
    /// Returns when another process may have stored work: a few times a second at most, and
    /// possibly without a reason.
    async fn work_notified(&self);

    /// Notifies other processes that there may be work, possibly with a short delay and a few times
    /// a second at most.
    fn notify_work(&self);
}
