//! One event for a thousand endpoints: how fast its deliveries are stored, and that its body is shared
//! among them and never copied for each.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use webhook_registry::{Mode, NewEvent, Webhooks, database::SeaOrmStore};

use crate::{
    Failure,
    child::{Build, ask},
    cost::{Cost, Meter, median},
    fixture::{Fixture, TO_ALL, transport},
    options::Options,
    place::kind,
    report::{Report, Table},
};

/// The role of the child process.
pub(crate) const ROLE: &str = "publisher";

/// Endpoints that want the event.
const ENDPOINTS: usize = 1_000;

/// Events that are published one after the other, where the time is measured.
const PUBLISHES: usize = 20;

/// The rows that one publish has to store, each second.
const ROWS: f64 = 50_000.0;

/// The size of a body, and of one that would be noticed if it were copied: the largest there is.
const BODY: usize = 1024;
const LARGE: usize = NewEvent::MAX_BODY;

/// How many times the body may be in memory for each endpoint at most, once for all being a thousandth.
const COPIES: f64 = 0.1;

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct FanOutTask {
    /// It has the endpoints in it.
    db: String,
    publishes: usize,
    body: usize,
    /// Whether the process delivers them as well.
    delivers: bool,
}

/// Measures both.
pub(crate) async fn measure(
    db: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let (endpoints, publishes) = (options.size(ENDPOINTS, 20), options.size(PUBLISHES, 2));
    let mut runs = Vec::new();
    for _ in 0..options.runs {
        let task = |db| FanOutTask { db, publishes, body: BODY, delivers: false };
        let cost = on(db, endpoints, Build::Plain, task).await?;
        runs.push(Cost { count: publishes * endpoints, ..cost });
    }
    let middle = median(runs, Cost::per_second).ok_or("no run")?;
    let title = format!("fan-out to {endpoints}, {}", kind(db));
    let mut table = Table::new(title, &["rows/s", "ms a publish", "CPU s/10k rows", "peak MiB"]);
    let each = middle.took.as_secs_f64() * 1e3 / publishes as f64;
    let figures = [middle.per_second(), each, 1e4 / middle.per_cpu_second(), middle.peak_mib];
    table.row("publish", &figures);
    report.add(table);
    let what = format!("{}, publish to {endpoints}: rows a second", kind(db));
    report.at_least(what, middle.per_second(), ROWS);
    if report.can_count() {
        sharing(db, endpoints, report).await?;
    }
    Ok(())
}

/// What a large body takes more memory than a small one, beside its own size.
async fn sharing(db: &str, endpoints: usize, report: &mut Report) -> Result<(), Failure> {
    let title = format!("memory asked for, {}", kind(db));
    let mut table =
        Table::new(title, &["MiB at 1 KiB", "MiB at 256 KiB", "bodies more", "for each"]);
    let mut goals = Vec::new();
    for (delivers, what) in [(false, "publish"), (true, "publish and deliver")] {
        let mut mib = [0.0; 2];
        for (mib, body) in mib.iter_mut().zip([BODY, LARGE]) {
            let task = |db| FanOutTask { db, publishes: 1, body, delivers };
            let cost = on(db, endpoints, Build::Counting, task).await?;
            *mib = cost.allocations.bytes / 1024.0 / 1024.0;
        }
        let [small, large] = mib;
        let bodies = (large - small) * 1024.0 * 1024.0 / (LARGE - BODY) as f64;
        let each = bodies / endpoints as f64;
        table.row(what, &[small, large, bodies, each]);
        let goal = format!("{}, {what} to {endpoints}: bodies for each", kind(db));
        goals.push((goal, each));
    }
    report.add(table);
    goals.into_iter().for_each(|(goal, each)| report.at_most(goal, each, COPIES));
    Ok(())
}

async fn on(
    db: &str,
    endpoints: usize,
    build: Build,
    task: impl Fn(String) -> FanOutTask,
) -> Result<Cost, Failure> {
    let fixture = Fixture::make(db, "fan_out", endpoints).await?;
    let cost = ask(build, ROLE, &task(fixture.place.url())).await;
    fixture.clear().await?;
    cost
}

/// The role of the child process.
pub(crate) async fn run(task: &str) -> Result<(), Failure> {
    let task: FanOutTask = serde_json::from_str(task)?;
    let mode = if task.delivers { Mode::Both } else { Mode::PublishOnly };
    let builder = Webhooks::builder().store(SeaOrmStore::connect(&task.db).await?).mode(mode);
    let webhooks = builder.transport(transport()?).build()?;
    // Connections are made, statements prepared, endpoints read.
    publish(&webhooks, 1, BODY, task.delivers).await?;
    let meter = Meter::start();
    publish(&webhooks, task.publishes, task.body, task.delivers).await?;
    println!("{}", serde_json::to_string(&meter.stop(task.publishes))?);
    Ok(())
}

async fn publish(
    webhooks: &Webhooks,
    events: usize,
    body: usize,
    delivers: bool,
) -> Result<(), Failure> {
    let body = Bytes::from(format!("\"{}\"", "x".repeat(body - 2)));
    for _ in 0..events {
        webhooks.publish(NewEvent::new(TO_ALL, body.clone())?).await?;
    }
    if delivers {
        webhooks.run_until_idle(None, std::future::pending()).await?;
    }
    Ok(())
}
