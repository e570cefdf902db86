//! Publishing at a steady rate, whether or not earlier calls have returned.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use webhook_registry::{NewEvent, TenantId, Webhooks};

use crate::{Failure, latency::now};

/// Events of one tenant, so many a second.
pub(crate) struct Load {
    pub(crate) tenant: TenantId,
    pub(crate) per_second: u32,
    /// The type of the n-th event.
    pub(crate) event_type: fn(usize) -> String,
}

impl Load {
    /// Publishes for so long. Answers how many events were accepted.
    pub(crate) async fn run(self, webhooks: Webhooks, time: Duration) -> Result<usize, Failure> {
        let mut ticks = interval(Duration::from_secs(1) / self.per_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (accepted, mut calls) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        let total = usize::try_from(u64::from(self.per_second) * time.as_secs())?;
        for number in 0..total {
            ticks.tick().await;
            let event = event(&(self.event_type)(number), &self.tenant, Some(now()))?;
            let (webhooks, accepted) = (webhooks.clone(), accepted.clone());
            calls.spawn(async move {
                if webhooks.publish(event).await.is_ok() {
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while calls.join_next().await.is_some() {}
        Ok(accepted.load(Ordering::Relaxed))
    }
}

/// An event of about one KiB that says when it was published, unless it belongs to a backlog.
pub(crate) fn event(
    event_type: &str,
    tenant: &TenantId,
    at: Option<u64>,
) -> Result<NewEvent, Failure> {
    let body = match at {
        Some(at) => format!(r#"{{"at":{at},"fill":"{}"}}"#, "x".repeat(980)),
        None => format!(r#"{{"fill":"{}"}}"#, "x".repeat(1000)),
    };
    Ok(NewEvent::new(event_type, body)?.tenant(tenant.clone()))
}
