//! The database goes without a word and comes back, in the middle of everything.

use std::time::Duration;

use tokio::time::sleep;

use super::CHILD_DEADLINE;
use crate::{
    Outcome,
    asked::{Asked, Db},
    child::Child,
    ground::{Ground, Site},
    ledger::now,
    verdict::Verdict,
    worker::LEASE,
};

const PUBLISHER: [(&str, &str); 3] = [("count", "1000000"), ("batch", "4"), ("pause-ms", "20")];

pub(super) async fn play(site: &Site, ground: &mut Ground, asked: &Asked) -> Outcome<Verdict> {
    ground.receiver().order("delay 20").await?;
    let name = ground.new_name("publisher");
    let mut players = start(ground, &name).await?;
    let times = asked.rounds.min(if asked.short { 1 } else { 5 });
    for _ in 0..times {
        sleep(Duration::from_secs(1)).await;
        if site.db == Db::Sqlite {
            // A file has no server: those who have it open are killed, all at once.
            for player in &mut players {
                ground.kill(player).await?;
            }
            let found = ground.store().check_integrity().await?;
            if found != "ok" {
                return Err(format!("integrity_check: {found}").into());
            }
            players = start(ground, &name).await?;
        } else {
            let before = now();
            site.crash().await?;
            // Whoever could not record in time had its work taken over.
            ground.note("restart", before, now() + millis(LEASE));
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
    ground.publisher(&name, &[])?.ends_well(CHILD_DEADLINE).await?;
    worker.signal("TERM")?;
    worker.ends_well(CHILD_DEADLINE).await?;
    ground.drain().await?;
    let mut verdict = ground.evidence()?.judge();
    verdict.remark(format!("{times} restarts"));
    Ok(verdict)
}

async fn start(ground: &Ground, name: &str) -> Outcome<[Child; 2]> {
    let publisher = ground.publisher(name, &PUBLISHER)?;
    Ok([publisher, ground.working(&[]).await?])
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
