//! What is stored must not slow down what is new: the rate with millions of deliveries in the tables, beside
//! that with none in the same call; and the memory of the process that delivers.

mod fill;

use crate::{
    Failure,
    child::Build,
    cost::median,
    durable::{Whole, over},
    fixture::Fixture,
    options::Options,
    place::kind,
    report::{Report, Table},
};

/// Deliveries that are finished, and that are pending: half of them due in a month, half due at endpoints
/// that are paused.
const FINISHED: usize = 5_000_000;
const PENDING: usize = 1_000_000;

/// Endpoints that get events; the finished deliveries are theirs as well.
const ENDPOINTS: usize = 100;

/// The part of the rate with empty tables that has to be left.
const LEFT: f64 = 0.9;

/// The memory that a process may hold at most, in MiB.
const MOST_MIB: f64 = 64.0;

/// Fills a database, and measures beside an empty one.
pub(crate) async fn measure(
    db: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut full = Fixture::make(db, "full", ENDPOINTS).await?;
    let (finished, pending) = (options.size(FINISHED, 5_000), options.size(PENDING, 1_000));
    fill::fill(&full, finished, pending).await?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let mut empty = Fixture::make(db, "empty", ENDPOINTS).await?;
        let run = over(&mut empty, Build::Plain, options.deliveries, ENDPOINTS).await;
        empty.clear().await?;
        without.push(run?);
        with.push(over(&mut full, Build::Plain, options.deliveries, ENDPOINTS).await?);
    }
    full.clear().await?;
    let runs = without.iter().chain(&with);
    let peak = runs.map(|run| run.cost.peak_mib).fold(0.0, f64::max);
    let without = median(without, Whole::per_second).ok_or("no run")?;
    let with = median(with, Whole::per_second).ok_or("no run")?;

    let title = format!("growth, {}, {} runs", kind(db), options.runs);
    let mut table = Table::new(title, &Whole::COLUMNS);
    table.row("empty tables", &without.figures());
    table.row(format!("{finished} done, {pending} pending"), &with.figures());
    report.add(table);
    let left = with.per_second() / without.per_second();
    report.at_least(format!("{}, full tables: part of the rate", kind(db)), left, LEFT);
    report.at_most(format!("{}, full tables or empty: peak MiB", kind(db)), peak, MOST_MIB);
    Ok(())
}
