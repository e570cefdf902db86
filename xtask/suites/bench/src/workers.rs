//! More workers must not stand in each other's way: a backlog is published, and then drained by one, two,
//! four and eight processes that do nothing but claim it and send.

mod statements;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, stdin};
use webhook_registry::{Mode, NewEvent, Webhooks, database::SeaOrmStore};

use crate::{
    Failure,
    child::{Build, Talk},
    cost::{Cost, Meter, cpu_of_servers, median},
    fixture::{Fixture, to, transport},
    latency::now,
    options::Options,
    place::kind,
    report::{Report, Table},
};
use statements::Statements;

/// The role of the child process.
pub(crate) const ROLE: &str = "worker";

/// How many work at once.
const WORKERS: [usize; 4] = [1, 2, 4, 8];

/// How much longer the backlog is than other measurements: each worker opens connections of its own, and
/// the database learns them.
const BACKLOG: usize = 3;

/// Endpoints that the backlog is for.
const ENDPOINTS: usize = 100;

/// The part of one worker's rate that eight must still have together, and how many times its statements a
/// delivery may take then.
const LEFT: f64 = 0.9;
const STATEMENTS: f64 = 1.5;

/// How often the receiver is asked how far they are.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct WorkerTask {
    /// It has the backlog in it.
    db: String,
}

/// What draining a backlog came to.
#[derive(Clone, Copy, Debug, Default)]
struct Drained {
    per_second: f64,
    /// Statements of the database for each delivery, or transactions where it counts no statements.
    statements: f64,
    /// Seconds of CPU for 10,000 deliveries: of all workers, and of the server.
    workers_cpu: f64,
    server_cpu: f64,
    /// Of the worker that held the most.
    peak_mib: f64,
}

/// Drains a backlog by ever more workers.
pub(crate) async fn measure(
    db: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let statements = Statements::of(db).await?;
    let columns = ["per second", statements.name(), "CPU s/10k", "server's", "peak MiB"];
    let mut table = Table::new(format!("workers, {}, {} runs", kind(db), options.runs), &columns);
    let most = options.size(8, 2);
    let mut all = Vec::new();
    for workers in WORKERS.into_iter().filter(|workers| *workers <= most) {
        let mut runs = Vec::new();
        for _ in 0..options.runs {
            runs.push(drain(db, statements, workers, options.deliveries * BACKLOG).await?);
        }
        let it = median(runs, |it| it.per_second).ok_or("no run")?;
        let figures = [it.per_second, it.statements, it.workers_cpu, it.server_cpu, it.peak_mib];
        table.row(format!("{workers} at work"), &figures);
        all.push(it);
    }
    report.add(table);
    let (one, last) = (all.first().ok_or("none")?, all.last().ok_or("none")?);
    let left = last.per_second / one.per_second;
    report.at_least(format!("{}, {most} workers: times the rate of one", kind(db)), left, LEFT);
    if statements != Statements::Uncounted {
        let times = last.statements / one.statements.max(f64::EPSILON);
        let what = format!("{}, {most} workers: times the {}", kind(db), statements.name());
        report.at_most(what, times, STATEMENTS);
    }
    Ok(())
}

async fn drain(
    db: &str,
    statements: Statements,
    workers: usize,
    deliveries: usize,
) -> Result<Drained, Failure> {
    let mut fixture = Fixture::make(db, "workers", ENDPOINTS).await?;
    let drained = drain_over(&mut fixture, statements, workers, deliveries).await;
    fixture.clear().await?;
    drained
}

async fn drain_over(
    fixture: &mut Fixture,
    statements: Statements,
    workers: usize,
    deliveries: usize,
) -> Result<Drained, Failure> {
    publish(fixture, deliveries).await?;
    let task = WorkerTask { db: fixture.place.url() };
    let mut working = Vec::new();
    for _ in 0..workers {
        working.push(Talk::begin(Build::Plain, ROLE, &task)?);
    }
    for worker in &mut working {
        // It is connected.
        let () = worker.hear().await?;
    }
    let counted = statements.so_far(&task.db).await?;
    let (server, begun) = (cpu_of_servers(&fixture.kind), now());
    for worker in &mut working {
        worker.go().await?;
    }
    let seen = fixture.receiver.wait_for(deliveries, LOOK).await?;
    let mut costs: Vec<Cost> = Vec::new();
    for worker in working {
        costs.push(worker.end().await?);
    }
    let each = |figure: f64| figure * 1e4 / deliveries as f64;
    Ok(Drained {
        per_second: deliveries as f64 * 1e9 / seen.latest.saturating_sub(begun).max(1) as f64,
        statements: (statements.so_far(&task.db).await? - counted) / deliveries as f64,
        workers_cpu: each(costs.iter().map(|cost| cost.cpu).sum()),
        server_cpu: each(cpu_of_servers(&fixture.kind) - server),
        peak_mib: costs.iter().map(|cost| cost.peak_mib).fold(0.0, f64::max),
    })
}

/// Publishes a backlog, as a process does that does not deliver.
async fn publish(fixture: &Fixture, deliveries: usize) -> Result<(), Failure> {
    let builder = Webhooks::builder().store(fixture.place.store().await?).mode(Mode::PublishOnly);
    let webhooks = builder.transport(transport()?).build()?;
    let body = format!("\"{}\"", "x".repeat(1022));
    let numbers: Vec<usize> = (0..deliveries).collect();
    for numbers in numbers.chunks(1_000) {
        let event = |number: &usize| NewEvent::new(&to(number % ENDPOINTS), body.clone());
        let events = numbers.iter().map(event).collect::<Result<_, _>>()?;
        let published = webhooks.publish_many(events).await;
        published.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    Ok(())
}

/// The role of the child process: works from the first line to the end of its input.
pub(crate) async fn run(task: &str) -> Result<(), Failure> {
    let task: WorkerTask = serde_json::from_str(task)?;
    let store = SeaOrmStore::connect(&task.db).await?;
    let builder = Webhooks::builder().store(store).mode(Mode::Worker);
    let webhooks = builder.transport(transport()?).build()?;
    // The first statement opens a connection.
    webhooks.operator().backlog().await?;
    println!("null");
    let mut input = stdin();
    input.read_u8().await?;
    let meter = Meter::start();
    let report = webhooks.run(async { drop(input.read_u8().await) }).await;
    println!("{}", serde_json::to_string(&meter.stop(report.delivered))?);
    Ok(())
}
