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
use webhook_registry::{
    NewEvent, TenantId, Webhooks,
    database::{
        SeaOrmStore,
        sea_orm::{ConnectionTrait as _, DatabaseConnection, TransactionTrait as _},
    },
};

use crate::{Failure, latency::now};

/// Events of one tenant, so many a second.
pub(crate) struct Load {
    pub(crate) by: Publishing,
    pub(crate) tenant: TenantId,
    pub(crate) per_second: u32,
    /// The type of the n-th event.
    pub(crate) event_type: EventTypes,
}

/// The type of the n-th event.
type EventTypes = Arc<dyn Fn(usize) -> String + Send + Sync>;

/// All events of this type.
pub(crate) fn every(event_type: &'static str) -> EventTypes {
    Arc::new(move |_| event_type.to_owned())
}

/// How an event is handed over.
#[derive(Clone)]
pub(crate) enum Publishing {
    /// By `publish`.
    Call(Webhooks),
    /// In a transaction of the caller's own that stores something else as well.
    Transaction {
        store: SeaOrmStore,
        /// The caller's connections.
        database: DatabaseConnection,
        /// Who is told after the commit.
        wake: Option<Webhooks>,
    },
}

/// What the caller's transaction writes besides.
pub(crate) const INVOICES: &str = "CREATE TABLE invoices (cents BIGINT NOT NULL)";
const INVOICE: &str = "INSERT INTO invoices VALUES (4200)";

impl Publishing {
    async fn publish(&self, event: NewEvent) -> Result<(), Failure> {
        match self {
            Self::Call(webhooks) => {
                webhooks.publish(event).await?;
            }
            Self::Transaction { store, database, wake } => {
                let transaction = database.begin().await?;
                transaction.execute_unprepared(INVOICE).await?;
                store.publish_in(&transaction, event).await?;
                transaction.commit().await?;
                if let Some(webhooks) = wake {
                    webhooks.wake();
                }
            }
        }
        Ok(())
    }
}

impl Load {
    /// Publishes for so long. Answers how many events were accepted.
    pub(crate) async fn run(self, time: Duration) -> Result<usize, Failure> {
        let mut ticks = interval(Duration::from_secs(1) / self.per_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (accepted, mut calls) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        let total = usize::try_from(u64::from(self.per_second) * time.as_secs())?;
        for number in 0..total {
            ticks.tick().await;
            let event = event(&(self.event_type)(number), &self.tenant, Some(now()))?;
            let (by, accepted) = (self.by.clone(), accepted.clone());
            calls.spawn(async move {
                if by.publish(event).await.is_ok() {
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while calls.join_next().await.is_some() {}
        let accepted = accepted.load(Ordering::Relaxed);
        if accepted == 0 { Err("nothing could be published".into()) } else { Ok(accepted) }
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
