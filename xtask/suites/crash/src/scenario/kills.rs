//! `kill -9` at times that nobody chose, of whom nobody chose.

use std::time::Duration;

use tokio::time::sleep;

use super::{CHILD_DEADLINE, Dice};
use crate::{Outcome, asked::Asked, child::Child, ground::Ground, verdict::Verdict};

/// Paced, so that there is always something under way; it never ends by itself.
const PUBLISHER: [(&str, &str); 3] = [("count", "1000000"), ("batch", "4"), ("pause-ms", "20")];

const WORKER: [(&str, &str); 1] = [("concurrency", "8")];

/// Who is there to be killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cast {
    /// A publisher, and two workers.
    Apart,
    /// Two processes that do both: what they publish they send from memory.
    Together,
}

pub(super) async fn play(ground: &mut Ground, cast: Cast, asked: &Asked) -> Outcome<Verdict> {
    ground.receiver().order("delay 20").await?;
    let mut players = Vec::new();
    match cast {
        Cast::Apart => {
            players.push(publishing(ground, &ground.new_name("publisher"), cast)?);
            players.push(ground.working(&WORKER).await?);
            players.push(ground.working(&WORKER).await?);
        }
        Cast::Together => {
            players.push(publishing(ground, &ground.new_name("publisher"), cast)?);
            players.push(publishing(ground, &ground.new_name("publisher"), cast)?);
        }
    }
    let mut dice = Dice::new();
    for _ in 0..asked.rounds {
        sleep(Duration::from_millis(200 + dice.up_to(600))).await;
        let which = dice.up_to(players.len() as u64);
        if let Some(player) = players.get_mut(usize::try_from(which)?) {
            ground.kill(player).await?;
            *player = match player.name() {
                name if name.starts_with("publisher") => publishing(ground, name, cast)?,
                _ => ground.working(&WORKER).await?,
            };
        }
    }
    for player in &mut players {
        ground.kill(player).await?;
        if player.name().starts_with("publisher") {
            // What it had in its hand is said again, and nothing more.
            ground.publisher(player.name(), &[])?.ends_well(CHILD_DEADLINE).await?;
        }
    }
    ground.drain().await?;
    let mut verdict = ground.evidence()?.judge();
    verdict.remark(format!("{} kills", asked.rounds + players.len()));
    let accepted = verdict.accepted();
    verdict.demand(accepted >= asked.rounds, || format!("only {accepted} events under way"));
    Ok(verdict)
}

/// A publisher of that name, which goes on where the one before it has ended.
fn publishing(ground: &Ground, name: &str, cast: Cast) -> Outcome<Child> {
    let works = (cast == Cast::Together).then_some(("works", "yes"));
    ground.publisher(name, &PUBLISHER.into_iter().chain(works).collect::<Vec<_>>())
}
