//! The database goes without a word and comes back, in the middle of everything.

use std::time::Duration;

use tokio::time::sleep;

use super::CHILD_DEADLINE;
use crate::{
    Outcome,
    child::Child,
    fixture::{Fixture, Site},
    ledger::now,
    options::{Db, Options},
    verdict::Verdict,
    worker::LEASE,
};

const PUBLISHER: [(&str, &str); 3] = [("count", "1000000"), ("batch", "4"), ("pause-ms", "20")];

pub(super) async fn play(
    site: &Site,
    fixture: &mut Fixture,
    options: &Options,
) -> Outcome<Verdict> {
    fixture.receiver().order("delay 20").await?;
    let name = fixture.new_name("publisher");
    let mut players = start(fixture, &name).await?;
    let times = options.rounds.min(if options.short { 1 } else { 5 });
    for _ in 0..times {
        sleep(Duration::from_secs(1)).await;
        if site.db == Db::Sqlite {
            // A file has no server: those who have it open are killed, all at once.
            for player in &mut players {
                fixture.kill(player).await?;
            }
            let found = fixture.store().check_integrity().await?;
            if found != "ok" {
                return Err(format!("integrity_check: {found}").into());
            }
            players = start(fixture, &name).await?;
        } else {
            let before = now();
            site.crash().await?;
            // Whoever could not record in time had its work taken over.
            fixture.note("restart", before, now() + millis(LEASE));
            for player in &mut players {
                if !player.lives()? {
                    return Err(format!("{} did not outlive a restart", player.name()).into());
                }
            }
        }
    }
    sleep(Duration::from_secs(1)).await;
    let [publisher, worker] = &mut players;
    publisher.kill().await?;
    fixture.publisher(&name, &[])?.ends_well(CHILD_DEADLINE).await?;
    worker.signal("TERM")?;
    worker.ends_well(CHILD_DEADLINE).await?;
    fixture.drain().await?;
    let mut verdict = fixture.evidence()?.judge();
    verdict.remark(format!("{times} restarts"));
    Ok(verdict)
}

async fn start(fixture: &Fixture, name: &str) -> Outcome<[Child; 2]> {
    let publisher = fixture.publisher(name, &PUBLISHER)?;
    Ok([publisher, fixture.working(&[]).await?])
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
