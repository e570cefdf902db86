//! The same rows by hand-tuned SQL: what the database takes at least.
//!
//! On connections that are held, each a loop of two transactions: events with their deliveries, leased at
//! once, so that nothing has to be claimed; then their attempts and their success. Nothing is looked up
//! first, nothing is fenced, nobody else is thought of.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{WARM_UP, sql::Session};
use crate::{Failure, cost::Meter};

/// The role of the child process.
pub(crate) const ROLE: &str = "by-hand";

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct HandTunedTask {
    pub(crate) url: String,
    pub(crate) deliveries: usize,
    pub(crate) batch: usize,
    /// Connections at work.
    pub(crate) lanes: usize,
    /// Each event goes to one of them.
    pub(crate) endpoints: usize,
}

pub(crate) async fn run(task: &str) -> Result<(), Failure> {
    let task: HandTunedTask = serde_json::from_str(task)?;
    let mut sessions = Vec::new();
    for _ in 0..task.lanes {
        sessions.push(Session::open(&task.url, task.batch).await?);
    }
    sessions = live(sessions, &task, task.deliveries / WARM_UP).await?;
    let meter = Meter::start();
    live(sessions, &task, task.deliveries).await?;
    println!("{}", serde_json::to_string(&meter.stop(task.deliveries))?);
    Ok(())
}

/// So many deliveries, from their rows to their success.
async fn live(
    sessions: Vec<Session>,
    task: &HandTunedTask,
    deliveries: usize,
) -> Result<Vec<Session>, Failure> {
    let left = Arc::new(AtomicUsize::new(deliveries.div_ceil(task.batch)));
    let mut working = JoinSet::new();
    for mut session in sessions {
        let (left, batch, endpoints) = (Arc::clone(&left), task.batch, task.endpoints);
        working.spawn(async move {
            let endpoints: Vec<Uuid> = (0..endpoints).map(|_| Uuid::now_v7()).collect();
            let mut endpoints = endpoints.into_iter().cycle();
            let body = format!(r#"{{"fill":"{}"}}"#, "x".repeat(1024 - 11)).into_bytes();
            while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                let events: Vec<Uuid> = (0..batch).map(|_| Uuid::now_v7()).collect();
                let to: Vec<Uuid> = endpoints.by_ref().take(batch).collect();
                session.store(&events, &to, &body).await?;
                session.finish(&events, &to).await?;
            }
            Ok::<_, Failure>(session)
        });
    }
    let mut sessions = Vec::new();
    while let Some(ended) = working.join_next().await {
        sessions.push(ended??);
    }
    Ok(sessions)
}
