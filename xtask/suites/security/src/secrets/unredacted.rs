//! Secrets as plain text in a type that derives `Debug`: the subject without the guard.

use std::collections::BTreeMap;

/// An endpoint as it comes from a form.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "what is derived shows it")]
pub(crate) struct UnredactedEndpoint {
    url: String,
    secret: String,
    authorization: String,
    key: String,
}

pub(crate) fn endpoint(canary: &str) -> UnredactedEndpoint {
    UnredactedEndpoint {
        url: format!("https://a.example/hooks?token={canary}"),
        secret: format!("whsec_{canary}"),
        authorization: format!("Bearer {canary}"),
        key: pem(canary),
    }
}

/// A private key, as files have it.
pub(crate) fn pem(canary: &str) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{canary}\n-----END PRIVATE KEY-----\n")
}

/// Logs what it has, as one does while looking for a mistake.
pub(crate) fn deliver(canary: &str) {
    let endpoint = endpoint(canary);
    tracing::trace!(?endpoint, "sending");
    tracing::warn!(url = endpoint.url, "could not connect");
}

/// Counts by what is at hand.
pub(crate) fn labels(canary: &str) -> String {
    let failures = BTreeMap::from([(endpoint(canary).url, 1)]);
    serde_json::to_string(&failures).unwrap()
}

/// Writes down the whole request, to have it when somebody asks.
pub(crate) fn record(canary: &str) -> String {
    let endpoint = endpoint(canary);
    let headers = serde_json::json!({"authorization": endpoint.authorization});
    let error = format!("could not connect to {}", endpoint.url);
    serde_json::json!({"url": endpoint.url, "headers": headers, "error": error}).to_string()
}
