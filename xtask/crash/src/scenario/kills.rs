//! `kill -9` at times that nobody chose, of whom nobody chose.

use std::time::Duration;

use tokio::time::sleep;

use super::{Dice, SOON};
use crate::{Outcome, asked::Asked, child::Child, ground::Ground, ledger::now, verdict::Verdict};

/// Paced, so that there is always something under way; it never ends by itself.
const PUBLISHER: [(&str, &str); 3] = [("count", "1000000"), ("batch", "4"), ("pause-ms", "20")];

pub(super) async fn play(ground: &mut Ground, asked: &Asked) -> Outcome<Verdict> {
    ground.receiver().order("delay 20").await?;
    let name = ground.new_name("publisher");
    let mut publisher = ground.publisher(&name, &PUBLISHER)?;
    let mut workers = [working(ground).await?, working(ground).await?];
    let mut dice = Dice::new();
    for _ in 0..asked.rounds {
        sleep(Duration::from_millis(200 + dice.up_to(600))).await;
        let which = dice.up_to(3);
        let before = now();
        if which == 0 {
            publisher.kill().await?;
            publisher = ground.publisher(&name, &PUBLISHER)?;
        } else if let Some(worker) = workers.get_mut(usize::from(which == 2)) {
            worker.kill().await?;
            ground.note("kill -9", before, now());
            *worker = working(ground).await?;
        }
    }
    publisher.kill().await?;
    // What it had in its hand is said again, and nothing more.
    ground.publisher(&name, &[])?.ends_well(SOON).await?;
    for worker in &mut workers {
        worker.signal("TERM")?;
        worker.ends_well(SOON).await?;
    }
    ground.drain().await?;
    let mut verdict = ground.evidence()?.judge();
    verdict.remark(format!("{} kills", asked.rounds));
    let accepted = verdict.accepted();
    verdict.demand(accepted >= asked.rounds, || format!("only {accepted} events under way"));
    Ok(verdict)
}

async fn working(ground: &Ground) -> Outcome<Child> {
    ground.working(&[("concurrency", "8")]).await
}
