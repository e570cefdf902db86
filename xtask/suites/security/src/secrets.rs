//! H: Secrets. One canary is put wherever a secret may be, and then looked for.
//!
//! The same scanner counts both ways. Without the guard the secrets are plain text in a type that derives
//! whatever there is to derive, as they are in a sender that was written in an afternoon.

mod errors;
mod life;
mod log;
mod scan;
mod shown;
mod types;
mod unredacted;

use webhook_core::EndpointUrl;

pub(crate) use errors::root;

use crate::{case::Seen, ids::Id, literal};
use life::Life;
use scan::{count, times};

pub(crate) async fn play(id: Id, input: &str) -> Seen {
    let input = literal::text(input);
    match id.number {
        1 => types::debug(&input).await,
        2 => errors::outcome_text(&input).await,
        3 => traced(&input).await,
        4 => numbers(&input).await,
        5 => types::panics(&input),
        6 => records(&input).await,
        7 => password(&input),
        8 => everywhere(&input).await,
        9 => shown::failure(&input).await,
        _ => shown::refusal(&input).await,
    }
}

/// What is logged, by whatever crate, while events are delivered.
async fn traced(canary: &str) -> Seen {
    let life = Life::of(canary, true, true).await;
    let unredacted = log::during(async { unredacted::deliver(canary) }).await.1;
    let what = match life.gap() {
        Some(gap) => gap.to_owned(),
        None => times(count(&life.log, canary)),
    };
    Seen::new(what, times(count(&unredacted, canary)))
}

/// Statistics, health and backlogs: whatever may become labels and numbers.
async fn numbers(canary: &str) -> Seen {
    let life = Life::of(canary, true, true).await;
    let unredacted = unredacted::labels(canary);
    Seen::new(times(life.count_in(&life.numbers)), times(count(unredacted.as_bytes(), canary)))
}

/// Attempts, deliveries, notices and views as JSON, and the pages about them.
async fn records(canary: &str) -> Seen {
    let life = Life::of(canary, true, true).await;
    let unredacted = unredacted::record(canary);
    Seen::new(times(life.count_in(&life.records)), times(count(unredacted.as_bytes(), canary)))
}

/// What is said of a URL with a password in it.
fn password(url: &str) -> Seen {
    let parsed = url::Url::parse(url).expect("a URL");
    let password = parsed.password().expect("a password");
    let guarded = match url.parse::<EndpointUrl>() {
        Ok(_) => "accepted".to_owned(),
        Err(error) => {
            let outcome_text = format!("{error} {error:?}");
            format!("{error}: {}", times(count(outcome_text.as_bytes(), password)))
        }
    };
    let unredacted = format!("cannot register {url}: it has a password");
    Seen::new(guarded, times(count(unredacted.as_bytes(), password)))
}

/// A header through all of it: sent once, and seen nowhere else.
async fn everywhere(canary: &str) -> Seen {
    let sealed = Life::of(canary, false, true).await;
    let plain = Life::of(canary, false, false).await;
    let unredacted = log::during(async { unredacted::deliver(canary) }).await.1;
    let unguarded = [
        ("the log", count(&unredacted, canary)),
        ("records", count(unredacted::record(canary).as_bytes(), canary)),
        ("the database", count(&plain.files, canary)),
    ];
    Seen::new(sealed.places(), life::places(&unguarded))
}
