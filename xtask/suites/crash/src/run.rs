//! Plays scenarios on all databases and reports the result.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Instant};

use tokio::task::JoinSet;
use xtask_servers::Room;

use crate::{
    Outcome,
    fixture::{Fixture, Site},
    options::{Db, Options},
    scenario::{FULL_MEGABYTES, Scenario},
};

/// Number of plays of a scenario that misses nothing but limits of time.
///
/// A busy machine misses one now and then; a fault in the code misses it in each play.
const MAX_PLAYS: usize = 3;

/// Word for a play that is repeated.
const REPEATED_PLAY: &str = "again";

/// Longest reason in the summary, in characters.
const MAX_REASON: usize = 300;

/// Scenarios of one database: their number, and a line for each that failed.
#[derive(Debug, Default)]
struct Tally {
    played: usize,
    failed: Vec<String>,
}

/// Plays what was asked for and says what came of it: on all databases at once, since most of the time
/// is spent in waiting.
pub(crate) async fn run(options: Options) -> Outcome<ExitCode> {
    let options = Arc::new(options);
    let mut dbs = JoinSet::new();
    for db in &options.dbs {
        dbs.spawn(play_all(*db, Arc::clone(&options)));
    }
    let mut all = Tally::default();
    while let Some(tally) = dbs.join_next().await {
        let Tally { played, failed } = tally?;
        all.played += played;
        all.failed.extend(failed);
    }
    println!("{}", summary(&all));
    Ok(if all.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line, which names every failed scenario and the reason.
fn summary(Tally { played, failed }: &Tally) -> String {
    match failed.len() {
        0 => format!("crash: {played} scenarios, nothing lost"),
        count => format!("crash: {count} of {played} scenarios failed: {}", failed.join("; ")),
    }
}

/// Line of a failed scenario in the summary.
fn failure(db: Db, scenario: &str, reasons: &[String]) -> String {
    let reasons = reasons.join(", ").replace('\n', " ");
    let short: String = reasons.chars().take(MAX_REASON).collect();
    format!("{db} {scenario} ({short})")
}

/// Plays all scenarios of a database.
async fn play_all(db: Db, options: Arc<Options>) -> Tally {
    let mut tally = Tally::default();
    let site = match Site::start(db).await {
        Ok(site) => site,
        Err(error) => {
            println!("FAILED {db}: {error}");
            tally.failed.push(failure(db, "server", &[error.to_string()]));
            return tally;
        }
    };
    for scenario in options.scenarios.iter().filter(|scenario| scenario.is_for(db)) {
        if let Some(what) = scenario.lacks(db) {
            println!("left out: crash test {}, for want of {what}", scenario.name());
            if options.require_all {
                tally.failed.push(failure(db, scenario.name(), &[format!("needs {what}")]));
            }
            continue;
        }
        tally.played += 1;
        let faults = play(*scenario, &site, &options).await;
        if !faults.is_empty() {
            tally.failed.push(failure(db, scenario.name(), &faults));
        }
    }
    tally
}

/// Plays a scenario until no limit of time is missed, and returns its faults.
async fn play(scenario: Scenario, site: &Site, options: &Options) -> Vec<String> {
    for number in 1..=MAX_PLAYS {
        let begin = Instant::now();
        let played = play_once(scenario, site, options, number).await;
        let played = played.unwrap_or_else(|error| Played {
            faults: vec![error.to_string()],
            ..Played::default()
        });
        let word = played.word(number);
        let Played { text, faults, late, folder } = played;
        let time = begin.elapsed().as_secs_f64();
        println!("{word:<6} {time:>6.1} s  {:<8} {:<14} {text}", site.db.name(), scenario.name());
        let all: Vec<_> = faults.into_iter().chain(late).collect();
        all.iter().for_each(|what| println!("    {what}"));
        if let Some(folder) = folder {
            println!("    ledgers and logs: {}", folder.display());
        }
        if word != REPEATED_PLAY {
            return all;
        }
    }
    Vec::new()
}

/// Result of one play.
#[derive(Debug, Default)]
struct Played {
    text: String,
    faults: Vec<String>,
    /// Limits of time that were missed.
    late: Vec<String>,
    /// Copy of the ledgers and logs of a play that went wrong.
    folder: Option<PathBuf>,
}

impl Played {
    /// Word for the result of the play with this number.
    const fn word(&self, number: usize) -> &'static str {
        match (self.faults.is_empty(), self.late.is_empty()) {
            (true, true) => "ok",
            (true, false) if number < MAX_PLAYS => REPEATED_PLAY,
            _ => "FAILED",
        }
    }
}

async fn play_once(
    scenario: Scenario,
    site: &Site,
    options: &Options,
    number: usize,
) -> Outcome<Played> {
    let room = (scenario == Scenario::Full).then(|| Room::new(FULL_MEGABYTES)).transpose()?;
    let name = format!("{}_{number}", scenario.name().replace('-', "_"));
    let mut fixture = Fixture::on(site, &name, room).await?;
    let outcome = scenario.play(site, &mut fixture, options).await;
    let (text, mut faults, late) = match outcome {
        Ok(verdict) => (verdict.to_string(), verdict.faults(), verdict.late()),
        Err(error) => (String::new(), vec![error.to_string()], Vec::new()),
    };
    let is_ok = faults.is_empty() && late.is_empty();
    let folder = if is_ok { None } else { Some(fixture.keep(site)?) };
    if let Err(error) = fixture.close(site).await {
        faults.push(format!("could not clean up: {error}"));
    }
    Ok(Played { text, faults, late, folder })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_time_may_be_missed_twice_and_a_loss_never() {
        let late = || Played { late: vec!["late".into()], ..Played::default() };
        let lost = || Played { faults: vec!["lost".into()], ..late() };
        assert_eq!(
            [1, 2, 3].map(|number| late().word(number)),
            [REPEATED_PLAY, REPEATED_PLAY, "FAILED"]
        );
        assert_eq!([1, 2, 3].map(|number| lost().word(number)), ["FAILED"; 3]);
        assert_eq!(Played::default().word(1), "ok");
    }

    #[test]
    fn the_summary_names_each_failed_scenario_and_its_reason() {
        let mut tally = Tally { played: 49, failed: Vec::new() };
        assert_eq!(summary(&tally), "crash: 49 scenarios, nothing lost");
        tally.failed.push(failure(Db::Sqlite, "rate", &["late".into(), "off".into()]));
        tally.failed.push(failure(Db::MySql, "away", &["x\n".repeat(MAX_REASON)]));
        let text = summary(&tally);
        let begin = "crash: 2 of 49 scenarios failed: sqlite rate (late, off); mysql away (x x ";
        assert!(text.starts_with(begin), "{text}");
        assert!(text.lines().count() == 1 && text.len() < 2 * MAX_REASON, "{text}");
    }
}
