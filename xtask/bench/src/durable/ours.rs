//! The library at work: one process publishes and delivers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, task::JoinSet, time::sleep};
use webhook_registry::{HttpTransport, NewEndpoint, NewEvent, SeaOrmStore, Webhooks};

use super::{WARM_UP, Work};
use crate::{
    Failure,
    cost::{cpu_of_this_process, peak_memory},
};

/// The role of the child process.
pub(crate) const ROLE: &str = "deliver";

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Task {
    pub(crate) db: String,
    pub(crate) receiver: String,
    pub(crate) deliveries: usize,
    /// Each event goes to one of them.
    pub(crate) endpoints: usize,
    /// Calls of `publish` under way at once.
    pub(crate) at_once: usize,
}

/// Attempts that one endpoint takes at once: as many as one tenant may have.
const AT_ONCE: u32 = 128;

/// How often it is asked whether all is recorded, once all is published.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) async fn run(task: &str) -> Result<(), Failure> {
    let task: Task = serde_json::from_str(task)?;
    let webhooks = webhooks(&task).await?;
    let worker = webhooks.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = tokio::spawn(async move {
        worker.run(async { stopped.await.unwrap_or_default() }).await;
    });
    // Connections are made, statements prepared, snapshots read.
    deliver(&webhooks, &task, task.deliveries / WARM_UP).await?;
    let (cpu, begun) = (cpu_of_this_process(), Instant::now());
    deliver(&webhooks, &task, task.deliveries).await?;
    let work = Work {
        deliveries: task.deliveries,
        took: begun.elapsed(),
        cpu: cpu_of_this_process() - cpu,
        peak_mib: peak_memory(),
    };
    let _ = stop.send(());
    worker.await?;
    println!("{}", serde_json::to_string(&work)?);
    Ok(())
}

async fn webhooks(task: &Task) -> Result<Webhooks, Failure> {
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build()?;
    let store = SeaOrmStore::connect(&task.db).await?;
    let webhooks = Webhooks::builder().store(store).transport(transport).build()?;
    for number in 0..task.endpoints {
        let endpoint = NewEndpoint::new(format!("{}/{number}", task.receiver));
        let endpoint = endpoint.max_in_flight(AT_ONCE).events([format!("to.{number}")]);
        webhooks.add_endpoint(endpoint).await?;
    }
    Ok(webhooks)
}

/// Publishes so many events, and waits until the success of each is recorded.
async fn deliver(webhooks: &Webhooks, task: &Task, events: usize) -> Result<(), Failure> {
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
    loop {
        let backlog = webhooks.operator().backlog().await?;
        if backlog.unrouted + backlog.in_flight + backlog.pending == 0 {
            return Ok(());
        }
        sleep(LOOK).await;
    }
}

/// An event of 1 KiB.
fn event(endpoint: usize) -> Result<NewEvent, Failure> {
    let body = format!(r#"{{"fill":"{}"}}"#, "x".repeat(1024 - 11));
    Ok(NewEvent::new(&format!("to.{endpoint}"), body)?)
}
