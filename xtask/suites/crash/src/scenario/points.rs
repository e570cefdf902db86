//! Each named point: many deaths first, then one long wait for the leases, and the rest is delivered.

use crate::{
    Outcome,
    fixture::Fixture,
    options::Options,
    point::{Point, Victim},
    verdict::Verdict,
};

/// Large enough that a receiver sees the middle of it.
const BODY: &str = "65536";

pub(super) async fn play(fixture: &mut Fixture, options: &Options) -> Outcome<Verdict> {
    let of_workers = Point::ALL.iter().filter(|point| point.victim() != Victim::Publisher).count();
    let count = (of_workers * options.rounds).to_string();
    let name = fixture.new_name("publisher");
    let flags = [("count", count.as_str()), ("batch", "50"), ("body", BODY)];
    fixture.publisher(&name, &flags)?.ends_well(super::CHILD_DEADLINE).await?;
    for _ in 0..options.rounds {
        for point in Point::ALL {
            match point.victim() {
                Victim::Publisher => publisher_dies(fixture, point).await?,
                Victim::Worker | Victim::WorkerByReceiver => worker_dies(fixture, point).await?,
            }
        }
    }
    fixture.drain().await?;
    let mut verdict = fixture.evidence()?.judge();
    verdict.demand_hits(options.rounds);
    Ok(verdict)
}

/// A publisher that dies with an event in its hand. What was committed is said again afterwards; what
/// was not is never said again, so that it must not come.
async fn publisher_dies(fixture: &Fixture, point: Point) -> Outcome {
    let name = fixture.new_name("publisher");
    let flags = [("count", "1"), ("body", BODY), ("crash", point.name())];
    let status = fixture.publisher(&name, &flags)?.ended().await?;
    if status.success() {
        return Err(format!("a publisher has outlived {point}").into());
    }
    if point == Point::AfterEnqueueCommit {
        fixture.publisher(&name, &[("body", BODY)])?.ends_well(super::CHILD_DEADLINE).await?;
    }
    Ok(())
}

/// A worker that dies with one delivery in its hand.
async fn worker_dies(fixture: &mut Fixture, point: Point) -> Outcome {
    let mut flags = vec![("concurrency", "1")];
    if point.victim() == Victim::Worker {
        flags.push(("crash", point.name()));
    }
    let mut worker = fixture.worker(&flags).await?;
    if point.victim() == Victim::WorkerByReceiver {
        fixture.receiver().order(&format!("arm {point} {}", worker.pid())).await?;
    }
    worker.send("go").await?;
    let status = worker.ended().await?;
    if status.success() { Err(format!("a worker has outlived {point}").into()) } else { Ok(()) }
}
