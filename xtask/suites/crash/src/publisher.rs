//! The child that publishes, until it knows that each of its events is stored. With `--works` it
//! delivers as well, and sends what it publishes from memory.

use std::{collections::BTreeSet, path::Path, time::Duration};

use tokio::time::sleep;
use webhook_registry::{EventId, Ids as _, Mode, NewEvent, UuidV7, Webhooks};

use crate::{
    Outcome,
    crash::{handles, plan},
    flags::Flags,
    ledger::{self, Ledger, word},
    worker::webhooks,
};

pub(crate) const ROLE: &str = "publisher";

/// What it publishes, and how fast.
struct Pace {
    count: usize,
    batch: usize,
    pause: Duration,
    body: usize,
    /// Ordering keys; none, when absent.
    keys: Option<u64>,
}

pub(crate) async fn run(flags: &Flags) -> Outcome {
    crate::worker::log();
    let path = flags.path("ledger")?;
    let pace = Pace {
        count: flags.number("count", 0)?,
        batch: flags.number("batch", 1)?,
        pause: Duration::from_millis(flags.number("pause-ms", 0)?),
        body: flags.number("body", 100)?,
        keys: flags.has("keys").then(|| flags.number("keys", 1)).transpose()?,
    };
    let left_open = if path.exists() { open_events(&path)? } else { Vec::new() };
    let ledger = Ledger::open(&path)?;
    if let Some(point) = flags.get("crash") {
        plan(point.parse()?, Ledger::open(&path)?);
    }
    let mode = if flags.has("works") { Mode::Both } else { Mode::PublishOnly };
    let webhooks = webhooks(flags, mode).await?;
    if mode == Mode::Both {
        let webhooks = webhooks.clone();
        // It never ends by itself: it is there to be killed.
        tokio::spawn(async move { webhooks.run(std::future::pending()).await });
    }
    // What a life before this one has begun is said again, under the same id.
    publish(&webhooks, &ledger, left_open, &pace).await?;
    let done = if path.exists() { count(&path)? } else { 0 };
    let mut left = pace.count.saturating_sub(done);
    while left > 0 {
        let some = left.min(pace.batch);
        let ids: Vec<_> = (0..some).map(|_| EventId::from_uuid(UuidV7.next_id())).collect();
        let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
        ledger.note_all(names.iter().map(|name| (word::TRYING, name.as_str())))?;
        publish(&webhooks, &ledger, ids, &pace).await?;
        left -= some;
        sleep(pace.pause).await;
    }
    Ok(())
}

/// Publishes until each event is known to be stored: the same id makes saying it again safe.
async fn publish(
    webhooks: &Webhooks,
    ledger: &Ledger,
    mut ids: Vec<EventId>,
    pace: &Pace,
) -> Outcome {
    while let Some(first) = ids.first() {
        handles(&first.to_string());
        let events: Vec<_> = ids.iter().map(|id| event(*id, pace)).collect::<Outcome<_>>()?;
        let answers = webhooks.publish_many(events).await;
        let (mut stored, mut again) = (Vec::new(), Vec::new());
        for (id, answer) in ids.into_iter().zip(answers) {
            match answer {
                Ok(_) => stored.push(id.to_string()),
                Err(error) => {
                    let why = std::error::Error::source(&error).map(ToString::to_string);
                    eprintln!("{id}: {error}: {}", why.unwrap_or_default());
                    again.push(id);
                }
            }
        }
        ledger.note_all(stored.iter().map(|id| (word::ACCEPTED, id.as_str())))?;
        if !again.is_empty() {
            sleep(Duration::from_millis(100)).await;
        }
        ids = again;
    }
    Ok(())
}

/// The same bytes for the same id.
fn event(id: EventId, pace: &Pace) -> Outcome<NewEvent> {
    let body = format!("{{\"id\":\"{id}\",\"fill\":\"{}\"}}", "x".repeat(pace.body));
    let event = NewEvent::new("crash.test", body)?.id(id);
    Ok(match pace.keys {
        Some(keys) => event.ordering_key(&format!("key-{}", key_of(id, keys)))?,
        None => event,
    })
}

/// The ordering key of an event, of so many: who has its id alone knows it as well.
pub(crate) fn key_of(id: EventId, keys: u64) -> u64 {
    let number = id.as_uuid().as_u128() % u128::from(keys.max(1));
    u64::try_from(number).unwrap_or_default()
}

/// Events begun and not known to be stored.
fn open_events(path: &Path) -> Outcome<Vec<EventId>> {
    let lines = ledger::read(path)?;
    let of = |word: &str| -> BTreeSet<&str> {
        lines.iter().filter(|line| line.word == word).map(|line| line.subject.as_str()).collect()
    };
    let open = &of(word::TRYING) - &of(word::ACCEPTED);
    open.iter().map(|id| id.parse().map_err(|_| format!("`{id}` is no event").into())).collect()
}

/// Events known to be stored.
fn count(path: &Path) -> Outcome<usize> {
    Ok(ledger::read(path)?.iter().filter(|line| line.word == word::ACCEPTED).count())
}
