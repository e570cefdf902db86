//! `kill -9` of workers whose every delivery is given up: each is told once, and nothing else is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::sleep;
use webhook_registry::{DeliveryId, DeliveryStatus, NoticeKind, store::DeliveryLog as _};

use super::{CHILD_DEADLINE, Rng, wait_for};
use crate::{Outcome, fixture::Fixture, ledger::word, options::Options, verdict::Verdict};

const PUBLISHER: [(&str, &str); 3] = [("count", "1000000"), ("batch", "4"), ("pause-ms", "20")];

/// Number of events before the first worker is killed.
const MIN_EVENTS: usize = 8;

/// However often it fails, it is tried.
const WORKER: [(&str, &str); 2] = [("concurrency", "8"), ("never-cools-down", "yes")];

/// Notices that were read, and the number of repetitions.
#[derive(Default)]
struct ReadNotices {
    given_up: BTreeMap<DeliveryId, usize>,
    others: Vec<&'static str>,
    acknowledged: BTreeSet<String>,
    again: usize,
}

pub(super) async fn play(fixture: &mut Fixture, options: &Options) -> Outcome<Verdict> {
    fixture.receiver().order("answer 500").await?;
    let policy = "10ms,10ms,10ms,10ms jitter 0%".parse()?;
    fixture.edit(|endpoint| endpoint.with_retry(policy)).await?;
    // Each comes several times, since each is tried several times.
    fixture.note("answers 500", 0, u64::MAX);
    let name = fixture.new_name("publisher");
    let mut publisher = fixture.publisher(&name, &PUBLISHER)?;
    // Enough failures for the endpoint to be reported as well.
    wait_for(fixture, &name, word::ACCEPTED, MIN_EVENTS, 0).await?;
    let mut workers = [fixture.working(&WORKER).await?, fixture.working(&WORKER).await?];
    let (mut rng, mut notices) = (Rng::new(), ReadNotices::default());
    for round in 0..options.rounds {
        sleep(Duration::from_millis(200 + rng.up_to(600))).await;
        notices.read(fixture).await?;
        if let Some(worker) = workers.get_mut(round % 2) {
            fixture.kill(worker).await?;
            *worker = fixture.working(&WORKER).await?;
        }
    }
    fixture.kill(&mut publisher).await?;
    fixture.publisher(&name, &[])?.ends_well(CHILD_DEADLINE).await?;
    for worker in &mut workers {
        fixture.kill(worker).await?;
    }
    let rest = [("until-idle", "yes"), ("never-cools-down", "yes")];
    fixture.working(&rest).await?.ends_well(4 * CHILD_DEADLINE).await?;
    notices.read(fixture).await?;
    let mut verdict = fixture.evidence()?.judge();
    notices.judge(fixture, &name, &mut verdict).await?;
    Ok(verdict)
}

impl ReadNotices {
    /// Reads all notices and acknowledges them.
    async fn read(&mut self, fixture: &Fixture) -> Outcome {
        let notices = fixture.webhooks().notices();
        loop {
            let page = notices.read(50).await?;
            if page.is_empty() {
                return Ok(());
            }
            for notice in &page {
                self.again += usize::from(!self.acknowledged.insert(notice.id.to_string()));
                match &notice.kind {
                    NoticeKind::DeliveryExhausted { delivery, .. } => {
                        *self.given_up.entry(*delivery).or_default() += 1;
                    }
                    other => self.others.push(other.name()),
                }
            }
            notices.acknowledge(page.into_iter().map(|notice| notice.id)).await?;
        }
    }

    async fn judge(self, fixture: &Fixture, publisher: &str, verdict: &mut Verdict) -> Outcome {
        let lines = fixture.ledger(publisher)?;
        let accepted: BTreeSet<_> =
            lines.iter().filter(|it| it.word == word::ACCEPTED).map(|it| &*it.subject).collect();
        let told: BTreeSet<_> = self.given_up.keys().map(|id| id.event.to_string()).collect();
        let untold = accepted.iter().filter(|event| !told.contains(**event)).count();
        let twice = self.given_up.values().filter(|count| **count > 1).count();
        let mut without_cause = 0;
        for id in self.given_up.keys() {
            let delivery = fixture.store().delivery(*id).await?;
            without_cause +=
                usize::from(delivery.is_none_or(|it| it.status != DeliveryStatus::Failed));
        }
        verdict.remark(format!("{} given up and told", told.len()));
        verdict.demand_in_time(!told.is_empty(), || "nothing was given up".into());
        verdict.demand(untold == 0, || format!("{untold} given up and not told"));
        verdict.demand(twice == 0, || format!("{twice} told twice"));
        verdict.demand(self.again == 0, || {
            format!("{} read after they were acknowledged", self.again)
        });
        verdict.demand(without_cause == 0, || format!("{without_cause} told and not given up"));
        verdict.demand(self.others == ["endpoint_failing"], || format!("told: {:?}", self.others));
        Ok(())
    }
}
