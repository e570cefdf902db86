//! The library at work: one process publishes and delivers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, task::JoinSet, time::sleep};
use webhook_registry::{
    DispatcherConfig, NewEvent, Webhooks,
    database::{
        SeaOrmStore,
        sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement},
    },
};

use super::WARM_UP;
use crate::{
    Failure,
    cost::Meter,
    fixture::{to, transport},
};

/// The role of the child process.
pub(crate) const ROLE: &str = "deliverer";

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct DurableTask {
    /// It has the endpoints in it.
    pub(crate) db: String,
    pub(crate) deliveries: usize,
    /// Each event goes to one of them.
    pub(crate) endpoints: usize,
    /// Calls of `publish` under way at once.
    pub(crate) at_once: usize,
}

/// Deliveries that are being stored, sent or recorded at once: enough to keep two cores busy.
const CONCURRENCY: usize = 1024;

/// How often it is asked whether all is recorded, once all is published.
const LOOK: Duration = Duration::from_millis(20);

/// Deliveries that are due later than this are not part of the measurement.
const OWN_DUE_WINDOW: Duration = Duration::from_secs(60 * 60);

pub(crate) async fn run(task: &str) -> Result<(), Failure> {
    let task: DurableTask = serde_json::from_str(task)?;
    let store = SeaOrmStore::connect(&task.db).await?;
    let config = DispatcherConfig::new().concurrency(CONCURRENCY);
    let builder = Webhooks::builder().store(store).transport(transport()?).dispatcher(config);
    let webhooks = builder.build()?;
    let worker = webhooks.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = tokio::spawn(async move {
        worker.run(async { stopped.await.unwrap_or_default() }).await;
    });
    // Connections are made, statements prepared, snapshots read.
    deliver(&webhooks, &task, task.deliveries / WARM_UP).await?;
    let meter = Meter::start();
    deliver(&webhooks, &task, task.deliveries).await?;
    let cost = meter.stop(task.deliveries);
    let _ = stop.send(());
    worker.await?;
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

/// Publishes so many events, and waits until the success of each is recorded.
async fn deliver(webhooks: &Webhooks, task: &DurableTask, events: usize) -> Result<(), Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut publishing = JoinSet::new();
    for _ in 0..task.at_once {
        let (webhooks, next, endpoints) = (webhooks.clone(), Arc::clone(&next), task.endpoints);
        publishing.spawn(async move {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= events {
                    return Ok::<_, Failure>(());
                }
                webhooks.publish(event(number % endpoints)?).await?;
            }
        });
    }
    while let Some(ended) = publishing.join_next().await {
        ended??;
    }
    let database = Database::connect(&task.db).await?;
    while is_any_open(&database).await? {
        sleep(LOOK).await;
    }
    Ok(database.close().await?)
}

/// Whether a delivery of ours is still open: a step in an index for each endpoint. To count what is open
/// would cost the database as much as to deliver it.
async fn is_any_open(database: &DatabaseConnection) -> Result<bool, Failure> {
    let backend = database.get_database_backend();
    let endpoint = if backend == DbBackend::MySql { "open_endpoint" } else { "endpoint_id" };
    let soon = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + OWN_DUE_WINDOW;
    let sql = format!(
        "SELECT e.id FROM webhook_endpoints e WHERE e.state = 'active' AND EXISTS (SELECT 1 \
         FROM webhook_deliveries d WHERE d.{endpoint} = e.id AND d.due_at <= {}) LIMIT 1",
        soon.as_millis()
    );
    Ok(database.query_one_raw(Statement::from_string(backend, sql)).await?.is_some())
}

/// An event of 1 KiB.
fn event(endpoint: usize) -> Result<NewEvent, Failure> {
    let body = format!(r#"{{"fill":"{}"}}"#, "x".repeat(1024 - 11));
    Ok(NewEvent::new(&to(endpoint), body)?)
}
