//! Many workers behind a pooler that hands out connections for a transaction each, and has few of them.

use std::time::Duration;

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};
use xtask_servers::Pooler;

use super::{CHILD_DEADLINE, is_slow};
use crate::{
    Outcome,
    fixture::{Fixture, Site},
    ledger::word,
    options::Options,
    verdict::Verdict,
};

const WORKERS: usize = 8;

/// The connections that the pooler has to the server.
const CONNECTIONS: u32 = 3;

/// How long everything may take; it is the statements that count.
const SCENARIO_TIMEOUT: Duration = Duration::from_secs(600);

pub(super) async fn play(
    site: &Site,
    fixture: &mut Fixture,
    options: &Options,
) -> Outcome<Verdict> {
    let count = if options.short { 800 } else { 20_000 };
    let server = site.port()?;
    let pooler = spawn_blocking(move || Pooler::start(server, CONNECTIONS)).await??;
    let url = fixture.url_at(server, pooler.port());
    let way = [("url", url.as_str()), ("poll-only", "yes")];
    let before = site.log()?.len();
    let mut names = Vec::new();
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let worker = fixture.working(&way).await?;
        names.push(worker.name().to_owned());
        workers.push(worker);
    }
    let name = fixture.new_name("publisher");
    let total = count.to_string();
    let pace = [("count", total.as_str()), ("batch", "50")];
    fixture.publisher(&name, &[&way[..], &pace[..]].concat())?.ends_well(SCENARIO_TIMEOUT).await?;
    all_received(fixture, count).await?;
    for worker in &mut workers {
        worker.signal("TERM")?;
        worker.ends_well(CHILD_DEADLINE).await?;
    }
    names.push(name);
    let mut errors = Vec::new();
    for name in &names {
        errors.extend(complaints(
            &fixture.log(name)?,
            &[" WARN ", " ERROR ", "could not", "not yet", "Error"],
        ));
    }
    let said = site.log()?.split_off(before);
    errors.extend(complaints(&said, &["ERROR:", "FATAL:", "WARNING:"]));
    errors.extend(complaints(&pooler.log(), &["ERROR", "pooler error"]));
    fixture.drain().await?;
    let (late, errors): (Vec<_>, Vec<_>) = errors.into_iter().partition(|line| is_late(line));
    let mut verdict = fixture.evidence()?.judge();
    verdict.remark(format!("{WORKERS} workers on {CONNECTIONS} connections"));
    verdict.remark(format!("{} statement errors", errors.len()));
    verdict.demand(errors.is_empty(), || first_few("statement errors", &errors));
    verdict.demand_in_time(late.is_empty(), || first_few("missed limits of time", &late));
    Ok(verdict)
}

fn first_few(what: &str, lines: &[String]) -> String {
    let some: Vec<_> = lines.iter().take(3).map(String::as_str).collect();
    format!("{} {what}: {}", lines.len(), some.join(" | "))
}

/// Whether a line of a worker's log comes of a limit of time, and not of a statement.
fn is_late(line: &str) -> bool {
    ["webhook attempt failed", "lease lost", "did not answer in time", "took longer than its limit"]
        .iter()
        .any(|text| line.contains(text))
}

/// Waits until the receiver has so many.
async fn all_received(fixture: &Fixture, count: usize) -> Outcome {
    let begin = Instant::now();
    loop {
        let lines = fixture.ledger("receiver")?;
        let received = lines.iter().filter(|line| line.word == word::RECEIVED).count();
        if received >= count {
            return Ok(());
        }
        if begin.elapsed() > SCENARIO_TIMEOUT {
            return Err(format!("only {received} of {count} received").into());
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// The lines with one of these words. A slow statement is no failed one.
fn complaints(log: &str, words: &[&str]) -> Vec<String> {
    let complains = |line: &&str| words.iter().any(|word| line.contains(word));
    log.lines().filter(complains).filter(|line| !is_slow(line)).map(str::to_owned).collect()
}
