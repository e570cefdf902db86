//! Durable: from `publish` to recorded success, beside the limit that the machine sets in the same run.
//!
//! The **composite limit** is what would be delivered each second if nothing but the necessary were
//! done: cores, divided by the CPU seconds that one delivery costs the bare hyper loop, the receiver, and
//! hand-tuned SQL with its server. See [`hand`] for the SQL.

pub(crate) mod hand;
pub(crate) mod ours;
mod sql;

use std::{thread::available_parallelism, time::Duration};

use serde::{Deserialize, Serialize};
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

/// Connections that the hand-tuned SQL holds, where more than one can write.
const LANES: usize = 4;

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

/// One in so many deliveries is made first and not timed: connections are made and statements prepared.
const WARM_UP: usize = 20;

/// How many are made for so many that are timed. Servers and receivers do not know which are which.
const fn with_warm_up(deliveries: usize) -> usize {
    deliveries + deliveries / WARM_UP
}

/// The same, with what others did for it.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    work: Work,
    /// Seconds of CPU of the database server, if it has one, warm-up included.
    server: f64,
    /// Seconds of CPU of the receiver, warm-up included.
    receiver: f64,
}

impl Whole {
    fn per_second(&self) -> f64 {
        self.work.per_second()
    }

    /// Seconds of CPU for 10,000 deliveries: of the process, the server and the receiver.
    fn cpu_per_10k(&self) -> [f64; 3] {
        let all = with_warm_up(self.work.deliveries).max(1) as f64 / 1e4;
        let timed = self.work.deliveries.max(1) as f64 / 1e4;
        [self.work.cpu / timed, self.server / all, self.receiver / all]
    }

    fn all_per_10k(&self) -> f64 {
        self.cpu_per_10k().iter().sum()
    }

    fn figures(&self) -> [f64; 6] {
        let [process, server, receiver] = self.cpu_per_10k();
        let peak = self.work.peak_mib;
        [self.per_second(), self.all_per_10k(), process, server, receiver, peak]
    }
}

/// Measures on each database that is asked for.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    for db in options.databases() {
        let measured = Measured::on(&db, options).await?;
        measured.tell(kind(&db), report);
    }
    Ok(())
}

/// The middle one of each kind of run on one database.
struct Measured {
    bare: Cost,
    /// Seconds of CPU per request of the receiver.
    receiving: f64,
    ones: Whole,
    hundreds: Whole,
    one_endpoint: Whole,
    hundred_endpoints: Whole,
}

impl Measured {
    async fn on(db: &str, options: &Options) -> Result<Self, Failure> {
        let count = options.deliveries;
        let lanes = if kind(db) == "sqlite" { 1 } else { LANES };
        let (mut bare, mut ones, mut hundreds) = (Vec::new(), Vec::new(), Vec::new());
        let (mut one, mut hundred) = (Vec::new(), Vec::new());
        for _ in 0..options.runs {
            bare.push(send_bare(options.requests).await?);
            ones.push(by_hand(db, count.div_ceil(20), 1, 1).await?);
            hundreds.push(by_hand(db, count, 100, lanes).await?);
            one.push(by_us(db, count, 1).await?);
            hundred.push(by_us(db, count, 100).await?);
        }
        let middle = |runs| median(runs, Whole::per_second).ok_or("no run");
        let (bare, receiving) = median(bare, |(cost, _)| cost.per_cpu_second()).ok_or("no run")?;
        Ok(Self {
            bare,
            receiving,
            ones: middle(ones)?,
            hundreds: middle(hundreds)?,
            one_endpoint: middle(one)?,
            hundred_endpoints: middle(hundred)?,
        })
    }

    /// Seconds of CPU that a delivery takes at least.
    fn necessary(&self) -> f64 {
        1.0 / self.bare.per_cpu_second() + self.receiving + self.hundreds.all_per_10k() / 1e4
    }

    /// Deliveries a second, if nothing else were done.
    fn limit(&self) -> f64 {
        available_parallelism().map_or(1, std::num::NonZero::get) as f64 / self.necessary()
    }

    fn tell(&self, kind: &str, report: &mut Report) {
        let columns =
            ["per second", "CPU s/10k", "process's", "server's", "receiver's", "peak MiB"];
        let mut table = Table::new(format!("durable, {kind}"), &columns);
        table.row("SQL by hand, one by one", &self.ones.figures());
        table.row("SQL by hand, by hundreds", &self.hundreds.figures());
        table.row("Webhooks, 1 endpoint", &self.one_endpoint.figures());
        table.row("Webhooks, 100 endpoints", &self.hundred_endpoints.figures());
        table.row("composite limit", &[self.limit(), self.necessary() * 1e4]);
        report.add(table);
        if is_postgres(kind) {
            let tuned = self.hundreds.per_second() / self.ones.per_second();
            report.judge(Goal::at_least("SQL by hundreds, times one by one", tuned, TUNED));
        }
        for (whole, what) in
            [(&self.one_endpoint, "1 endpoint"), (&self.hundred_endpoints, "100 endpoints")]
        {
            let what = format!("{kind}, {what}: part of the limit");
            report.judge(Goal::at_least(what, whole.per_second() / self.limit(), OF_LIMIT));
        }
        if is_postgres(kind) {
            beside_svix(&self.bare, &self.one_endpoint, report);
        }
    }
}

fn is_postgres(kind: &str) -> bool {
    kind.starts_with("postgres")
}

/// svix-server's figures, carried over by what the bare loop does here and did there.
fn beside_svix(bare: &Cost, ours: &Whole, report: &mut Report) {
    let rate = svix::PER_SECOND * bare.per_second() / svix::BARE_PER_SECOND;
    let bare_cpu = 1e5 / bare.per_cpu_second();
    let cpu = svix::CPU_PER_10K * bare_cpu / svix::BARE_CPU_PER_100K;
    let times = ours.per_second() / rate;
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
    let work = in_a_process(hand::ROLE, &task).await;
    let server = cpu_of_servers(kind(db)) - before;
    place.clear().await?;
    Ok(Whole { work: work?, server, receiver: 0.0 })
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
    let work = in_a_process(ours::ROLE, &task).await;
    let server = cpu_of_servers(kind(db)) - before;
    let seen = receiver.stop().await?;
    place.clear().await?;
    let (work, all) = (work?, with_warm_up(deliveries));
    if seen.requests < all {
        return Err(format!("{} of {all} arrived", seen.requests).into());
    }
    Ok(Whole { work, server, receiver: seen.cpu })
}

/// Has a process of its own do this.
async fn in_a_process(role: &str, task: &impl Serialize) -> Result<Work, Failure> {
    let mut child = Command::new(std::env::current_exe()?);
    let output = child.args([role, &serde_json::to_string(task)?]);
    let output = output.stderr(std::process::Stdio::inherit()).output().await?;
    if !output.status.success() {
        return Err(format!("the process `{role}` ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
