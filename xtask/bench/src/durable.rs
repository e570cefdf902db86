//! Durable: from `publish` to recorded success, beside the limit that the machine sets in the same run.
//!
//! The **composite limit** is what would be delivered each second if nothing but the necessary were
//! done: cores, divided by the CPU seconds that one delivery costs the bare hyper loop, the receiver, and
//! hand-tuned SQL with its server. See [`hand`] for the SQL.

pub(crate) mod hand;
pub(crate) mod ours;
mod sql;

use std::{thread::available_parallelism, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::process::Command;

use crate::{
    Failure, Options,
    cost::{Cost, cpu_of_servers, median},
    fairness::kind,
    latency::Latency,
    place::Place,
    receiver::Receiver,
    report::{Goal, Report, Table},
    sender::{self, Client},
};

/// The part of the composite limit that has to be reached.
const OF_LIMIT: f64 = 0.5;

/// How much faster the hand-tuned SQL has to be in batches of a hundred than one by one, or it is not
/// tuned.
const TUNED: f64 = 20.0;

/// svix-server on the same work, on another machine: deliveries a second, CPU seconds for 10,000 of them
/// (server, PostgreSQL and Redis), and what the bare loop did there.
mod svix {
    pub(super) const PER_SECOND: f64 = 860.0;
    pub(super) const CPU_PER_10K: f64 = 9.3 + 10.9 + 1.0;
    pub(super) const BARE_PER_SECOND: f64 = 81_600.0;
    pub(super) const BARE_CPU_PER_100K: f64 = 1.11;
    /// How many times its rate, and which part of its CPU.
    pub(super) const TIMES: f64 = 20.0;
}

/// What deliveries took, in one process.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Work {
    pub(crate) deliveries: usize,
    pub(crate) took: Duration,
    /// Seconds of CPU of that process.
    pub(crate) cpu: f64,
    pub(crate) peak_mib: f64,
}

impl Work {
    fn per_second(&self) -> f64 {
        self.deliveries as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }
}

/// The same, with what others did for it.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    work: Work,
    /// Seconds of CPU of the database server, if it has one.
    server: f64,
    /// Seconds of CPU of the receiver.
    receiver: f64,
}

impl Whole {
    fn cpu_per_10k(&self, cpu: f64) -> f64 {
        cpu / self.work.deliveries.max(1) as f64 * 1e4
    }

    fn all_per_10k(&self) -> f64 {
        self.cpu_per_10k(self.work.cpu + self.server + self.receiver)
    }
}

/// Measures on each database that is asked for.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    for db in options.databases() {
        on(&db, options, report).await?;
    }
    Ok(())
}

async fn on(db: &str, options: &Options, report: &mut Report) -> Result<(), Failure> {
    let count = options.deliveries;
    let (mut bare, mut ones, mut hundreds) = (Vec::new(), Vec::new(), Vec::new());
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        bare.push(send_bare(options.requests).await?);
        ones.push(by_hand(db, count.div_ceil(20), 1, 1).await?);
        hundreds.push(by_hand(db, count, 100, 1).await?);
        one.push(by_us(db, count, 1).await?);
        many.push(by_us(db, count, 100).await?);
    }
    let rate = |whole: &Whole| whole.work.per_second();
    let (bare, receiving) = median(bare, |(cost, _)| cost.per_cpu_second()).ok_or("no run")?;
    let ones = median(ones, rate).ok_or("no run")?;
    let hundreds = median(hundreds, rate).ok_or("no run")?;
    let tuned = rate(&hundreds) / rate(&ones);
    let cores = available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    let necessary = 1.0 / bare.per_cpu_second()
        + receiving
        + hundreds.cpu_per_10k(hundreds.work.cpu + hundreds.server) / 1e4;
    let limit = cores / necessary;

    let kind = kind(db);
    let columns = ["per second", "CPU s/10k", "process's", "server's", "receiver's", "peak MiB"];
    let mut table = Table::new(format!("durable, {kind}"), &columns);
    let mut row = |name: &str, whole: &Whole| {
        table.row(
            name,
            &[
                rate(whole),
                whole.all_per_10k(),
                whole.cpu_per_10k(whole.work.cpu),
                whole.cpu_per_10k(whole.server),
                whole.cpu_per_10k(whole.receiver),
                whole.work.peak_mib,
            ],
        );
    };
    let one = median(one, rate).ok_or("no run")?;
    let many = median(many, rate).ok_or("no run")?;
    row("SQL by hand, one by one", &ones);
    row("SQL by hand, by hundreds", &hundreds);
    row("Webhooks, 1 endpoint", &one);
    row("Webhooks, 100 endpoints", &many);
    table.row("composite limit", &[limit, necessary * 1e4, 0.0, 0.0, receiving * 1e4, 0.0]);
    report.add(table);
    if !options.short && tuned < TUNED && kind.starts_with("postgres") {
        let told = format!("the SQL to compare with is not tuned: {tuned:.1} times its own rate");
        return Err(told.into());
    }
    for (whole, what) in [(&one, "1 endpoint"), (&many, "100 endpoints")] {
        let part = rate(whole) / limit;
        report.judge(Goal::at_least(format!("{kind}, {what}: part of the limit"), part, OF_LIMIT));
    }
    if kind.starts_with("postgres") {
        beside_svix(&bare, &one, report);
    }
    Ok(())
}

/// svix-server's figures, carried over by what the bare loop does here and did there.
fn beside_svix(bare: &Cost, ours: &Whole, report: &mut Report) {
    let rate = svix::PER_SECOND * bare.per_second() / svix::BARE_PER_SECOND;
    let bare_cpu = 1e5 / bare.per_cpu_second();
    let cpu = svix::CPU_PER_10K * bare_cpu / svix::BARE_CPU_PER_100K;
    let times = ours.work.per_second() / rate;
    report.judge(Goal::at_least("times svix-server's rate", times, svix::TIMES));
    let part = ours.all_per_10k() / cpu;
    report.judge(Goal::at_most("part of svix-server's CPU", part, 1.0 / svix::TIMES));
}

/// What the bare loop costs, and seconds of CPU per request of the receiver.
async fn send_bare(requests: usize) -> Result<(Cost, f64), Failure> {
    let receiver = Receiver::start().await?;
    let (url, root) = (receiver.url("sink"), None);
    let task = sender::Task { client: Client::Bare, url, root, requests, at_once: 64 };
    let cost = sender::send(&task).await?;
    let seen = receiver.stop().await?;
    Ok((cost, seen.cpu / seen.requests.max(1) as f64))
}

async fn by_hand(
    db: &str,
    deliveries: usize,
    batch: usize,
    lanes: usize,
) -> Result<Whole, Failure> {
    let place = Place::make(db, "hand").await?;
    drop(place.store().await?);
    let before = cpu_of_servers(kind(db));
    let task = hand::Task { url: place.url(), deliveries, batch, lanes };
    let work: Work = in_a_process(hand::ROLE, &task).await?;
    let server = cpu_of_servers(kind(db)) - before;
    place.clear().await?;
    Ok(Whole { work, server, receiver: 0.0 })
}

/// How long a single row takes to be stored on an idle database, one after the other.
pub(crate) async fn commit(db: &str, rows: usize) -> Result<Latency, Failure> {
    let place = Place::make(db, "commit").await?;
    drop(place.store().await?);
    let mut session = sql::Session::open(&place.url(), 1).await?;
    let body = vec![b'x'; 1024];
    let mut nanos = Vec::new();
    for _ in 0..rows {
        let begun = std::time::Instant::now();
        session.insert(uuid::Uuid::now_v7(), &body).await?;
        nanos.push(u64::try_from(begun.elapsed().as_nanos())?);
    }
    drop(session);
    place.clear().await?;
    Ok(Latency::of(nanos))
}

async fn by_us(db: &str, deliveries: usize, endpoints: usize) -> Result<Whole, Failure> {
    let place = Place::make(db, "ours").await?;
    drop(place.store().await?);
    let receiver = Receiver::start().await?;
    let before = cpu_of_servers(kind(db));
    let task = ours::Task {
        db: place.url(),
        receiver: receiver.url("sink"),
        deliveries,
        endpoints,
        at_once: 256,
    };
    let work: Work = in_a_process(ours::ROLE, &task).await?;
    let server = cpu_of_servers(kind(db)) - before;
    let seen = receiver.stop().await?;
    place.clear().await?;
    if seen.requests < deliveries {
        return Err(format!("{} of {deliveries} arrived", seen.requests).into());
    }
    Ok(Whole { work, server, receiver: seen.cpu })
}

/// Has a process of its own do this.
async fn in_a_process<A: DeserializeOwned>(
    role: &str,
    task: &impl Serialize,
) -> Result<A, Failure> {
    let mut child = Command::new(std::env::current_exe()?);
    let output = child.args([role, &serde_json::to_string(task)?]);
    let output = output.stderr(std::process::Stdio::inherit()).output().await?;
    if !output.status.success() {
        return Err(format!("the process `{role}` ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
