//! Four workers on one server; half-way one is killed and one stands still beyond its lease.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{Instant, sleep};
use webhook_registry::{
    DeliveryId, FailureKind, Timestamp,
    store::{DeliveryLog as _, DeliveryQuery},
};

use super::CHILD_DEADLINE;
use crate::{
    Outcome,
    child::Child,
    fixture::Fixture,
    ledger::{now, word},
    options::Options,
    verdict::Verdict,
    worker::LEASE,
};

const WORKERS: usize = 4;

/// What each has in hand at most.
const EACH: usize = 32;

/// How long the receiver takes for its answer.
const ANSWER: Duration = Duration::from_millis(50);

/// How long it takes when everybody shall have something in hand: the slowest attempt in flight.
const SLOW_ANSWER: Duration = Duration::from_millis(600);

/// How much longer than its lease a delivery may wait for another worker.
const LATE: Duration = Duration::from_secs(1);

/// How much longer than its slowest attempt a worker may take to stop: it has to record it.
const STOPPING: Duration = Duration::from_secs(1);

pub(super) async fn play(fixture: &mut Fixture, options: &Options) -> Outcome<Verdict> {
    let (count, batch) = if options.short { (1_600, "16") } else { (20_000, "25") };
    answer_after(fixture, ANSWER).await?;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(fixture.working(&[("concurrency", &EACH.to_string())]).await?);
    }
    let name = fixture.new_name("publisher");
    let total = count.to_string();
    let flags = [("count", total.as_str()), ("batch", batch), ("pause-ms", "50")];
    let mut publisher = fixture.publisher(&name, &flags)?;
    while accepted(fixture, &name) < count / 2 {
        sleep(Duration::from_millis(50)).await;
    }
    let [killed, stalled, others @ ..] = workers.as_mut_slice() else { return Err("four".into()) };
    everybody_busy(fixture).await?;
    let begin = now();
    killed.kill().await?;
    stalled.signal("STOP")?;
    answer_after(fixture, ANSWER).await?;
    sleep(LEASE + LATE + LATE).await;
    stalled.signal("CONT")?;
    fixture.note("kill -9 or stall", begin, now());
    publisher.ends_well(4 * CHILD_DEADLINE).await?;
    everybody_busy(fixture).await?;
    let mut slowest = Duration::ZERO;
    for worker in std::iter::once(&mut *stalled).chain(others.iter_mut()) {
        slowest = slowest.max(stop(worker).await?);
    }
    answer_after(fixture, Duration::ZERO).await?;
    let rest = fixture.drain().await?;
    let lost = super::leases_lost(fixture, stalled.name())?;
    let told = leases_lost_in_log(fixture, stalled.name())?;
    // A busy machine may take leases from the others as well.
    let mut all = lost + leases_lost_in_log(fixture, killed.name())?;
    for worker in others {
        all += super::leases_lost(fixture, worker.name())?;
    }
    all += super::leases_lost(fixture, &rest)?;
    let counted = fixture.leases_lost().await?;
    let waited = longest_wait(fixture).await?;
    let mut verdict = fixture.evidence()?.judge();
    verdict.remark(format!("{lost} stale writes refused"));
    verdict.remark(format!("taken over after {waited:?}"));
    verdict.remark(format!("stopped within {slowest:?}"));
    verdict.demand_in_time(lost > 0, || "the stalled worker had nothing in its hand".into());
    verdict.demand(lost == told, || format!("{lost} leases lost, {told} in the log"));
    verdict.demand(all == counted, || format!("{all} leases lost, {counted} in the store"));
    verdict.demand_in_time(waited > Duration::ZERO, || "nothing was taken over".into());
    verdict.demand_in_time(waited <= LEASE + LATE, || format!("a take-over took {waited:?}"));
    verdict.demand_in_time(slowest <= SLOW_ANSWER + STOPPING, || {
        format!("a worker stopped after {slowest:?}")
    });
    Ok(verdict)
}

/// Publishes more than all workers can have in hand, of which nothing comes back for a while.
async fn everybody_busy(fixture: &mut Fixture) -> Outcome {
    answer_after(fixture, SLOW_ANSWER).await?;
    let name = fixture.new_name("publisher");
    let burst = [("count", "400"), ("batch", "100")];
    let begin = now();
    fixture.publisher(&name, &burst)?.ends_well(CHILD_DEADLINE).await?;
    super::wait_for(fixture, "receiver", word::RECEIVED, WORKERS * EACH, begin).await?;
    Ok(())
}

async fn answer_after(fixture: &mut Fixture, time: Duration) -> Outcome {
    fixture.receiver().order(&format!("delay {}", time.as_millis())).await
}

fn accepted(fixture: &Fixture, publisher: &str) -> usize {
    let lines = fixture.ledger(publisher).unwrap_or_default();
    lines.iter().filter(|line| line.word == word::ACCEPTED).count()
}

/// The leases that a worker has lost, by its log: a killed worker leaves no report.
fn leases_lost_in_log(fixture: &Fixture, worker: &str) -> Outcome<u64> {
    Ok(u64::try_from(fixture.log(worker)?.matches("lease lost").count())?)
}

/// Asks a worker to end, and answers how long it took.
async fn stop(worker: &mut Child) -> Outcome<Duration> {
    let begin = Instant::now();
    worker.signal("TERM")?;
    worker.ends_well(CHILD_DEADLINE).await?;
    Ok(begin.elapsed())
}

/// The longest time from a claim whose attempt was lost to the attempt after it.
async fn longest_wait(fixture: &Fixture) -> Outcome<Duration> {
    let mut longest = Duration::ZERO;
    for id in tried_again(fixture).await? {
        let attempts = fixture.store().attempts(id).await?;
        let pairs = attempts.iter().zip(attempts.iter().skip(1));
        let lost = pairs.filter(|(first, _)| {
            first.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Unknown)
        });
        let waits = lost.map(|(first, next)| between(first.started_at, next.started_at));
        longest = waits.fold(longest, Duration::max);
    }
    Ok(longest)
}

fn between(begin: Timestamp, end: Timestamp) -> Duration {
    let millis = end.as_unix_millis().saturating_sub(begin.as_unix_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

/// Deliveries with more than one attempt.
async fn tried_again(fixture: &Fixture) -> Outcome<BTreeSet<DeliveryId>> {
    let mut found = BTreeSet::new();
    let mut query = DeliveryQuery::new().limit(DeliveryQuery::MAX_LIMIT);
    loop {
        let page = fixture.store().deliveries(query.clone()).await?;
        found.extend(page.items.iter().filter(|it| it.attempts > 1).map(|it| it.id));
        match page.next {
            Some(next) => query = query.after(next),
            None => return Ok(found),
        }
    }
}
