//! Durable: from `publish` to recorded success, beside the limit that the machine sets in the same run.
//!
//! The **composite limit** is what would be delivered each second if nothing but the necessary were
//! done: cores, divided by the CPU seconds that one delivery costs the bare hyper loop, the receiver, and
//! hand-tuned SQL with its server. See [`hand`] for the SQL. It is no more than what that SQL reaches with
//! the machine for itself: one writer that waits for its disk is a limit as well.

pub(crate) mod hand_tuned;
pub(crate) mod ours;
mod sql;

use crate::{
    Failure,
    child::{Build, ask},
    cost::{Cost, cpu_of_servers, median},
    fixture::Fixture,
    latency::Latency,
    machine::cores,
    options::Options,
    place::{Place, is_postgres, kind},
    report::{Report, Table},
    send::{Sent, bare},
};

/// The part of the composite limit that has to be reached.
const OF_LIMIT: f64 = 0.5;

/// How much faster the hand-tuned SQL has to be in batches of a hundred than one by one, or it is not
/// tuned.
const TUNED: f64 = 20.0;

/// Connections that the hand-tuned SQL holds, where more than one can write.
const LANES: usize = 4;

/// The most deliveries of which allocations are counted.
const COUNTED: usize = 5_000;

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

/// One in so many deliveries is made first and not timed: connections are made and statements prepared.
const WARM_UP: usize = 20;

/// How many are made for so many that are timed. Servers and receivers do not know which are which.
const fn with_warm_up(deliveries: usize) -> usize {
    deliveries + deliveries / WARM_UP
}

/// What deliveries took, everybody's part of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Whole {
    /// Of the process.
    pub(crate) cost: Cost,
    /// Seconds of CPU of the database server, if it has one, warm-up included.
    server: f64,
    /// Seconds of CPU of the receiver, warm-up included.
    receiver: f64,
}

impl Whole {
    /// What the columns of [`figures`](Self::figures) are.
    pub(crate) const COLUMNS: [&str; 6] =
        ["per second", "CPU s/10k", "process's", "server's", "receiver's", "peak MiB"];

    pub(crate) fn per_second(&self) -> f64 {
        self.cost.per_second()
    }

    /// Seconds of CPU for 10,000 deliveries: of the process, the server and the receiver.
    fn cpu_per_10k(&self) -> [f64; 3] {
        let all = with_warm_up(self.cost.count).max(1) as f64 / 1e4;
        let timed = self.cost.count.max(1) as f64 / 1e4;
        [self.cost.cpu / timed, self.server / all, self.receiver / all]
    }

    fn all_per_10k(&self) -> f64 {
        self.cpu_per_10k().iter().sum()
    }

    pub(crate) fn figures(&self) -> [f64; 6] {
        let [process, server, receiver] = self.cpu_per_10k();
        let peak = self.cost.peak_mib;
        [self.per_second(), self.all_per_10k(), process, server, receiver, peak]
    }
}

/// Measures on one database.
pub(crate) async fn measure(
    db: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let measured = Measured::on(db, options).await?;
    measured.tell(kind(db), report);
    if report.can_count() {
        let few = options.deliveries.min(COUNTED);
        let counted = by_us(Build::Counting, db, few, 1).await?.cost;
        let title = format!("durable, {}, each delivery", kind(db));
        report.add_allocations(&title, &[("Webhooks, 1 endpoint", counted)]);
    }
    Ok(())
}

/// The middle one of each kind of run on one database.
struct Measured {
    bare: Sent,
    ones: Whole,
    /// To one endpoint, and to a hundred.
    pairs: [Pair; 2],
}

/// The same rows by hand and by the library.
struct Pair {
    endpoints: usize,
    /// By hundreds.
    by_hand: Whole,
    ours: Whole,
}

impl Pair {
    fn endpoints(&self) -> String {
        format!("{} endpoint{}", self.endpoints, if self.endpoints == 1 { "" } else { "s" })
    }
}

impl Measured {
    async fn on(db: &str, options: &Options) -> Result<Self, Failure> {
        let count = options.deliveries;
        let lanes = if kind(db) == "sqlite" { 1 } else { LANES };
        let (mut sent, mut ones) = (Vec::new(), Vec::new());
        let mut pairs = [(1, Vec::new(), Vec::new()), (100, Vec::new(), Vec::new())];
        for _ in 0..options.runs {
            sent.push(bare(options.requests).await?);
            ones.push(by_hand(db, count.div_ceil(20), 1, (1, 1)).await?);
            for (endpoints, by_hands, ours) in &mut pairs {
                by_hands.push(by_hand(db, count, *endpoints, (100, lanes)).await?);
                ours.push(by_us(Build::Plain, db, count, *endpoints).await?);
            }
        }
        let middle = |runs| median(runs, Whole::per_second).ok_or("no run");
        let pair = |(endpoints, by_hands, ours)| {
            Ok::<_, Failure>(Pair { endpoints, by_hand: middle(by_hands)?, ours: middle(ours)? })
        };
        let [one, hundred] = pairs.map(pair);
        Ok(Self {
            bare: median(sent, |it| it.cost.per_cpu_second()).ok_or("no run")?,
            ones: middle(ones)?,
            pairs: [one?, hundred?],
        })
    }

    /// Seconds of CPU that a delivery takes at least.
    fn necessary(&self, by_hand: &Whole) -> f64 {
        let Sent { cost, receiving } = self.bare;
        1.0 / cost.per_cpu_second() + receiving + by_hand.all_per_10k() / 1e4
    }

    /// Deliveries a second, if nothing else were done.
    fn limit(&self, by_hand: &Whole) -> f64 {
        (cores() as f64 / self.necessary(by_hand)).min(by_hand.per_second())
    }

    fn tell(&self, kind: &str, report: &mut Report) {
        let mut table = Table::new(format!("durable, {kind}"), &Whole::COLUMNS);
        table.row("SQL by hand, one by one", &self.ones.figures());
        for pair in &self.pairs {
            let Pair { by_hand, ours, .. } = pair;
            let to = pair.endpoints();
            table.row(format!("SQL by hand, by hundreds, {to}"), &by_hand.figures());
            table.row(format!("Webhooks, {to}"), &ours.figures());
            let limit = [self.limit(by_hand), self.necessary(by_hand) * 1e4];
            table.row(format!("composite limit, {to}"), &limit);
        }
        report.add(table);
        let [one, _] = &self.pairs;
        if is_postgres(kind) {
            let tuned = one.by_hand.per_second() / self.ones.per_second();
            report.at_least("SQL by hundreds, times one by one", tuned, TUNED);
        }
        for pair in &self.pairs {
            let what = format!("{kind}, durable, {}: part of the limit", pair.endpoints());
            let part = pair.ours.per_second() / self.limit(&pair.by_hand);
            report.at_least(what, part, OF_LIMIT);
        }
        if is_postgres(kind) {
            beside_svix(&self.bare.cost, &one.ours, report);
        }
    }
}

/// svix-server's figures, carried over by what the bare loop does here and did there.
fn beside_svix(bare: &Cost, ours: &Whole, report: &mut Report) {
    let rate = svix::PER_SECOND * bare.per_second() / svix::BARE_PER_SECOND;
    let bare_cpu = 1e5 / bare.per_cpu_second();
    let cpu = svix::CPU_PER_10K * bare_cpu / svix::BARE_CPU_PER_100K;
    let times = ours.per_second() / rate;
    report.at_least("durable, 1 endpoint: times svix-server's rate", times, svix::TIMES);
    let part = ours.all_per_10k() / cpu;
    report.at_most("durable, 1 endpoint: part of svix-server's CPU", part, 1.0 / svix::TIMES);
}

async fn by_hand(
    db: &str,
    deliveries: usize,
    endpoints: usize,
    (batch, lanes): (usize, usize),
) -> Result<Whole, Failure> {
    let place = Place::make(db, "hand").await?;
    drop(place.store().await?);
    let before = cpu_of_servers(kind(db));
    let task = hand_tuned::HandTunedTask { url: place.url(), deliveries, batch, lanes, endpoints };
    let cost = ask(Build::Plain, hand_tuned::ROLE, &task).await;
    let server = cpu_of_servers(kind(db)) - before;
    place.clear().await?;
    Ok(Whole { cost: cost?, server, receiver: 0.0 })
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

async fn by_us(
    build: Build,
    db: &str,
    deliveries: usize,
    endpoints: usize,
) -> Result<Whole, Failure> {
    let mut fixture = Fixture::make(db, "ours", endpoints).await?;
    let whole = over(&mut fixture, build, deliveries, endpoints).await;
    fixture.clear().await?;
    whole
}

/// Has a process publish and deliver over so many endpoints of a fixture.
pub(crate) async fn over(
    fixture: &mut Fixture,
    build: Build,
    deliveries: usize,
    endpoints: usize,
) -> Result<Whole, Failure> {
    let before = (fixture.receiver.seen().await?, cpu_of_servers(&fixture.kind));
    let task = ours::DurableTask { db: fixture.place.url(), deliveries, endpoints, at_once: 256 };
    let cost = ask(build, ours::ROLE, &task).await?;
    let after = (fixture.receiver.seen().await?, cpu_of_servers(&fixture.kind));
    let (arrived, all) = (after.0.requests - before.0.requests, with_warm_up(deliveries));
    if arrived < all {
        return Err(format!("{arrived} of {all} arrived").into());
    }
    Ok(Whole { cost, server: after.1 - before.1, receiver: after.0.cpu - before.0.cpu })
}
