//! A hundred ordering keys, a receiver that fails at random, four workers of which one dies: each key
//! comes in the order in which it was published.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::sleep;
use webhook_registry::OrderPolicy;

use super::CHILD_DEADLINE;
use crate::{
    Outcome,
    fixture::Fixture,
    ledger::{Line, word},
    options::Options,
    publisher::key_of,
    verdict::Verdict,
};

const WORKERS: usize = 4;
const KEYS: u64 = 100;

/// Of a hundred answers so many are 500.
const FAILING: u64 = 20;

pub(super) async fn play(fixture: &mut Fixture, options: &Options) -> Outcome<Verdict> {
    let count = if options.short { 2_000 } else { 10_000 };
    fixture.receiver().order(&format!("fail {FAILING}")).await?;
    // None is given up, however often it fails.
    let policy = ["50ms"; 50].join(",").parse()?;
    let order = Some(OrderPolicy::Block);
    fixture.edit(|endpoint| endpoint.with_retry(policy).with_order(order)).await?;
    fixture.note("answers 500", 0, u64::MAX);
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(fixture.working(&[("concurrency", "32"), ("never-cools-down", "yes")]).await?);
    }
    let (name, keys, total) = (fixture.new_name("publisher"), KEYS.to_string(), count.to_string());
    let flags =
        [("count", total.as_str()), ("batch", "25"), ("pause-ms", "20"), ("keys", keys.as_str())];
    let mut publisher = fixture.publisher(&name, &flags)?;
    while noted(&fixture.ledger("receiver").unwrap_or_default(), word::RECEIVED).count() < count / 2
    {
        sleep(Duration::from_millis(50)).await;
    }
    if let Some(worker) = workers.first_mut() {
        fixture.kill(worker).await?;
    }
    publisher.ends_well(4 * CHILD_DEADLINE).await?;
    fixture.receiver().order("fail 0").await?;
    for worker in workers.iter_mut().skip(1) {
        worker.signal("TERM")?;
        worker.ends_well(CHILD_DEADLINE).await?;
    }
    fixture.drain().await?;
    let (published, received) = (fixture.ledger(&name)?, fixture.ledger("receiver")?);
    let mut verdict = fixture.evidence()?.judge();
    judge(&published, &received, count, &mut verdict)?;
    Ok(verdict)
}

fn noted<'a>(ledger: &'a [Line], what: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = ledger.iter().filter(move |line| line.word == what);
    // A receipt names the sender as well.
    lines.map(|line| line.subject.split(' ').next().unwrap_or_default())
}

/// The events of each ordering key, in their order, each once for as often as it comes in a row.
fn by_key<'a>(events: impl Iterator<Item = &'a str>) -> Outcome<BTreeMap<u64, Vec<&'a str>>> {
    let mut keys = BTreeMap::<_, Vec<_>>::new();
    for event in events {
        let id = event.parse().map_err(|_| format!("`{event}` is no event"))?;
        let of_key = keys.entry(key_of(id, KEYS)).or_default();
        if of_key.last() != Some(&event) {
            of_key.push(event);
        }
    }
    Ok(keys)
}

fn judge(published: &[Line], received: &[Line], count: usize, verdict: &mut Verdict) -> Outcome {
    let accepted = by_key(noted(published, word::ACCEPTED))?;
    let arrived = by_key(noted(received, word::RECEIVED))?;
    let wrong = accepted.iter().filter(|(key, events)| arrived.get(key) != Some(events)).count();
    let requests = noted(received, word::RECEIVED).count();
    verdict.remark(format!("{} keys in order, {requests} requests", accepted.len() - wrong));
    verdict.demand(wrong == 0, || format!("{wrong} keys out of order, or not whole"));
    verdict.demand(requests > count + count / 10, || "hardly anything has failed".into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use webhook_registry::EventId;

    fn ledger(what: &str, events: &[u64]) -> Vec<Line> {
        let line = |number: &u64| Line {
            at: 0,
            word: what.to_owned(),
            subject: EventId::from_uuid(uuid(*number)).to_string(),
        };
        events.iter().map(line).collect()
    }

    fn uuid(number: u64) -> webhook_registry::database::sea_orm::prelude::Uuid {
        webhook_registry::database::sea_orm::prelude::Uuid::from_u128(number.into())
    }

    #[test]
    fn only_what_comes_in_a_row_may_come_twice() {
        let wrong = |received: &[u64]| {
            let published = ledger(word::ACCEPTED, &[1, 2, 101, 201]);
            let mut verdict = Verdict::default();
            judge(&published, &ledger(word::RECEIVED, received), 0, &mut verdict).unwrap();
            verdict.faults().len()
        };
        assert_eq!(wrong(&[1, 1, 2, 101, 201, 201]), 0);
        assert_eq!(wrong(&[2, 1, 101, 201]), 0, "keys do not wait for each other");
        assert_eq!(wrong(&[1, 101, 1, 2, 201]), 1, "one comes again after the next");
        assert_eq!(wrong(&[1, 201, 101, 2]), 1, "one overtakes another");
        assert_eq!(wrong(&[1, 101, 2]), 1, "one does not come");
    }
}
