//! What is done to whom.

mod kills;
mod points;
mod restart;
mod stall;

use std::{
    hash::{BuildHasher as _, RandomState},
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    asked::{Asked, Db},
    ground::{Ground, Site},
    ledger::word,
    verdict::Verdict,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scenario {
    /// Each named point, so many times.
    Points,
    /// `kill -9` at times that nobody chose.
    Kills,
    /// The database goes and comes back.
    Restart,
    /// A worker stands still for longer than its lease.
    Stall,
}

impl Scenario {
    pub(crate) const ALL: [Self; 4] = [Self::Points, Self::Kills, Self::Restart, Self::Stall];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Points => "points",
            Self::Kills => "kills",
            Self::Restart => "restart",
            Self::Stall => "stall",
        }
    }

    /// Whether it makes sense on this kind of database.
    const fn is_for(self, db: Db) -> bool {
        let _ = (self, db);
        true
    }

    async fn play(self, site: &Site, ground: &mut Ground, asked: &Asked) -> Outcome<Verdict> {
        match self {
            Self::Points => points::play(ground, asked).await,
            Self::Kills => kills::play(ground, asked).await,
            Self::Restart => restart::play(site, ground, asked).await,
            Self::Stall => stall::play(ground).await,
        }
    }
}

/// Plays what was asked for, one after the other, and says what came of it.
pub(crate) async fn run(asked: &Asked) -> Outcome<ExitCode> {
    let mut failed = 0;
    let mut played = 0;
    for db in &asked.dbs {
        let site = Site::start(*db).await?;
        for scenario in asked.scenarios.iter().filter(|scenario| scenario.is_for(*db)) {
            played += 1;
            failed += usize::from(!play(*scenario, &site, asked).await?);
        }
    }
    if failed == 0 {
        println!("crash: {played} scenarios, nothing lost");
        return Ok(ExitCode::SUCCESS);
    }
    println!("crash: {failed} of {played} scenarios failed");
    Ok(ExitCode::FAILURE)
}

/// Whether it went as it must.
async fn play(scenario: Scenario, site: &Site, asked: &Asked) -> Outcome<bool> {
    let begin = Instant::now();
    let mut ground = Ground::on(site, scenario.name()).await?;
    let outcome = scenario.play(site, &mut ground, asked).await;
    let time = begin.elapsed().as_secs_f64();
    let (text, wrong) = match outcome {
        Ok(verdict) => (verdict.to_string(), verdict.wrong()),
        Err(error) => (String::new(), vec![error.to_string()]),
    };
    let word = if wrong.is_empty() { "ok" } else { "FAILED" };
    println!("{word:<6} {time:>6.1} s  {:<8} {:<8} {text}", site.db.name(), scenario.name());
    if !wrong.is_empty() {
        wrong.iter().for_each(|what| println!("    {what}"));
        println!("    ledgers and logs: {}", ground.keep().display());
    }
    Ok(wrong.is_empty())
}

/// How long a child may take that has little left to do.
const SOON: Duration = Duration::from_secs(60);

/// The leases that a worker has lost, by its own report.
fn leases_lost(ground: &Ground, worker: &str) -> Outcome<u64> {
    let lines = ground.ledger(worker)?;
    let report = lines.iter().find(|line| line.word == word::REPORT);
    let report = report.ok_or_else(|| format!("{worker} has left no report"))?;
    let report: serde_json::Value = serde_json::from_str(&report.subject)?;
    report.get("leases_lost").and_then(serde_json::Value::as_u64).ok_or("no count".into())
}

/// Numbers that differ from run to run.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0) | 1)
    }

    /// From 0 on, and less than `end`.
    const fn up_to(&mut self, end: u64) -> u64 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
