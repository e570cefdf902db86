//! `kill -9` of workers whose every delivery is given up: each is told once, and nothing else is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::sleep;
use webhook_registry::{DeliveryId, DeliveryLog as _, DeliveryStatus, NoticeKind};

use super::{CHILD_DEADLINE, Dice};
use crate::{Outcome, asked::Asked, ground::Ground, ledger::word, verdict::Verdict};

const PUBLISHER: [(&str, &str); 3] = [("count", "1000000"), ("batch", "4"), ("pause-ms", "20")];

/// However often it fails, it is tried.
const WORKER: [(&str, &str); 2] = [("concurrency", "8"), ("never-rests", "yes")];

/// What was read, and how often.
#[derive(Default)]
struct Told {
    given_up: BTreeMap<DeliveryId, usize>,
    others: Vec<&'static str>,
    acknowledged: BTreeSet<String>,
    again: usize,
}

pub(super) async fn play(ground: &mut Ground, asked: &Asked) -> Outcome<Verdict> {
    ground.receiver().order("answer 500").await?;
    let policy = "10ms,10ms,10ms,10ms jitter 0%".parse()?;
    ground.edit(|endpoint| endpoint.with_retry(policy)).await?;
    // Each comes several times, since each is tried several times.
    ground.note("answers 500", 0, u64::MAX);
    let name = ground.new_name("publisher");
    let mut publisher = ground.publisher(&name, &PUBLISHER)?;
    let mut workers = [ground.working(&WORKER).await?, ground.working(&WORKER).await?];
    let (mut dice, mut told) = (Dice::new(), Told::default());
    for round in 0..asked.rounds {
        sleep(Duration::from_millis(200 + dice.up_to(600))).await;
        told.read(ground).await?;
        if let Some(worker) = workers.get_mut(round % 2) {
            ground.kill(worker).await?;
            *worker = ground.working(&WORKER).await?;
        }
    }
    ground.kill(&mut publisher).await?;
    ground.publisher(&name, &[])?.ends_well(CHILD_DEADLINE).await?;
    for worker in &mut workers {
        ground.kill(worker).await?;
    }
    let rest = [("until-idle", "yes"), ("never-rests", "yes")];
    ground.working(&rest).await?.ends_well(4 * CHILD_DEADLINE).await?;
    told.read(ground).await?;
    let mut verdict = ground.evidence()?.judge();
    told.judge(ground, &name, &mut verdict).await?;
    Ok(verdict)
}

impl Told {
    /// Reads what there is, and acknowledges it.
    async fn read(&mut self, ground: &Ground) -> Outcome {
        let notices = ground.webhooks().notices();
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

    async fn judge(self, ground: &Ground, publisher: &str, verdict: &mut Verdict) -> Outcome {
        let lines = ground.ledger(publisher)?;
        let accepted: BTreeSet<_> =
            lines.iter().filter(|it| it.word == word::ACCEPTED).map(|it| &*it.subject).collect();
        let told: BTreeSet<_> = self.given_up.keys().map(|id| id.event.to_string()).collect();
        let untold = accepted.iter().filter(|event| !told.contains(**event)).count();
        let twice = self.given_up.values().filter(|count| **count > 1).count();
        let mut without_cause = 0;
        for id in self.given_up.keys() {
            let delivery = ground.store().delivery(*id).await?;
            without_cause +=
                usize::from(delivery.is_none_or(|it| it.status != DeliveryStatus::Failed));
        }
        verdict.remark(format!("{} given up and told", told.len()));
        verdict.demand(!told.is_empty(), || "nothing was given up".into());
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
