//! The network to the database loses an answer, cuts a connection, or says nothing any more.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{SOON, wait_for};
use crate::{
    Outcome,
    asked::Asked,
    child::Child,
    ground::{Ground, Site},
    ledger::{now, word},
    relay::{Relay, Trouble},
    verdict::Verdict,
    worker::LEASE,
};

/// How long after a silence everything has to be at work again.
const RECOVERY: Duration = Duration::from_secs(15);

/// How long a store waits for its answer, and how long the network is silent: longer than that.
const SILENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(12));

/// The same, for a check that everybody waits for.
const SHORT_SILENCE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(3));

/// Never ending, and not too fast.
const PACE: [(&str, &str); 3] = [("count", "1000000"), ("batch", "4"), ("pause-ms", "20")];

/// How long the database is away, and how often a worker may look for it meanwhile: twice a second.
const AWAY: Duration = Duration::from_secs(10);
const KNOCKS: usize = 20;

/// A publisher and a worker whose way to the database is the relay.
struct Traffic {
    relay: Relay,
    way: Vec<(&'static str, String)>,
    name: String,
    publisher: Child,
    worker: Child,
}

impl Traffic {
    async fn start(site: &Site, ground: &mut Ground, limit: Duration) -> Outcome<Self> {
        ground.receiver().order("delay 10").await?;
        let relay = Relay::to(site.port()?).await?;
        let url = ground.url_at(site.port()?, relay.port());
        let name = ground.new_name("publisher");
        let way = vec![("url", url), ("unit-limit-ms", limit.as_millis().to_string())];
        let publisher = ground.publisher(&name, &[&lent(&way)[..], &PACE[..]].concat())?;
        let worker = ground.working(&lent(&way)).await?;
        let traffic = Self { relay, way, name, publisher, worker };
        traffic.wait_for_progress(ground, 0).await?;
        Ok(traffic)
    }

    /// Waits until something was accepted and something received after `begin`; how long after.
    async fn wait_for_progress(&self, ground: &Ground, begin: u64) -> Outcome<u64> {
        let accepted = wait_for(ground, &self.name, word::ACCEPTED, 1, begin).await?;
        let received = wait_for(ground, "receiver", word::RECEIVED, 1, begin).await?;
        Ok(accepted.max(received).saturating_sub(begin))
    }

    /// Ends as one ends whose network is well again, and judges.
    async fn end(mut self, ground: &Ground) -> Outcome<Verdict> {
        self.relay.make(Trouble::None);
        self.publisher.kill().await?;
        ground.publisher(&self.name, &lent(&self.way))?.ends_well(SOON).await?;
        self.worker.signal("TERM")?;
        self.worker.ends_well(SOON).await?;
        ground.drain().await?;
        let mut verdict = ground.evidence()?.judge();
        verdict.remark(format!("{} times", self.relay.hits()));
        Ok(verdict)
    }
}

fn lent<'a>(flags: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    flags.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// Answers are lost, or connections are cut. Whoever says the same again must do no harm: nothing may
/// come twice.
pub(super) async fn interrupted(
    site: &Site,
    ground: &mut Ground,
    trouble: Trouble,
    asked: &Asked,
) -> Outcome<Verdict> {
    let traffic = Traffic::start(site, ground, SILENCE.0).await?;
    traffic.relay.make(trouble);
    let begin = Instant::now();
    while traffic.relay.hits() < asked.rounds {
        if begin.elapsed() > SOON {
            return Err(format!("only {} hits within a minute", traffic.relay.hits()).into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    traffic.end(ground).await
}

/// A worker alone, whose database is away. Each knock is counted.
pub(super) async fn away(site: &Site, ground: &mut Ground) -> Outcome<Verdict> {
    let mut traffic = Traffic::start(site, ground, SILENCE.0).await?;
    ground.kill(&mut traffic.publisher).await?;
    traffic.relay.make(Trouble::Away);
    let before = traffic.relay.hits();
    sleep(AWAY).await;
    let knocks = traffic.relay.hits() - before;
    traffic.relay.make(Trouble::None);
    let end = now();
    let flags = [&lent(&traffic.way)[..], &PACE].concat();
    traffic.publisher = ground.publisher(&traffic.name, &flags)?;
    let recovery = traffic.wait_for_progress(ground, end).await?;
    // Whoever could not record in time had its work taken over.
    ground.note("away", end.saturating_sub(20_000), now() + 5_000);
    let mut verdict = traffic.end(ground).await?;
    verdict.remark(format!("{knocks} knocks within {AWAY:?}"));
    verdict.remark(format!("at work again after {:.1} s", recovery as f64 / 1000.0));
    verdict.demand((1..=KNOCKS).contains(&knocks), || format!("{knocks} knocks within {AWAY:?}"));
    verdict.demand(u128::from(recovery) <= RECOVERY.as_millis(), || {
        format!("at work again after {recovery} ms, later than {RECOVERY:?}")
    });
    Ok(verdict)
}

/// Nothing comes through for a while, and never again on connections that stood before.
pub(super) async fn silent(
    site: &Site,
    ground: &mut Ground,
    trouble: Trouble,
    asked: &Asked,
) -> Outcome<Verdict> {
    let (limit, silence) = if asked.short { SHORT_SILENCE } else { SILENCE };
    let traffic = Traffic::start(site, ground, limit).await?;
    let begin = now();
    traffic.relay.make(trouble);
    sleep(silence).await;
    let end = now();
    traffic.relay.speak();
    let recovery = traffic.wait_for_progress(ground, end).await;
    // Whoever could not record in time had its work taken over.
    let lease = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
    ground.note("silence", begin, now() + lease);
    let mut verdict = traffic.end(ground).await?;
    let recovery = recovery?;
    verdict.remark(format!("at work again {:.1} s after the silence", recovery as f64 / 1000.0));
    verdict.demand(u128::from(recovery) <= RECOVERY.as_millis(), || {
        format!("at work again {recovery} ms after the silence, later than {RECOVERY:?}")
    });
    Ok(verdict)
}
