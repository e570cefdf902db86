//! Verification: nothing but the right signature.

use http::{HeaderMap, HeaderName, HeaderValue};
use webhook_core::{
    Secret, Signing, Timestamp,
    signing::{
        Message, Verifier, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, X_SIGNATURE,
        X_SIGNATURE_256, body_signature, standard_signature,
    },
};
use webhook_http::RingSigner;

use crate::text::parts;

const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLDER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PLAIN: &str = "It's a Secret to Everybody";
const NOW: i64 = 1_614_265_330;

/// Id, time, signatures, signature of the body, and the body: as they come, and with the genuine
/// signature among them.
pub fn signature(data: &[u8]) {
    let mut parts = parts(data);
    let mut next = || parts.next().unwrap_or_default();
    let [id, time, signatures, of_body, body] = [next(), next(), next(), next(), next()];
    let mut headers = HeaderMap::new();
    put(&mut headers, WEBHOOK_ID, id);
    put(&mut headers, WEBHOOK_TIMESTAMP, time);
    put(&mut headers, WEBHOOK_SIGNATURE, signatures);
    put(&mut headers, X_SIGNATURE, of_body);
    put(&mut headers, X_SIGNATURE_256, of_body);
    nothing_else_verifies(&headers, body);
    beside_the_genuine_one(id, signatures, body);
}

fn nothing_else_verifies(headers: &HeaderMap, body: &[u8]) {
    if verifies(&Verifier::new(secret(STANDARD)).or(secret(OLDER)), headers, body) {
        let (id, time) = (text(headers, &WEBHOOK_ID), text(headers, &WEBHOOK_TIMESTAMP));
        let time: i64 = time.parse().expect("a time that was believed");
        assert!(time.abs_diff(NOW) <= 300, "a stale request is believed");
        let message = Message::new(id, Timestamp::from_unix_secs(time), body);
        let genuine = [STANDARD, OLDER]
            .map(|key| standard_signature(&RingSigner, &secret(key), &message).expect("signed"));
        let mut given = text(headers, &WEBHOOK_SIGNATURE).split(' ');
        assert!(given.any(|one| genuine.iter().any(|it| it == one)), "a forgery is believed");
    }
    if verifies(&Verifier::new(secret(PLAIN)), headers, body) {
        let genuine = body_signature(&RingSigner, &secret(PLAIN), body).expect("signed");
        let given = text(headers, &X_SIGNATURE_256).to_ascii_lowercase();
        assert!(given.trim_start_matches("sha256=") == genuine, "a forgery is believed");
    }
}

/// What we sign is believed, whatever stands beside the signature; and no longer, once it is changed.
fn beside_the_genuine_one(id: &[u8], signatures: &[u8], body: &[u8]) {
    let Some(id) = std::str::from_utf8(id).ok().filter(|id| HeaderValue::from_str(id).is_ok())
    else {
        return;
    };
    let now = Timestamp::from_unix_secs(NOW);
    let mut headers = HeaderMap::new();
    put(&mut headers, WEBHOOK_ID, id.as_bytes());
    put(&mut headers, WEBHOOK_TIMESTAMP, NOW.to_string().as_bytes());
    let signing = Signing::with_secret(secret(STANDARD));
    signing.sign(&RingSigner, &Message::new(id, now, body), &mut headers).expect("signed");
    let readable = headers.get(&WEBHOOK_ID).is_some_and(|id| id.to_str().is_ok());
    let verifier = Verifier::new(secret(STANDARD));
    assert_eq!(verifies(&verifier, &headers, body), readable, "our own request");
    let other = Verifier::new(secret(OLDER));
    assert!(!verifies(&other, &headers, body), "another secret is good as well");
    let longer = [body, b"\n"].concat();
    assert!(!verifies(&verifier, &headers, &longer), "the body is not covered");
    // The last byte of an input says which byte of the signature changes, and how.
    let genuine = headers.remove(&WEBHOOK_SIGNATURE).expect("signed").as_bytes().to_vec();
    let (Some(&at), Some(&how)) = (signatures.first(), signatures.last()) else { return };
    let mut forged = genuine.clone();
    let len = forged.len();
    if let Some(byte) = forged.get_mut(usize::from(at) % len) {
        *byte ^= how;
    }
    put(&mut headers, WEBHOOK_SIGNATURE, &forged);
    assert!(forged == genuine || !verifies(&verifier, &headers, body), "a forgery is believed");
}

fn verifies(verifier: &Verifier, headers: &HeaderMap, body: &[u8]) -> bool {
    let now = Timestamp::from_unix_secs(NOW);
    verifier.verify(&RingSigner, headers, body, now).is_ok()
}

/// What is no value of a header cannot arrive.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(name, value);
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn secret(text: &str) -> Secret {
    text.parse().expect("a secret")
}
