//! A worker stands still for longer than its lease, and wakes up in the belief that nothing happened.

use std::time::Duration;

use tokio::time::sleep;

use super::CHILD_DEADLINE;
use crate::{
    Outcome,
    fixture::Fixture,
    ledger::{now, word},
    verdict::Verdict,
    worker::LEASE,
};

const EVENTS: &str = "40";

pub(super) async fn play(fixture: &mut Fixture) -> Outcome<Verdict> {
    // Longer than it takes to stop somebody, shorter than an attempt may take.
    fixture.receiver().order("delay 1000").await?;
    let name = fixture.new_name("publisher");
    fixture
        .publisher(&name, &[("count", EVENTS), ("batch", EVENTS)])?
        .ends_well(CHILD_DEADLINE)
        .await?;
    let begin = now();
    let mut stalled = fixture.working(&[("concurrency", "8")]).await?;
    super::wait_for(fixture, "receiver", word::RECEIVED, 8, begin).await?;
    let begin = now();
    stalled.signal("STOP")?;
    fixture.receiver().order("delay 0").await?;
    let mut other = fixture.working(&[]).await?;
    sleep(LEASE + Duration::from_secs(2)).await;
    stalled.signal("CONT")?;
    fixture.note("stall", begin, now());
    for worker in [&mut stalled, &mut other] {
        sleep(Duration::from_secs(1)).await;
        worker.signal("TERM")?;
        worker.ends_well(CHILD_DEADLINE).await?;
    }
    fixture.drain().await?;
    let lost = super::leases_lost(fixture, stalled.name())?;
    let mut verdict = fixture.evidence()?.judge();
    verdict.remark(format!("{lost} stale writes refused"));
    verdict.demand_in_time(lost > 0, || "the stalled worker had nothing in its hand".to_owned());
    Ok(verdict)
}
