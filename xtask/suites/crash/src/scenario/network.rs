//! The network to the database loses an answer, cuts a connection, turns everybody away, or says
//! nothing any more.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    CHILD_DEADLINE,
    traffic::{Knocks, Traffic},
};
use crate::{
    Outcome,
    fixture::{Fixture, Site},
    ledger::now,
    options::Options,
    relay::Trouble,
    syns::Syns,
    verdict::Verdict,
};

/// How long a store waits for its answer, and how long the network is silent: longer than that.
const SILENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(12));

/// The same, for a check that everybody waits for.
const SHORT_SILENCE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(3));

/// How long the database is away.
const AWAY: Duration = Duration::from_secs(10);

/// Answers are lost, or connections are cut. Whoever says the same again must do no harm: nothing may
/// come twice.
pub(super) async fn interrupted(
    site: &Site,
    fixture: &mut Fixture,
    trouble: Trouble,
    options: &Options,
) -> Outcome<Verdict> {
    let mut traffic = Traffic::start(site, fixture, SILENCE.0).await?;
    let relay = traffic.relay()?;
    relay.make(trouble);
    let begin = Instant::now();
    while relay.hits() < options.rounds {
        if begin.elapsed() > CHILD_DEADLINE {
            return Err(format!("only {} hits within a minute", relay.hits()).into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    let hits = relay.hits();
    let mut verdict = traffic.end(fixture).await?;
    verdict.remark(format!("{hits} times"));
    Ok(verdict)
}

/// A worker alone, whose database is away: somebody else takes its connections and ends them.
pub(super) async fn away(site: &Site, fixture: &mut Fixture) -> Outcome<Verdict> {
    let mut traffic = Traffic::start(site, fixture, SILENCE.0).await?;
    traffic.stop_publishing(fixture).await?;
    let begin = now();
    traffic.relay()?.make(Trouble::Away);
    let knocks = Knocks::count(&traffic, fixture, AWAY).await?;
    traffic.relay()?.make(Trouble::None);
    back(traffic, fixture, begin, &knocks).await
}

/// The same, and nobody takes its connections: each is refused.
pub(super) async fn refused(site: &Site, fixture: &mut Fixture) -> Outcome<Verdict> {
    let mut traffic = Traffic::start(site, fixture, SILENCE.0).await?;
    traffic.stop_publishing(fixture).await?;
    let begin = now();
    let syns = Syns::to(traffic.relay()?.port())?;
    traffic.relay()?.close().await;
    let closed = Instant::now();
    sleep(AWAY).await;
    let knocks = Knocks { count: syns.count(), within: closed.elapsed() };
    let busiest = syns.busiest_second();
    traffic.relay()?.reopen().await?;
    let mut verdict = back(traffic, fixture, begin, &knocks).await?;
    verdict.demand_in_time(busiest <= 2, || format!("{busiest} knocks within one second"));
    Ok(verdict)
}

async fn back(
    mut traffic: Traffic,
    fixture: &Fixture,
    begin: u64,
    knocks: &Knocks,
) -> Outcome<Verdict> {
    traffic.publish_again(fixture)?;
    let recovery = traffic.recover(fixture, begin).await?;
    let mut verdict = traffic.end(fixture).await?;
    knocks.judge(&mut verdict);
    recovery.judge(&mut verdict);
    Ok(verdict)
}

/// Nothing comes through for a while, and never again on connections that stood before.
pub(super) async fn silent(
    site: &Site,
    fixture: &mut Fixture,
    trouble: Trouble,
    options: &Options,
) -> Outcome<Verdict> {
    let (limit, silence) = if options.short { SHORT_SILENCE } else { SILENCE };
    let mut traffic = Traffic::start(site, fixture, limit).await?;
    let begin = now();
    traffic.relay()?.make(trouble);
    sleep(silence).await;
    traffic.relay()?.speak();
    let recovery = traffic.recover(fixture, begin).await?;
    let mut verdict = traffic.end(fixture).await?;
    recovery.judge(&mut verdict);
    Ok(verdict)
}
