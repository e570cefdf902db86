//! Four workers share the rate limit of an endpoint: no more than one would send, and hardly less.

use std::time::Duration;

use tokio::time::sleep;
use webhook_registry::RateLimit;

use super::{CHILD_DEADLINE, wait_for};
use crate::{
    Outcome,
    fixture::Fixture,
    ledger::{now, word},
    options::Options,
    verdict::Verdict,
};

const WORKERS: usize = 4;
const PER_SECOND: u32 = 10;
const BURST: u32 = 20;

/// How far from the rate the receipts may be, in parts of a hundred.
const OFF: u64 = 5;

/// How soon the burst has to be there.
const AT_ONCE: u64 = 1_500;

pub(super) async fn play(fixture: &mut Fixture, options: &Options) -> Outcome<Verdict> {
    let seconds = if options.short { 15 } else { 60 };
    let limit = RateLimit::new(PER_SECOND, BURST)?;
    fixture.edit(|endpoint| endpoint.with_rate(Some(limit))).await?;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(fixture.working(&[]).await?);
    }
    let begin = now();
    let by_rate = u64::from(PER_SECOND) * seconds;
    let count = (by_rate + 2 * u64::from(BURST)).to_string();
    let flags = [("count", count.as_str()), ("batch", "100")];
    let name = fixture.new_name("publisher");
    fixture.publisher(&name, &flags)?.ends_well(CHILD_DEADLINE).await?;
    let first = wait_for(fixture, "receiver", word::RECEIVED, 1, begin).await?;
    let burst = wait_for(fixture, "receiver", word::RECEIVED, BURST as usize, begin).await?;
    let end = first + 1_000 * seconds;
    sleep(Duration::from_millis(end.saturating_sub(now()) + 500)).await;
    let lines = fixture.ledger("receiver")?;
    let received = lines.iter().filter(|line| line.word == word::RECEIVED && line.at < end);
    let received = u64::try_from(received.count())?;
    fixture.edit(|endpoint| endpoint.with_rate(None)).await?;
    fixture.drain().await?;
    let mut verdict = fixture.evidence()?.judge();
    let after_burst = received.saturating_sub(u64::from(BURST));
    verdict
        .remark(format!("{after_burst} within {seconds} s after a burst of {BURST}, of {by_rate}"));
    verdict.remark(format!("the burst within {} ms", burst.saturating_sub(first)));
    let off = by_rate.abs_diff(after_burst);
    verdict.demand_in_time(100 * off <= OFF * by_rate, || format!("{off} off the rate"));
    verdict.demand_in_time(burst.saturating_sub(first) <= AT_ONCE, || "the burst came late".into());
    Ok(verdict)
}
