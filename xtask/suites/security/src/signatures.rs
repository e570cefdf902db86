//! I: Signatures, as receivers verify them.
//!
//! One request is genuine, and each case changes one part of it.

mod rotation;

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue};
use webhook_core::{
    Endpoint, EndpointId, Event, EventId, NewEvent, Secret, Signing, Timestamp,
    signing::{
        Signer as _, Verifier, VerifyError, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP,
    },
    transport::{Request, compose},
    view::parse_duration,
};
use webhook_http::RingSigner;

use crate::{ids::Id, literal};

/// The genuine request, as the table has its signature.
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const NOW: Timestamp = Timestamp::from_unix_secs(1_614_265_330);
const BODY: &str = r#"{"invoice":9007199254740992}"#;

pub(crate) fn play(id: Id, input: &str) -> String {
    let input = literal::text(input.trim_matches('"'));
    match id.number {
        6 => with(&time(), &signature(&input, &time(), BODY), BODY),
        7 => with(&input, &signature(SECRET, &input, BODY), BODY),
        8 => with(&time(), &signature(SECRET, &time(), BODY), &input),
        9 => replayed(&input),
        10 => rotation::overlap(&input),
        11 => rotation::end(&input),
        _ => with(&time(), &input, BODY),
    }
}

/// The genuine request with this time, signature and body.
fn with(time: &str, signature: &str, body: &str) -> String {
    let genuine = headers(&self::time(), &self::signature(SECRET, &self::time(), BODY));
    if verify(SECRET, &genuine, BODY.as_bytes(), NOW).is_err() {
        return "the genuine one is refused".to_owned();
    }
    outcome_text(verify(SECRET, &headers(time, signature), body.as_bytes(), NOW))
}

fn time() -> String {
    NOW.as_unix_secs().to_string()
}

/// Whatever `time` is: who has the key, or had it, may sign anything.
fn signature(secret: &str, time: &str, body: &str) -> String {
    let secret = secret.parse::<Secret>().expect("a secret");
    let key = secret.standard_key().expect("a key");
    let content = format!("{ID}.{time}.{body}");
    let mac = RingSigner.hmac_sha256(key, &[content.as_bytes()]).expect("a code");
    format!("v1,{}", STANDARD.encode(mac))
}

fn headers(time: &str, signature: &str) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_str(text).expect("the value of a header");
    HeaderMap::from_iter([
        (WEBHOOK_ID, value(ID)),
        (WEBHOOK_TIMESTAMP, value(time)),
        (WEBHOOK_SIGNATURE, value(signature)),
    ])
}

fn verify(
    secret: &str,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), VerifyError> {
    let verifier = Verifier::new(secret.parse().expect("a secret"));
    verifier.verify(&RingSigner, headers, body, now)
}

fn outcome_text(verified: Result<(), VerifyError>) -> String {
    match verified {
        Ok(()) => "accepted".to_owned(),
        // What follows is what it may come from.
        Err(error) => format!("refused: {}", error.to_string().split(';').next().unwrap_or("")),
    }
}

/// A captured request, sent again after `later`.
fn replayed(later: &str) -> String {
    let later = NOW.after(parse_duration(later).expect("a duration"));
    let signing = Signing::with_secret(SECRET.parse().expect("a secret"));
    let captured = sent(&signing, NOW);
    // A receiver remembers ids. The next attempt of the same delivery has the same id.
    let mut known = HashSet::from([id(&sent(&signing, later))]);
    match verify(SECRET, &captured.headers, &captured.body, later) {
        Ok(()) if known.insert(id(&captured)) => "acted on again".to_owned(),
        Ok(()) => "skipped: its id is known".to_owned(),
        refused => outcome_text(refused),
    }
}

fn id(request: &Request) -> HeaderValue {
    request.headers[&WEBHOOK_ID].clone()
}

/// The request of an attempt at `now`, as the engine makes it.
fn sent(signing: &Signing, now: Timestamp) -> Request {
    let id = EndpointId::from_uuid(uuid::Uuid::from_u128(2));
    let url = "https://a.example/hooks".parse().expect("a URL");
    let endpoint = Endpoint::new(id, url).with_signing(signing.clone());
    compose(&event(), &endpoint, &RingSigner, now).expect("a request")
}

fn event() -> Event {
    let event = NewEvent::new("invoice.paid", BODY).expect("an event");
    event.into_event(|| EventId::from_uuid(uuid::Uuid::from_u128(1)), NOW)
}
