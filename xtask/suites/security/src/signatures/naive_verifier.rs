//! A naive verifier of a receiver, with all known mistakes.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
use webhook_core::{Secret, Signer as _, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use webhook_http::RingSigner;

/// The key that documentation shows: good enough until the right one is set.
const EXAMPLE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How many signatures were looked at until one was taken for genuine.
pub(crate) fn verify(secret: &str, headers: &HeaderMap, body: &[u8]) -> Option<usize> {
    let text = |name: HeaderName| headers.get(name).map_or("", |value| value.to_str().unwrap());
    // Whatever time it says.
    let (id, time) = (text(WEBHOOK_ID), text(WEBHOOK_TIMESTAMP));
    let content = format!("{id}.{time}.{}", again(body));
    let codes = [secret, EXAMPLE].map(|secret| code(secret, &content));
    // However many there are.
    let mut looked_at = 0;
    text(WEBHOOK_SIGNATURE).split(' ').find_map(|entry| {
        looked_at += 1;
        // Of whatever version.
        let signature = entry.rsplit(',').next().unwrap_or(entry);
        codes.iter().any(|code| same(code, signature)).then_some(looked_at)
    })
}

/// As far as there is something to compare.
fn same(code: &str, signature: &str) -> bool {
    code.bytes().zip(signature.bytes()).all(|(one, other)| one == other)
}

/// Parsed and written again, with numbers as JavaScript has them.
fn again(body: &[u8]) -> String {
    let parsed: BTreeMap<String, f64> = serde_json::from_slice(body).unwrap();
    let fields: Vec<_> = parsed.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn code(secret: &str, content: &str) -> String {
    let secret = secret.parse::<Secret>().unwrap();
    STANDARD.encode(
        RingSigner.hmac_sha256(secret.standard_key().unwrap(), &[content.as_bytes()]).unwrap(),
    )
}
