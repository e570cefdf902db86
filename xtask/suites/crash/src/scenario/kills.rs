//! `kill -9` at times that nobody chose, of whom nobody chose.

use std::time::Duration;

use tokio::time::sleep;

use super::{CHILD_DEADLINE, Rng};
use crate::{Outcome, child::Child, fixture::Fixture, options::Options, verdict::Verdict};

/// Paced, so that there is always something under way; it never ends by itself.
const PUBLISHER: [(&str, &str); 3] = [("count", "1000000"), ("batch", "4"), ("pause-ms", "20")];

const WORKER: [(&str, &str); 1] = [("concurrency", "8")];

/// Processes that are killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Processes {
    /// One publisher and two workers.
    Apart,
    /// Two processes that publish and work; they send their own events from memory.
    Together,
}

pub(super) async fn play(
    fixture: &mut Fixture,
    processes: Processes,
    options: &Options,
) -> Outcome<Verdict> {
    fixture.receiver().order("delay 20").await?;
    let mut players = Vec::new();
    match processes {
        Processes::Apart => {
            players.push(publishing(fixture, &fixture.new_name("publisher"), processes)?);
            players.push(fixture.working(&WORKER).await?);
            players.push(fixture.working(&WORKER).await?);
        }
        Processes::Together => {
            players.push(publishing(fixture, &fixture.new_name("publisher"), processes)?);
            players.push(publishing(fixture, &fixture.new_name("publisher"), processes)?);
        }
    }
    let mut rng = Rng::new();
    for _ in 0..options.rounds {
        sleep(Duration::from_millis(200 + rng.up_to(600))).await;
        let which = rng.up_to(players.len() as u64);
        if let Some(player) = players.get_mut(usize::try_from(which)?) {
            fixture.kill(player).await?;
            *player = match player.name() {
                name if name.starts_with("publisher") => publishing(fixture, name, processes)?,
                _ => fixture.working(&WORKER).await?,
            };
        }
    }
    for player in &mut players {
        fixture.kill(player).await?;
        if player.name().starts_with("publisher") {
            // What it had in its hand is said again, and nothing more.
            fixture.publisher(player.name(), &[])?.ends_well(CHILD_DEADLINE).await?;
        }
    }
    fixture.drain().await?;
    let mut verdict = fixture.evidence()?.judge();
    verdict.remark(format!("{} kills", options.rounds + players.len()));
    let accepted = verdict.accepted();
    verdict
        .demand_in_time(accepted >= options.rounds, || format!("only {accepted} events under way"));
    Ok(verdict)
}

/// A publisher of that name, which goes on where the one before it has ended.
fn publishing(fixture: &Fixture, name: &str, processes: Processes) -> Outcome<Child> {
    let works = (processes == Processes::Together).then_some(("works", "yes"));
    fixture.publisher(name, &PUBLISHER.into_iter().chain(works).collect::<Vec<_>>())
}
