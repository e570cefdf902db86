//! A worker stands still for longer than its lease, and wakes up in the belief that nothing happened.

use std::time::Duration;

use tokio::time::sleep;

use super::CHILD_DEADLINE;
use crate::{
    Outcome,
    ground::Ground,
    ledger::{now, word},
    verdict::Verdict,
    worker::LEASE,
};

const EVENTS: &str = "40";

pub(super) async fn play(ground: &mut Ground) -> Outcome<Verdict> {
    // Longer than it takes to stop somebody, shorter than an attempt may take.
    ground.receiver().order("delay 1000").await?;
    let name = ground.new_name("publisher");
    ground
        .publisher(&name, &[("count", EVENTS), ("batch", EVENTS)])?
        .ends_well(CHILD_DEADLINE)
        .await?;
    let begin = now();
    let mut stalled = ground.working(&[("concurrency", "8")]).await?;
    super::wait_for(ground, "receiver", word::RECEIVED, 8, begin).await?;
    let begin = now();
    stalled.signal("STOP")?;
    ground.receiver().order("delay 0").await?;
    let mut other = ground.working(&[]).await?;
    sleep(LEASE + Duration::from_secs(2)).await;
    stalled.signal("CONT")?;
    ground.note("stall", begin, now());
    for worker in [&mut stalled, &mut other] {
        sleep(Duration::from_secs(1)).await;
        worker.signal("TERM")?;
        worker.ends_well(CHILD_DEADLINE).await?;
    }
    ground.drain().await?;
    let lost = super::leases_lost(ground, stalled.name())?;
    let mut verdict = ground.evidence()?.judge();
    verdict.remark(format!("{lost} stale writes refused"));
    verdict.demand(lost > 0, || "the stalled worker had nothing in its hand".to_owned());
    Ok(verdict)
}
