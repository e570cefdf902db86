//! A secret that is replaced, and receivers that do not learn of it at once.

use std::time::Duration;

use webhook_core::{Secret, Signing, Timestamp, view::parse_duration};

use super::{NOW, SECRET, outcome_text, sent, verify};

/// The secret of the table, and the one that takes its place.
const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Two secrets, the old one first: what the receivers that know one of them make of a request.
pub(crate) fn overlap(secrets: &str) -> String {
    let (old, new) = secrets.split_once(' ').expect("two secrets");
    let signing = signing(old).rotated(secret(new), NOW, Signing::OVERLAP).expect("room");
    let outcome_text = |secret| received(&signing, secret, NOW);
    format!("the old one: {}, the new one: {}", outcome_text(old), outcome_text(new))
}

/// A secret that ends after so long: what its receivers make of requests just before and then.
pub(crate) fn end(overlap: &str) -> String {
    let overlap = parse_duration(overlap).expect("a duration");
    let signing = signing(SECRET).rotated(secret(NEW), NOW, overlap).expect("room");
    let outcome_text = |wait| received(&signing, SECRET, NOW.after(wait));
    let before = outcome_text(overlap - Duration::from_millis(1));
    format!("before: {before}, then: {}", outcome_text(overlap))
}

/// What a receiver that knows `secret` makes of a request of that time.
fn received(signing: &Signing, secret: &str, at: Timestamp) -> String {
    let request = sent(signing, at);
    outcome_text(verify(secret, &request.headers, &request.body, at))
}

fn signing(text: &str) -> Signing {
    Signing::with_secret(secret(text))
}

fn secret(text: &str) -> Secret {
    text.parse().expect("a secret")
}
