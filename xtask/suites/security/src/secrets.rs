//! H: Secrets. One canary is put wherever a secret may be, and then searched for.

mod errors;
mod life;
mod log;
mod scan;
mod shown;
mod types;

use webhook_core::EndpointUrl;

pub(crate) use errors::root;

use crate::{case::Seen, ids::Id, literal};
use life::Life;
use scan::{count, times};

pub(crate) async fn play(id: Id, input: &str) -> Seen {
    let input = literal::text(input);
    let seen = match id.number {
        1 => types::debug(&input).await,
        2 => errors::outcome_text(&input).await,
        3 => through(&input, |life| count(&life.log, &input)).await,
        4 => through(&input, |life| life.count_in(&life.numbers)).await,
        5 => types::panics(&input),
        6 => through(&input, |life| life.count_in(&life.records)).await,
        7 => password(&input),
        8 => everywhere(&input).await,
        9 => return shown::failure(&input).await,
        _ => return shown::refusal(&input).await,
    };
    seen.into()
}

/// Counts what is left of deliveries with the canary in every place, URLs included.
async fn through(canary: &str, count: impl Fn(&Life) -> usize) -> String {
    let life = Life::of(canary, true, true).await;
    life.gap().map_or_else(|| times(count(&life)), str::to_owned)
}

/// Error of a URL with a password in it.
fn password(url: &str) -> String {
    let parsed = url::Url::parse(url).expect("a URL");
    let password = parsed.password().expect("a password");
    match url.parse::<EndpointUrl>() {
        Ok(_) => "accepted".to_owned(),
        Err(error) => {
            let text = format!("{error} {error:?}");
            format!("{error}: {}", times(count(text.as_bytes(), password)))
        }
    }
}

/// A header that is sent once, and appears nowhere else.
async fn everywhere(canary: &str) -> String {
    let (sealed, plain) =
        (Life::of(canary, false, true).await, Life::of(canary, false, false).await);
    if count(&plain.files, canary) == 0 {
        return "the files of the database are not read".to_owned();
    }
    sealed.places()
}

/// Private key in PEM.
fn pem(canary: &str) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{canary}\n-----END PRIVATE KEY-----\n")
}
