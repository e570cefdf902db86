//! A publisher and a worker at work, whose way to the database is a relay where there is a network.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{CHILD_DEADLINE, wait_for};
use crate::{
    Outcome,
    child::Child,
    fixture::{Fixture, Site},
    ledger::{now, word},
    options::Db,
    relay::{Relay, Trouble},
    verdict::Verdict,
    worker::LEASE,
};

/// How long after a trouble everything has to be at work again.
const RECOVERY: Duration = Duration::from_secs(15);

/// Never ending, and not too fast.
const PACE: [(&str, &str); 3] = [("count", "1000000"), ("batch", "4"), ("pause-ms", "20")];

pub(super) struct Traffic {
    relay: Option<Relay>,
    way: Vec<(&'static str, String)>,
    name: String,
    pub(super) publisher: Child,
    pub(super) worker: Child,
}

impl Traffic {
    /// On their way to where the database is, with units of this limit.
    pub(super) async fn start(
        site: &Site,
        fixture: &mut Fixture,
        limit: Duration,
    ) -> Outcome<Self> {
        let url = fixture.url().to_owned();
        Self::start_at(site, fixture, &url, limit).await
    }

    /// The same, on their way to `url`.
    pub(super) async fn start_at(
        site: &Site,
        fixture: &mut Fixture,
        url: &str,
        limit: Duration,
    ) -> Outcome<Self> {
        fixture.receiver().order("delay 10").await?;
        let (relay, url) = if site.db == Db::Sqlite {
            (None, url.to_owned())
        } else {
            let relay = Relay::to(site.port()?).await?;
            let url = url.replace(&format!(":{}/", site.port()?), &format!(":{}/", relay.port()));
            (Some(relay), url)
        };
        let name = fixture.new_name("publisher");
        let way = vec![("url", url), ("unit-limit-ms", limit.as_millis().to_string())];
        let publisher = fixture.publisher(&name, &[&lent(&way)[..], &PACE[..]].concat())?;
        let worker = fixture.working(&lent(&way)).await?;
        let traffic = Self { relay, way, name, publisher, worker };
        traffic.wait_for_progress(fixture, 0).await?;
        Ok(traffic)
    }

    pub(super) fn relay(&mut self) -> Outcome<&mut Relay> {
        self.relay.as_mut().ok_or_else(|| "a file has no network".into())
    }

    /// What the publisher has said about what went wrong.
    pub(super) fn complaints(&self, fixture: &Fixture) -> Outcome<String> {
        fixture.log(&self.name)
    }

    /// The events accepted since then.
    pub(super) fn accepted_since(&self, fixture: &Fixture, begin: u64) -> Outcome<usize> {
        let lines = fixture.ledger(&self.name)?;
        Ok(lines.iter().filter(|line| line.word == word::ACCEPTED && line.at > begin).count())
    }

    /// How often the worker has asked the database for something: where there is no network, how often
    /// in vain.
    pub(super) fn knocks(&self, fixture: &Fixture) -> Outcome<usize> {
        match &self.relay {
            Some(relay) => Ok(relay.knocks()),
            None => self.failures(fixture),
        }
    }

    /// How often it did so in vain.
    pub(super) fn failures(&self, fixture: &Fixture) -> Outcome<usize> {
        Ok(fixture.log(self.worker.name())?.matches("the store failed").count())
    }

    /// Waits until something was accepted and something received after `begin`; how long after.
    pub(super) async fn wait_for_progress(&self, fixture: &Fixture, begin: u64) -> Outcome<u64> {
        let accepted = wait_for(fixture, &self.name, word::ACCEPTED, 1, begin).await?;
        let received = wait_for(fixture, "receiver", word::RECEIVED, 1, begin).await?;
        Ok(accepted.max(received).saturating_sub(begin))
    }

    /// Leaves the worker alone.
    pub(super) async fn stop_publishing(&mut self, fixture: &Fixture) -> Outcome {
        fixture.kill(&mut self.publisher).await
    }

    /// The publisher goes on where it ended.
    pub(super) fn publish_again(&mut self, fixture: &Fixture) -> Outcome {
        let flags = [&lent(&self.way)[..], &PACE].concat();
        self.publisher = fixture.publisher(&self.name, &flags)?;
        Ok(())
    }

    /// A trouble that began at `begin` is over: both come back by themselves, and soon.
    pub(super) async fn recover(&mut self, fixture: &Fixture, begin: u64) -> Outcome<Recovery> {
        let end = now();
        for child in [&mut self.publisher, &mut self.worker] {
            if !child.lives()? {
                return Err(format!("{} has ended", child.name()).into());
            }
        }
        let took = self.wait_for_progress(fixture, end).await;
        // Whoever could not record in time had its work taken over.
        let lease = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
        fixture.note("trouble", begin.saturating_sub(lease), now() + lease);
        Ok(Recovery(Duration::from_millis(took?)))
    }

    /// Ends as one ends whose network is well again, and judges.
    pub(super) async fn end(mut self, fixture: &Fixture) -> Outcome<Verdict> {
        if let Some(relay) = &self.relay {
            relay.make(Trouble::None);
        }
        self.publisher.kill().await?;
        fixture.publisher(&self.name, &lent(&self.way))?.ends_well(CHILD_DEADLINE).await?;
        self.worker.signal("TERM")?;
        self.worker.ends_well(CHILD_DEADLINE).await?;
        fixture.drain().await?;
        Ok(fixture.evidence()?.judge())
    }
}

fn lent<'a>(flags: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    flags.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// How long after the end of a trouble work went on.
pub(super) struct Recovery(Duration);

impl Recovery {
    pub(super) fn judge(&self, verdict: &mut Verdict) {
        verdict.remark(format!("at work again after {:.1} s", self.0.as_secs_f64()));
        verdict.demand_in_time(self.0 <= RECOVERY, || {
            format!("at work again after {:?}, later than {RECOVERY:?}", self.0)
        });
    }
}

/// What a worker alone asks of a database that does not serve it: at most twice a second, on average.
pub(super) struct Knocks {
    pub(super) count: usize,
    pub(super) within: Duration,
}

impl Knocks {
    /// Counts them for so long.
    pub(super) async fn count(
        traffic: &Traffic,
        fixture: &Fixture,
        within: Duration,
    ) -> Outcome<Self> {
        let (before, begin) = (traffic.knocks(fixture)?, Instant::now());
        sleep(within).await;
        let count = traffic.knocks(fixture)?.saturating_sub(before);
        // A busy machine wakes nobody on time.
        Ok(Self { count, within: begin.elapsed() })
    }

    pub(super) fn judge(&self, verdict: &mut Verdict) {
        self.judge_most(verdict);
        verdict.demand_in_time(self.count > 0, || "the worker asked for nothing".to_owned());
    }

    /// Demands no knock at all, because the database may still serve what the worker asks for.
    pub(super) fn judge_most(&self, verdict: &mut Verdict) {
        let Self { count, within } = self;
        let seconds = within.as_secs_f64();
        verdict.remark(format!("{count} knocks within {seconds:.1} s"));
        let most = 2.0 * seconds;
        verdict.demand_in_time(*count as f64 <= most, || {
            format!("{count} knocks within {seconds:.1} s, more than {most:.0}")
        });
    }
}
