//! Clock of one worker, with a wall clock that is wrong and jumps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use webhook_core::{Clock, Timestamp};

use crate::ManualClock;

/// A clock that is ahead of the true one. Clones are the same clock.
#[derive(Clone, Debug)]
pub(super) struct SkewedClock {
    truth: ManualClock,
    /// Lead of the wall clock in milliseconds.
    ahead: Arc<AtomicI64>,
    /// Lead of the monotonic clock.
    base: Duration,
}

impl SkewedClock {
    pub(super) fn new(truth: ManualClock, ahead: i64, base: Duration) -> Self {
        Self { truth, ahead: Arc::new(AtomicI64::new(ahead)), base }
    }

    /// Moves the wall clock by this many milliseconds.
    pub(super) fn jump(&self, millis: i64) {
        self.ahead.fetch_add(millis, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let true_millis = self.truth.now().as_unix_millis();
        Timestamp::from_unix_millis(true_millis + self.ahead.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.base + self.truth.monotonic()
    }

    async fn sleep(&self, wait: Duration) {
        self.truth.sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wall_clock_jumps() {
        let truth = ManualClock::new();
        let clock = SkewedClock::new(truth.clone(), -500, Duration::from_secs(9));
        truth.advance(Duration::from_secs(1));
        clock.jump(-10_000);
        assert_eq!(truth.now().since(clock.now()), Duration::from_millis(10_500));
        assert_eq!(clock.monotonic(), Duration::from_secs(10));
    }
}
