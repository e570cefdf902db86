//! Plays scenarios on all databases and reports the result.

use std::{process::ExitCode, sync::Arc, time::Instant};

use tokio::task::JoinSet;
use xtask_servers::Room;

use crate::{
    Outcome,
    fixture::{Fixture, Site},
    options::{Db, Options},
    scenario::{FULL_MEGABYTES, Scenario},
};

/// Plays what was asked for and says what came of it: on all databases at once, since most of the time
/// is spent in waiting.
pub(crate) async fn run(options: Options) -> Outcome<ExitCode> {
    let options = Arc::new(options);
    let mut dbs = JoinSet::new();
    for db in &options.dbs {
        dbs.spawn(play_all(*db, Arc::clone(&options)));
    }
    let (mut played, mut failed) = (0, 0);
    while let Some(counts) = dbs.join_next().await {
        let (its_played, its_failed) = counts??;
        played += its_played;
        failed += its_failed;
    }
    if failed == 0 {
        println!("crash: {played} scenarios, nothing lost");
        return Ok(ExitCode::SUCCESS);
    }
    println!("crash: {failed} of {played} scenarios failed");
    Ok(ExitCode::FAILURE)
}

/// How many scenarios were played on this database, and how many did not go as they must.
async fn play_all(db: Db, options: Arc<Options>) -> Outcome<(usize, usize)> {
    let site = Site::start(db).await?;
    let (mut played, mut failed) = (0, 0);
    for scenario in options.scenarios.iter().filter(|scenario| scenario.is_for(db)) {
        if let Some(what) = scenario.lacks(db) {
            println!("left out: crash test {}, for want of {what}", scenario.name());
            failed += usize::from(options.require_all);
            continue;
        }
        played += 1;
        failed += usize::from(!play(*scenario, &site, &options).await?);
    }
    Ok((played, failed))
}

/// Whether it went as it must.
async fn play(scenario: Scenario, site: &Site, options: &Options) -> Outcome<bool> {
    let begin = Instant::now();
    let room = (scenario == Scenario::Full).then(|| Room::new(FULL_MEGABYTES)).transpose()?;
    let mut fixture = Fixture::on(site, &scenario.name().replace('-', "_"), room).await?;
    let outcome = scenario.play(site, &mut fixture, options).await;
    let time = begin.elapsed().as_secs_f64();
    let (text, wrong) = match outcome {
        Ok(verdict) => (verdict.to_string(), verdict.wrong()),
        Err(error) => (String::new(), vec![error.to_string()]),
    };
    let word = if wrong.is_empty() { "ok" } else { "FAILED" };
    println!("{word:<6} {time:>6.1} s  {:<8} {:<14} {text}", site.db.name(), scenario.name());
    if !wrong.is_empty() {
        wrong.iter().for_each(|what| println!("    {what}"));
        let folder = fixture.keep();
        if let Ok(log) = site.log() {
            std::fs::write(folder.join("server.log"), log)?;
        }
        println!("    ledgers and logs: {}", folder.display());
    }
    Ok(wrong.is_empty())
}
