//! Verification against our own requests: what leaves is accepted, and nothing that differs is. That the
//! signatures are the published ones is for the adapter's tests, which have a real signer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is the failed test"
)]

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use webhook_core::{
    Endpoint, EndpointId, Event, EventId, Profile, Secret, Signing, Timestamp,
    signing::{
        Message, Signer as _, SignerError, Verifier, VerifyError, WEBHOOK_ID, WEBHOOK_SIGNATURE,
        WEBHOOK_TIMESTAMP, X_SIGNATURE, X_SIGNATURE_256, verify_body_signature,
    },
    transport::compose,
};
use webhook_testkit::PlainSigner;

const AT: i64 = 1_614_265_330;
const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn secret(text: &str) -> Secret {
    text.parse().unwrap()
}

/// The headers of our request with this body.
fn sent(signing: Signing, body: &[u8]) -> HeaderMap {
    let id = EventId::from_uuid(uuid::Uuid::from_u128(7));
    let now = Timestamp::from_unix_secs(AT);
    let event = Event::new(id, "invoice.paid".parse().unwrap(), now, body.to_vec());
    let url = "https://a.example/hooks".parse().unwrap();
    let endpoint = Endpoint::new(EndpointId::from_uuid(uuid::Uuid::nil()), url);
    let endpoint = endpoint.with_signing(signing);
    compose(&event, &endpoint, &PlainSigner::new(), now).unwrap().headers
}

fn signed(text: &str) -> HeaderMap {
    sent(Signing::with_secret(secret(text)), b"{}")
}

fn check(verifier: &Verifier, headers: &HeaderMap, now: i64) -> Result<(), VerifyError> {
    verifier.verify(&PlainSigner::new(), headers, b"{}", Timestamp::from_unix_secs(now))
}

fn with(mut headers: HeaderMap, name: &HeaderName, value: &str) -> HeaderMap {
    headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    headers
}

fn without(mut headers: HeaderMap, name: &HeaderName) -> HeaderMap {
    headers.remove(name);
    headers
}

#[test]
fn a_request_is_fresh_up_to_the_tolerance_in_either_direction() {
    let (usual, strict) = (
        Verifier::new(secret(STANDARD)),
        Verifier::new(secret(STANDARD)).tolerance(Duration::from_secs(5)),
    );
    let table = [(&usual, 300), (&strict, 5)];
    for (verifier, most) in table {
        for (after, expected) in [
            (0, Ok(())),
            (most, Ok(())),
            (-most, Ok(())),
            (most + 1, Err(VerifyError::Stale)),
            (-most - 1, Err(VerifyError::Stale)),
        ] {
            assert_eq!(check(verifier, &signed(STANDARD), AT + after), expected, "{after} s later");
        }
    }
}

#[test]
fn each_header_of_the_standard_profile_is_needed_and_read_strictly() {
    let (verifier, headers) = (Verifier::new(secret(STANDARD)), || signed(STANDARD));
    for name in [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE] {
        let missing = check(&verifier, &without(headers(), &name), AT);
        assert_eq!(missing, Err(VerifyError::Missing(name.clone())));
        let no_text = check(&verifier, &with(headers(), &name, "ä"), AT);
        assert_eq!(no_text, Err(VerifyError::Mismatch), "{name}");
    }
    for bad in ["", "-1", "+1614265330", "1614265330.5", "soon", "99999999999999999999"] {
        let result = check(&verifier, &with(headers(), &WEBHOOK_TIMESTAMP, bad), AT);
        assert_eq!(result, Err(VerifyError::Timestamp), "{bad:?}");
    }
    let id = with(headers(), &WEBHOOK_ID, "another");
    assert_eq!(check(&verifier, &id, AT), Err(VerifyError::Mismatch), "the id is signed");
    let time = with(headers(), &WEBHOOK_TIMESTAMP, "1614265331");
    assert_eq!(check(&verifier, &time, AT), Err(VerifyError::Mismatch), "the time is signed");
}

#[test]
fn one_signature_among_the_first_32_has_to_fit() {
    let verifier = Verifier::new(secret(STANDARD));
    let genuine = signed(STANDARD)[WEBHOOK_SIGNATURE].to_str().unwrap().to_owned();
    let table = [
        (genuine.clone(), true),
        (format!("v1,AAAA {genuine}"), true),
        (format!("{genuine} v1a,AAAA"), true),
        (format!("{}{genuine}", "v1,AAAA ".repeat(31)), true),
        (format!("{}{genuine}", "v1,AAAA ".repeat(32)), false),
        (genuine.replace("v1,", "v2,"), false),
        (genuine.replace("v1,", ""), false),
        ("v1,%".to_owned(), false),
        (String::new(), false),
    ];
    for (signatures, expected) in table {
        let headers = with(signed(STANDARD), &WEBHOOK_SIGNATURE, &signatures);
        assert_eq!(check(&verifier, &headers, AT).is_ok(), expected, "{signatures}");
    }
}

#[test]
fn another_secret_verifies_only_when_it_is_known() {
    let (one, both) = (Verifier::new(secret(STANDARD)), |it: Verifier| it.or(secret(OTHER)));
    assert_eq!(check(&one, &signed(OTHER), AT), Err(VerifyError::Mismatch));
    let both = both(one);
    assert_eq!(check(&both, &signed(OTHER), AT), Ok(()));
    assert_eq!(check(&both, &signed(STANDARD), AT), Ok(()));
    let plain = Verifier::new(secret("one")).or(secret("two"));
    assert_eq!(check(&plain, &signed("two"), AT), Ok(()));
    assert_eq!(check(&plain, &signed("three"), AT), Err(VerifyError::Mismatch));
}

#[test]
fn the_secret_chooses_the_profile_and_a_request_never_the_weaker_one() {
    let body_alone = without(signed(STANDARD), &WEBHOOK_SIGNATURE);
    let verifier = Verifier::new(secret(STANDARD));
    let missing = Err(VerifyError::Missing(WEBHOOK_SIGNATURE));
    assert_eq!(check(&verifier, &body_alone, AT), missing);
    let told = verifier.profile(Profile::BodyHmac);
    assert_eq!(check(&told, &body_alone, AT), Ok(()), "unless the receiver says so");
    // No time is signed in this profile, so that none can be stale.
    assert_eq!(check(&Verifier::new(secret("plain")), &signed("plain"), AT + 9999), Ok(()));
}

#[test]
fn either_header_of_the_body_profile_does_and_the_prefixed_one_counts() {
    let verifier = Verifier::new(secret("plain"));
    let headers = || signed("plain");
    for name in [X_SIGNATURE, X_SIGNATURE_256] {
        assert_eq!(check(&verifier, &without(headers(), &name), AT), Ok(()), "without {name}");
    }
    let neither = without(without(headers(), &X_SIGNATURE_256), &X_SIGNATURE);
    assert_eq!(check(&verifier, &neither, AT), Err(VerifyError::Missing(X_SIGNATURE)));
    let wrong = with(headers(), &X_SIGNATURE_256, "sha256=00");
    assert_eq!(check(&verifier, &wrong, AT), Err(VerifyError::Mismatch));
}

#[test]
fn a_body_signature_is_hexadecimal_in_either_case() {
    let hex = signed("plain")[X_SIGNATURE].to_str().unwrap().to_owned();
    let genuine =
        |text: &str| verify_body_signature(&PlainSigner::new(), b"{}", text, &secret("plain"));
    for good in [hex.clone(), hex.to_uppercase(), format!("sha256={hex}")] {
        assert!(genuine(&good), "{good}");
    }
    for bad in ["", "sha256=", "zz", "ä", &hex[..62], &hex[..63], &format!("{hex}00")] {
        assert!(!genuine(bad), "{bad:?}");
    }
}

#[test]
fn a_new_secret_has_a_key_of_its_own_in_the_standard_form() -> Result<(), SignerError> {
    let signer = PlainSigner::new();
    let (first, second) = (signer.generate_secret()?, signer.generate_secret()?);
    let mut random = [0; 32];
    PlainSigner::new().fill_random(&mut random)?;
    assert_eq!(first.standard_key().unwrap(), random);
    assert_eq!(secret(first.reveal()).reveal(), first.reveal(), "it passes the door");
    assert_ne!(first.reveal(), second.reveal());
    Ok(())
}

proptest! {
    #[test]
    fn what_we_send_is_accepted_and_no_other_body(
        body in prop::collection::vec(any::<u8>(), 0..64), at: prop::sample::Index, bit in 0u8..8,
    ) {
        for text in [STANDARD, "plain"] {
            let (verifier, signer) = (Verifier::new(secret(text)), PlainSigner::new());
            let headers = sent(Signing::with_secret(secret(text)), &body);
            let now = Timestamp::from_unix_secs(AT);
            prop_assert_eq!(verifier.verify(&signer, &headers, &body, now), Ok(()));
            let mut other = body.clone();
            other.push(0);
            other[at.index(body.len() + 1)] ^= 1 << bit;
            let refused = verifier.verify(&signer, &headers, &other, now);
            prop_assert_eq!(refused, Err(VerifyError::Mismatch));
        }
    }

    #[test]
    fn one_changed_character_of_a_signature_is_one_too_many(
        at: prop::sample::Index, other in "[!-~]", cut: prop::sample::Index,
    ) {
        for (text, name) in [(STANDARD, WEBHOOK_SIGNATURE), ("plain", X_SIGNATURE_256)] {
            let (verifier, headers) = (Verifier::new(secret(text)), signed(text));
            let genuine = headers[&name].to_str().unwrap().to_owned();
            let mut changed = genuine.clone();
            let at = at.index(genuine.len());
            changed.replace_range(at..=at, &other);
            let shorter = genuine[..cut.index(genuine.len())].to_owned();
            for forged in [changed, shorter] {
                // Hexadecimal may be written in either case.
                let same = forged.eq_ignore_ascii_case(&genuine)
                    && (name == X_SIGNATURE_256 || forged == genuine)
                    && forged.starts_with(&genuine[..3]);
                let verdict = check(&verifier, &with(headers.clone(), &name, &forged), AT);
                prop_assert_eq!(verdict.is_ok(), same, "{} for {}", forged, genuine);
            }
        }
    }

    #[test]
    fn no_time_far_from_now_and_no_other_text_is_a_time(
        time in prop_oneof![
            "[0-9]{1,24}",
            "[-+ ]?[0-9a-zA-Z.]{0,12}",
            (-305..305i64).prop_map(|after| (AT + after).to_string()),
            (295..305i64).prop_map(|after| (AT + after).to_string()),
            Just(i64::MIN.to_string()),
            Just("NaN".to_owned()),
        ],
        now in prop_oneof![Just(AT), any::<i64>()],
    ) {
        let headers = with(signed(STANDARD), &WEBHOOK_TIMESTAMP, &time);
        let verdict = check(&Verifier::new(secret(STANDARD)), &headers, now);
        let near = time.parse::<i64>().is_ok_and(|time| time.abs_diff(now) <= 300);
        let expected = match verdict {
            Err(VerifyError::Timestamp) => {
                time.bytes().any(|byte| !byte.is_ascii_digit()) || time.parse::<i64>().is_err()
            }
            Err(VerifyError::Stale) => !near,
            Err(VerifyError::Mismatch) => near,
            Ok(()) => time == AT.to_string(),
            Err(_) => false,
        };
        prop_assert!(expected, "{time} at {now}: {verdict:?}");
    }

    #[test]
    fn both_secrets_verify_while_they_overlap_and_the_old_one_no_longer(
        overlap in 1i64..86_400,
        after in prop_oneof![(0i64..200_000).prop_map(Ok), (-2i64..3).prop_map(Err)],
    ) {
        // Any time, or one close to the end.
        let after = after.unwrap_or_else(|beyond| (overlap + beyond).max(0));
        let rotated_at = Timestamp::from_unix_secs(AT);
        let signing = Signing::with_secret(secret(OTHER))
            .rotated(secret(STANDARD), rotated_at, Duration::from_secs(overlap.cast_unsigned()))
            .unwrap();
        let now = Timestamp::from_unix_secs(AT + after);
        let mut headers = signed(STANDARD);
        headers.remove(WEBHOOK_SIGNATURE);
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(AT + after));
        let id = headers[WEBHOOK_ID].to_str().unwrap().to_owned();
        signing.sign(&PlainSigner::new(), &Message::new(&id, now, b"{}"), &mut headers).unwrap();
        let by = |text| check(&Verifier::new(secret(text)), &headers, AT + after);
        prop_assert_eq!(by(STANDARD), Ok(()));
        prop_assert_eq!(by(OTHER).is_ok(), after < overlap);
    }

    #[test]
    fn any_header_is_accepted_or_refused(value in prop::collection::vec(any::<u8>(), 0..40)) {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        for text in [STANDARD, "plain"] {
            for name in [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE, X_SIGNATURE_256] {
                let mut headers = signed(text);
                headers.insert(name, value.clone());
                let _ = check(&Verifier::new(secret(text)), &headers, AT);
            }
        }
    }
}
