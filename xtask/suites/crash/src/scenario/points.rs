//! Each named point: many deaths first, then one long wait for the leases, and the rest is delivered.

use crate::{
    Outcome,
    asked::Asked,
    ground::Ground,
    point::{Point, Victim},
    verdict::Verdict,
};

/// Large enough that a receiver sees the middle of it.
const BODY: &str = "65536";

pub(super) async fn play(ground: &mut Ground, asked: &Asked) -> Outcome<Verdict> {
    let of_workers = Point::ALL.iter().filter(|point| point.victim() != Victim::Publisher).count();
    let count = (of_workers * asked.rounds).to_string();
    let name = ground.new_name("publisher");
    let flags = [("count", count.as_str()), ("batch", "50"), ("body", BODY)];
    ground.publisher(&name, &flags)?.ends_well(super::CHILD_DEADLINE).await?;
    for _ in 0..asked.rounds {
        for point in Point::ALL {
            match point.victim() {
                Victim::Publisher => publisher_dies(ground, point).await?,
                Victim::Worker | Victim::WorkerByReceiver => worker_dies(ground, point).await?,
            }
        }
    }
    ground.drain().await?;
    let mut verdict = ground.evidence()?.judge();
    verdict.demand_hits(asked.rounds);
    Ok(verdict)
}

/// A publisher that dies with an event in its hand. What was committed is said again afterwards; what
/// was not is never said again, so that it must not come.
async fn publisher_dies(ground: &Ground, point: Point) -> Outcome {
    let name = ground.new_name("publisher");
    let flags = [("count", "1"), ("body", BODY), ("crash", point.name())];
    let status = ground.publisher(&name, &flags)?.ended().await?;
    if status.success() {
        return Err(format!("a publisher has outlived {point}").into());
    }
    if point == Point::AfterEnqueueCommit {
        ground.publisher(&name, &[("body", BODY)])?.ends_well(super::CHILD_DEADLINE).await?;
    }
    Ok(())
}

/// A worker that dies with one delivery in its hand.
async fn worker_dies(ground: &mut Ground, point: Point) -> Outcome {
    let mut flags = vec![("concurrency", "1")];
    if point.victim() == Victim::Worker {
        flags.push(("crash", point.name()));
    }
    let mut worker = ground.worker(&flags).await?;
    if point.victim() == Victim::WorkerByReceiver {
        ground.receiver().order(&format!("arm {point} {}", worker.pid())).await?;
    }
    worker.say("go").await?;
    let status = worker.ended().await?;
    if status.success() { Err(format!("a worker has outlived {point}").into()) } else { Ok(()) }
}
