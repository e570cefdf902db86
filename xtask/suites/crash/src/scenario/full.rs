//! The disk of the database is full, and later it is not.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    CHILD_DEADLINE, REFUSAL, is_slow,
    traffic::{Knocks, Traffic},
};
use crate::{
    Outcome,
    fixture::{Fixture, Site},
    ledger::now,
    options::{Db, Options},
    verdict::Verdict,
};

/// Enough for an empty database and what comes before the end.
pub(crate) const MEGABYTES: u32 = 40;

pub(super) async fn play(
    site: &Site,
    fixture: &mut Fixture,
    options: &Options,
) -> Outcome<Verdict> {
    let mut traffic = Traffic::start(site, fixture, Duration::from_secs(10)).await?;
    fixture.receiver().order("delay 500").await?;
    // Work that waits, and needs room to be written down.
    sleep(Duration::from_secs(2)).await;
    let begin = now();
    fixture.room()?.fill()?;
    let told = until_told(site, &traffic, fixture).await?;
    traffic.stop_publishing(fixture).await?;
    sleep(Duration::from_secs(1)).await;
    let within = Duration::from_secs(if options.short { 5 } else { 20 });
    // What still finds room goes on as it does on other days; what does not is counted.
    let (before, counting) = (traffic.failures(fixture)?, Instant::now());
    sleep(within).await;
    let count = traffic.failures(fixture)?.saturating_sub(before);
    let knocks = Knocks { count, within: counting.elapsed() };
    let complaints = traffic.complaints(fixture)?;
    fixture.room()?.free()?;
    let died = has_died(site)?;
    if died {
        site.crash().await?;
    }
    fixture.receiver().order("delay 10").await?;
    traffic.publish_again(fixture)?;
    let recovery = traffic.recover(fixture, begin).await?;
    let mut verdict = traffic.end(fixture).await?;
    if let Some(told) = told {
        verdict.remark(format!("told after {:.1} s", told.as_secs_f64()));
    }
    if died {
        verdict.remark("the server itself died of it");
    }
    let others = complaints.lines().filter(|line| !line.contains(REFUSAL) && !is_slow(line));
    let others = others.count();
    // Else it was looked for as well, each time for as long as a unit may take.
    if !died {
        verdict.demand_in_time(others == 0, || format!("{others} other answers to a full disk"));
        // What the worker records may find room in pages that are there.
        knocks.judge_most(&mut verdict);
    }
    recovery.judge(&mut verdict);
    Ok(verdict)
}

/// How long it took until somebody was told; nothing, when the server died before it told anybody.
async fn until_told(
    site: &Site,
    traffic: &Traffic,
    fixture: &Fixture,
) -> Outcome<Option<Duration>> {
    let full = Instant::now();
    loop {
        if traffic.complaints(fixture)?.contains(REFUSAL) {
            return Ok(Some(full.elapsed()));
        }
        if has_died(site)? {
            return Ok(None);
        }
        if full.elapsed() > CHILD_DEADLINE {
            return Err("nobody was told that the disk is full".into());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// MariaDB gives up when it cannot even roll back; then whoever looks after it starts it again.
fn has_died(site: &Site) -> Outcome<bool> {
    Ok(site.db != Db::Sqlite && !site.answers()?)
}
