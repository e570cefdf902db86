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
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::{
    Failure,
    child::{Build, ask},
    cost::{Cost, Meter},
    latency::Latency,
};

/// The role of the child process.
pub(crate) const ROLE: &str = "sender";

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
pub(crate) struct SendTask {
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
pub(crate) async fn send(build: Build, task: &SendTask) -> Result<Cost, Failure> {
    ask(build, ROLE, task).await
}

/// The role of the child process: sends, and prints what it took.
pub(crate) async fn run(task: &str) -> Result<(), Failure> {
    let task: SendTask = serde_json::from_str(task)?;
    let mut lanes = lanes(&task).await?;
    // Connections are made, code is in the caches, and memory is there.
    lanes = measure(lanes, task.requests / 10).await?.0;
    let meter = Meter::start();
    let (_lanes, latency) = measure(lanes, task.requests).await?;
    let cost = Cost { latency, ..meter.stop(task.requests) };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

type Lanes = Vec<Box<dyn Lane>>;

async fn lanes(task: &SendTask) -> Result<Lanes, Failure> {
    match task.client {
        Client::Bare => bare::lanes(task).await,
        Client::Ours => ours::lanes(task),
        Client::Peer => peer::lanes(task),
    }
}

/// Sends so many requests over all lanes.
async fn measure(lanes: Lanes, requests: usize) -> Result<(Lanes, Latency), Failure> {
    let left = Arc::new(AtomicUsize::new(requests));
    let samples = Arc::new(Mutex::new(Vec::with_capacity(requests)));
    let mut working = JoinSet::new();
    for lane in lanes {
        working.spawn(work(lane, Arc::clone(&left), Arc::clone(&samples)));
    }
    let mut lanes = Vec::new();
    while let Some(lane) = working.join_next().await {
        lanes.push(lane??);
    }
    let nanos = std::mem::take(&mut *samples.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((lanes, Latency::of(nanos)))
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
