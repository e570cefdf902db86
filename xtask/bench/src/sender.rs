//! The sending process: one client, as many requests at once as it is told, one receiver.
//!
//! Three clients do the same work: ours; a bare loop over hyper, which is the limit; and reqwest, which is
//! what a team takes that writes its own. Each signs every request in both default profiles, sets a
//! deadline and reads the answer to its end.

mod bare;
mod ours;
mod peer;
mod signed;

use std::{
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::{process::Command, task::JoinSet};

use crate::{
    Failure,
    cost::{Cost, cpu_of_this_process, peak_memory},
    latency::Latency,
};

/// The role of the child process.
pub(crate) const ROLE: &str = "send";

/// Which client sends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Client {
    /// hyper, and nothing around it.
    Bare,
    /// `Publisher` over `HttpTransport`.
    Ours,
    /// reqwest.
    Peer,
}

/// What a sending process is told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Task {
    pub(crate) client: Client,
    pub(crate) url: String,
    /// The root to trust, PEM, if the receiver speaks TLS.
    pub(crate) root: Option<String>,
    pub(crate) requests: usize,
    pub(crate) at_once: usize,
}

/// The deadline of each request.
const DEADLINE: Duration = Duration::from_secs(30);

/// One of the requests that are under way at once, and the connection it has.
#[async_trait]
trait Lane: Send {
    /// Posts the body once, and waits for the whole answer.
    async fn post(&mut self) -> Result<(), Failure>;
}

/// The body of every event: 1 KiB of JSON.
fn body() -> String {
    format!(r#"{{"fill":"{}"}}"#, "x".repeat(1024 - 11))
}

/// Has a process of its own send.
pub(crate) async fn send(task: &Task) -> Result<Cost, Failure> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args([ROLE, &serde_json::to_string(task)?]).stderr(Stdio::inherit());
    let output = child.output().await?;
    if !output.status.success() {
        return Err(format!("the sender {:?} ended with {}", task.client, output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The role of the child process: sends, and prints what it took.
pub(crate) async fn run(task: &str) -> Result<(), Failure> {
    let task: Task = serde_json::from_str(task)?;
    let mut lanes = lanes(&task).await?;
    // Connections are made, code is in the caches, and memory is there.
    lanes = measure(lanes, task.requests / 10).await?.0;
    let before = cpu_of_this_process();
    let (_lanes, took, latency) = measure(lanes, task.requests).await?;
    let cost = Cost {
        requests: task.requests,
        took,
        cpu: cpu_of_this_process() - before,
        peak_mib: peak_memory(),
        p50: latency.p50,
        p99: latency.p99,
    };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

type Lanes = Vec<Box<dyn Lane>>;

async fn lanes(task: &Task) -> Result<Lanes, Failure> {
    match task.client {
        Client::Bare => bare::lanes(task).await,
        Client::Ours => ours::lanes(task),
        Client::Peer => peer::lanes(task),
    }
}

/// Sends so many requests over all lanes.
async fn measure(lanes: Lanes, requests: usize) -> Result<(Lanes, Duration, Latency), Failure> {
    let left = Arc::new(AtomicUsize::new(requests));
    let samples = Arc::new(Mutex::new(Vec::with_capacity(requests)));
    let begun = Instant::now();
    let mut working = JoinSet::new();
    for lane in lanes {
        working.spawn(work(lane, Arc::clone(&left), Arc::clone(&samples)));
    }
    let mut lanes = Vec::new();
    while let Some(lane) = working.join_next().await {
        lanes.push(lane??);
    }
    let took = begun.elapsed();
    let nanos = std::mem::take(&mut *samples.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((lanes, took, Latency::of(nanos)))
}

async fn work(
    mut lane: Box<dyn Lane>,
    left: Arc<AtomicUsize>,
    samples: Arc<Mutex<Vec<u64>>>,
) -> Result<Box<dyn Lane>, Failure> {
    let mut mine = Vec::new();
    while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
        let begun = Instant::now();
        lane.post().await?;
        mine.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    samples.lock().unwrap_or_else(PoisonError::into_inner).extend(mine);
    Ok(lane)
}
