use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::time::Instant;
use webhook_registry::{Clock, Timestamp};

/// Follows tokio's clock: real time in production, and the test's own after `tokio::time::pause`.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    began: Instant,
    began_at: Timestamp,
}

impl TokioClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self { began: Instant::now(), began_at: SystemTime::now().into() }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.began_at.after(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }

    async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}
