//! What a request of ours looks like.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is the failed test"
)]

use std::time::Duration;

use http::StatusCode;
use proptest::prelude::*;
use webhook_core::{
    Attempt, CustomHeaders, Endpoint, EndpointId, EndpointTls, Event, EventId, NewEvent, Outcome,
    Profile, Signing, SigningKey, Timestamp,
    error::InvalidSigning,
    transport::{Hops, Request, Response, compose},
};
use webhook_testkit::PlainSigner;

const NOW: Timestamp = Timestamp::from_unix_millis(1_614_265_330_999);
const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn event() -> Event {
    let id = EventId::from_uuid(uuid::Uuid::from_u128(7));
    Event::new(id, "invoice.paid".parse().unwrap(), NOW, "{}")
}

fn endpoint() -> Endpoint {
    Endpoint::new(
        EndpointId::from_uuid(uuid::Uuid::nil()),
        "https://a.example/hooks".parse().unwrap(),
    )
}

fn request(endpoint: &Endpoint) -> Request {
    compose(&event(), endpoint, &PlainSigner::new(), NOW).unwrap()
}

fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    request.headers.get(name).map_or("absent", |value| value.to_str().unwrap())
}

#[test]
fn every_request_says_what_it_is() {
    let request = request(&endpoint());
    let expected = [
        ("content-type", "application/json"),
        ("x-event-type", "invoice.paid"),
        ("x-timestamp", "1614265330"),
        ("webhook-id", "00000000000000000000000000000007"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-hops", "1"),
        ("user-agent", concat!("webhook-rs/", env!("CARGO_PKG_VERSION"))),
    ];
    for (name, value) in expected {
        assert_eq!(header(&request, name), value, "{name}");
    }
    assert_eq!(
        request.headers.len(),
        expected.len(),
        "no secret, no signature headers: {:?}",
        request.headers
    );
    assert_eq!(request.body, "{}");
}

#[test]
fn what_secures_an_endpoint_goes_with_each_of_its_requests() {
    assert!(request(&endpoint()).tls.is_none());
    assert!(request(&endpoint().with_tls(Some(EndpointTls::new()))).tls.is_none());
    let roots = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let tls = EndpointTls::new().with_roots_pem(roots).unwrap();
    let request = request(&endpoint().with_tls(Some(tls)));
    assert_eq!(request.tls.unwrap().roots_pem(), Some(roots));
}

#[test]
fn each_request_says_how_many_webhooks_led_to_it() {
    for (hops, expected) in [(0, "1"), (3, "4"), (7, "8"), (8, "9"), (u32::MAX, "9")] {
        let event = event().with_hops(Hops::new(hops));
        let request = compose(&event, &endpoint(), &PlainSigner::new(), NOW).unwrap();
        assert_eq!(header(&request, "webhook-hops"), expected);
        let next = NewEvent::new("invoice.paid", "{}").unwrap().follows(&request.headers);
        assert_eq!(next.is_ok(), hops < 7, "{hops}");
    }
}

#[test]
fn both_default_profiles_sign_every_request() {
    let request =
        request(&endpoint().with_signing(Signing::with_secret(STANDARD.parse().unwrap())));
    assert!(header(&request, "webhook-signature").starts_with("v1,"));
    let hex = header(&request, "x-signature").to_owned();
    assert_eq!(hex.len(), 64);
    assert_eq!(header(&request, "x-signature-256"), format!("sha256={hex}"));
}

#[test]
fn a_plain_secret_signs_the_body_alone() {
    let request =
        request(&endpoint().with_signing(Signing::with_secret("secret".parse().unwrap())));
    assert_eq!(header(&request, "webhook-signature"), "absent");
    assert_eq!(header(&request, "x-signature").len(), 64);
}

#[test]
fn every_active_key_signs_in_one_line_and_an_expired_one_does_not() {
    let key = |secs| {
        SigningKey::new(STANDARD.parse().unwrap())
            .with_expiry(Some(Timestamp::from_unix_secs(secs)))
    };
    let keys = vec![key(i64::MAX / 1000), key(1_614_265_331), key(1_614_265_330), key(0)];
    let request =
        request(&endpoint().with_signing(Signing::new(keys, vec![Profile::Standard]).unwrap()));
    assert_eq!(request.headers.get_all("webhook-signature").iter().count(), 1);
    assert_eq!(header(&request, "webhook-signature").split(' ').count(), 2);
}

#[test]
fn former_keys_sign_beside_the_new_one_until_the_overlap_is_over() {
    let secret = |letter: &str| format!("whsec_{}", letter.repeat(32)).parse().unwrap();
    let hour = Duration::from_secs(3600);
    let first = Signing::with_secret(secret("a"));
    let second = first.rotated(secret("b"), NOW, hour * 24).unwrap();
    // The third comes soon after: the first still ends when it was said to.
    let third = second.rotated(secret("c"), NOW.after(hour), hour * 48).unwrap();
    let signatures = |after: u32| {
        let endpoint = endpoint().with_signing(third.clone());
        let request = compose(&event(), &endpoint, &PlainSigner::new(), NOW.after(hour * after));
        header(&request.unwrap(), "webhook-signature").split(' ').count()
    };
    assert_eq!([1, 23, 24, 48, 49, 1000].map(signatures), [3, 3, 2, 2, 1, 1]);
    assert_eq!(
        third.rotated(secret("d"), NOW.after(hour), Duration::ZERO).unwrap().keys().len(),
        1
    );
    let fourth = third.rotated(secret("d"), NOW.after(hour * 30), hour).unwrap();
    assert_eq!(fourth.keys().len(), 3, "what has ended is let go");
}

#[test]
fn a_rotation_that_cannot_be_is_refused() {
    let secret = || STANDARD.parse().unwrap();
    let day = Duration::from_secs(24 * 3600);
    let mut signing = Signing::with_secret(secret());
    let refused = |signing: &Signing, secret, overlap| {
        signing.rotated(secret, NOW, overlap).map(|_| ()).unwrap_err()
    };
    let longer = Signing::MAX_OVERLAP + Duration::from_millis(1);
    assert_eq!(refused(&signing, secret(), longer), InvalidSigning::LongOverlap);
    assert_eq!(refused(&signing, "plain".parse().unwrap(), day), InvalidSigning::NeedsPrefix);
    for _ in 1..Signing::MAX_KEYS {
        signing = signing.rotated(secret(), NOW, day).unwrap();
    }
    assert_eq!(refused(&signing, secret(), day), InvalidSigning::TooManyKeys);
    assert!(signing.rotated(secret(), NOW, Duration::ZERO).is_ok(), "the way out");
    let signed = Signing::unsigned().rotated(secret(), NOW, day).unwrap();
    assert_eq!(signed.profiles(), Profile::DEFAULT);
}

#[test]
fn nothing_is_sent_unsigned_because_every_key_has_expired() {
    let key = SigningKey::new(STANDARD.parse().unwrap()).with_expiry(Some(NOW));
    let endpoint =
        endpoint().with_signing(Signing::new(vec![key], vec![Profile::Standard]).unwrap());
    assert!(compose(&event(), &endpoint, &PlainSigner::new(), NOW).is_err());
}

#[test]
fn keys_and_profiles_come_together() {
    let keys = || vec![SigningKey::new(STANDARD.parse().unwrap())];
    assert_eq!(Signing::new(keys(), vec![]).unwrap_err(), InvalidSigning::NoProfile);
    assert_eq!(
        Signing::new(vec![], vec![Profile::Standard]).unwrap_err(),
        InvalidSigning::NoSecret
    );
    assert!(Signing::new(vec![], vec![]).is_ok());
}

#[test]
fn no_payload_shows_in_debug() {
    let event =
        Event::new(EventId::from_uuid(uuid::Uuid::nil()), "a".parse().unwrap(), NOW, "canary");
    let new = NewEvent::new("a", "canary").unwrap();
    let response = Response::new(StatusCode::OK).with_body("canary");
    let outcome = Outcome::Answered(response.clone());
    let attempt = Attempt::record(1, NOW, Duration::ZERO, &outcome);
    let request = compose(&event, &endpoint(), &PlainSigner::new(), NOW).unwrap();
    let shown = format!("{event:?} {new:?} {response:?} {outcome:?} {attempt:?} {request:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn custom_headers_replace_content_type_and_event_type_but_nothing_that_is_signed() {
    let lines = ["Content-Type: text/plain", "X-Event-Type: other", "Authorization: Bearer t0ken"];
    let request = request(&endpoint().with_headers(CustomHeaders::parse(lines).unwrap()));
    assert_eq!(header(&request, "content-type"), "text/plain");
    assert_eq!(header(&request, "x-event-type"), "other");
    assert_eq!(header(&request, "authorization"), "Bearer t0ken");
    assert_eq!(header(&request, "webhook-id"), "00000000000000000000000000000007");
    assert!(!format!("{request:?}").contains("t0ken"));
}

proptest! {
    #[test]
    fn any_texts_make_a_request_that_says_each_thing_once_or_are_refused(
        event_type in "[a-z]{1,3}([.][a-z]{1,3}){0,2}|.{0,20}",
        content_type in "[a-z]{1,5}/[a-z]{1,5}|(?s).{0,20}",
        lines in prop::collection::vec("[a-zA-Z-]{1,12}: ([\\t -~]{0,20}|[!-~]{0,5})|(?s).{0,20}", 0..3),
    ) {
        let (Ok(event_type), Ok(content_type), Ok(headers)) =
            (event_type.parse(), content_type.parse(), CustomHeaders::parse(&lines))
        else {
            return Ok(());
        };
        let event = Event::new(event().id, event_type, NOW, "{}").with_content_type(content_type);
        let signing = Signing::with_secret(STANDARD.parse().unwrap());
        let endpoint = endpoint().with_headers(headers.clone()).with_signing(signing);
        let request = compose(&event, &endpoint, &PlainSigner::new(), NOW).unwrap();
        for name in request.headers.keys() {
            prop_assert_eq!(request.headers.get_all(name).iter().count(), 1, "{}", name);
        }
        for value in request.headers.values() {
            prop_assert!(value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~')));
        }
        for (name, value) in headers.iter() {
            prop_assert_eq!(header(&request, name), value);
        }
        for ours in ["webhook-id", "webhook-timestamp", "webhook-signature", "x-signature", "x-timestamp"] {
            prop_assert!(request.headers.contains_key(ours), "{ours}");
        }
        for framing in ["host", "content-length", "transfer-encoding", "connection"] {
            prop_assert!(!request.headers.contains_key(framing), "{framing}");
        }
    }
}
