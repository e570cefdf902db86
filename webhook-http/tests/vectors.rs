//! Published signatures: ours must be the same bytes, and nothing else may verify.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in a test, a panic is the failed assertion"
)]

use http::{HeaderMap, HeaderName, HeaderValue};
use webhook_core::{
    Profile, Secret, Timestamp,
    signing::{
        Message, Signer as _, Verifier, VerifyError, WEBHOOK_ID, WEBHOOK_SIGNATURE,
        WEBHOOK_TIMESTAMP, X_SIGNATURE, X_SIGNATURE_256, body_signature, standard_signature,
    },
};
use webhook_http::{RingSigner, verify, verify_signature};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const MESSAGE_ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SENT_AT: i64 = 1_614_265_330;
const SENT_BODY: &[u8] = br#"{"test": 2432232314}"#;
const EXPECTED_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn secret(text: &str) -> Secret {
    text.parse().unwrap()
}

fn sign(secret_text: &str, id: &str, at: i64, body: &[u8]) -> String {
    let message = Message::new(id, Timestamp::from_unix_secs(at), body);
    standard_signature(&RingSigner, &secret(secret_text), &message).unwrap()
}

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
    pairs.collect()
}

fn signed(signature: &str) -> HeaderMap {
    let at = SENT_AT.to_string();
    headers(&[(WEBHOOK_ID, MESSAGE_ID), (WEBHOOK_TIMESTAMP, &at), (WEBHOOK_SIGNATURE, signature)])
}

fn check(headers: &HeaderMap, now: i64) -> Result<(), VerifyError> {
    let now = Timestamp::from_unix_secs(now);
    Verifier::new(secret(SECRET)).verify(&RingSigner, headers, SENT_BODY, now)
}

#[test]
fn standard_webhooks_signatures_are_the_published_ones() {
    let a = vec![b'a'; 1024 * 1024];
    let table: [(&str, &str, i64, &[u8], &str); 7] = [
        (SECRET, MESSAGE_ID, SENT_AT, SENT_BODY, EXPECTED_SIGNATURE),
        (
            OTHER_SECRET,
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            br#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (SECRET, MESSAGE_ID, SENT_AT, &a, "v1,txpEUxqWZJ5nteTnymUVa+7C4NHpBeXJ6CsBAW0c3/A="),
        (
            SECRET,
            MESSAGE_ID,
            SENT_AT,
            &a[..262_144],
            "v1,Mw4Pe2WgApuT7NSqnSq0PQPV9gbLdggCl9B865x5Xh0=",
        ),
        (
            SECRET,
            MESSAGE_ID,
            SENT_AT,
            &a[..262_143],
            "v1,NTItnqyWMoFhk2Bbe5V/BMdcFRWgcSQaTgqLHX7FC7c=",
        ),
        (SECRET, MESSAGE_ID, SENT_AT, b"", "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A="),
        (
            SECRET,
            MESSAGE_ID,
            SENT_AT,
            b"\xff\xfe\0\x01",
            "v1,W7qjtYy0OS8D2qv5IwYEFRY3HRjC2noXdGSKRY1DGWs=",
        ),
    ];
    for (secret, id, at, body, expected) in table {
        assert_eq!(sign(secret, id, at, body), expected, "{} bytes", body.len());
    }
}

#[test]
fn body_signatures_are_the_published_ones() {
    let table: [(&str, &[u8], &str); 2] = [
        (
            "It's a Secret to Everybody",
            b"Hello, World!",
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ),
        ("secret", b"{}", "77325902caca812dc259733aacd046b73817372c777b8d95b402647474516e13"),
    ];
    for (text, body, expected) in table {
        let secret = secret(text);
        assert_eq!(body_signature(&RingSigner, &secret, body).unwrap(), expected);
        for good in [expected.to_owned(), expected.to_uppercase(), format!("sha256={expected}")] {
            assert!(verify_signature(body, &good, &secret), "{good}");
        }
        for bad in [
            "",
            "sha256=",
            "sha1=",
            &expected[..8],
            &expected[..63],
            &format!("{expected}00"),
            "zz",
        ] {
            assert!(!verify_signature(body, bad, &secret), "{bad:?}");
        }
        assert!(!verify_signature(b"{ }", expected, &secret));
    }
}

#[test]
fn a_genuine_request_verifies_to_the_edges_of_the_tolerance() {
    for (now, expected) in [
        (SENT_AT, Ok(())),
        (SENT_AT + 300, Ok(())),
        (SENT_AT - 300, Ok(())),
        (SENT_AT + 301, Err(VerifyError::Stale)),
        (SENT_AT - 301, Err(VerifyError::Stale)),
        (i64::MAX / 1000, Err(VerifyError::Stale)),
        (i64::MIN / 1000, Err(VerifyError::Stale)),
    ] {
        assert_eq!(check(&signed(EXPECTED_SIGNATURE), now), expected, "{now}");
    }
}

#[test]
fn a_changed_signature_does_not_verify() {
    for bad in [
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLawdd",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=",
        "v1,R3PTzyfHASBKHH98a7yexTwaJ4yNIcGhFQc1yuN+BPU=",
        "v1,",
        "v1",
        "",
        ",",
        &EXPECTED_SIGNATURE[..8],
        &EXPECTED_SIGNATURE[3..],
        &EXPECTED_SIGNATURE.replace("v1,", "v2,"),
        &EXPECTED_SIGNATURE.replace("v1,", "v1a,"),
        &EXPECTED_SIGNATURE.replace("v1,", "V1,"),
    ] {
        assert_eq!(check(&signed(bad), SENT_AT), Err(VerifyError::Mismatch), "{bad:?}");
    }
}

#[test]
fn one_good_signature_among_decoys_is_enough() {
    const WRONG_SIGNATURE: &str = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    let second = WRONG_SIGNATURE.replace("v1,", "v2,");
    for list in [
        [EXPECTED_SIGNATURE, WRONG_SIGNATURE, &second],
        [WRONG_SIGNATURE, EXPECTED_SIGNATURE, &second],
        [WRONG_SIGNATURE, &second, EXPECTED_SIGNATURE],
    ] {
        assert_eq!(check(&signed(&list.join(" ")), SENT_AT), Ok(()), "{list:?}");
    }
    let decoys = [
        "v1,tFtCZ5RDCPxzWQRWXWPgrCgE2frDBe9gjpbWQxnVfsQ=",
        "v1,Mm7xgUVICxZfQ3bgf0h0Dof65L/IFx+PnZvnDWPCX6Q=",
        "v1,9DfC1c3eeOrXB6w/5dIDydLNQaEyww5KalE5jLBZucE=",
        &EXPECTED_SIGNATURE.replace("v1,", "v2,"),
    ];
    assert_eq!(check(&signed(&decoys.join(" ")), SENT_AT), Err(VerifyError::Mismatch));
    let flood = format!("{}{EXPECTED_SIGNATURE}", format!("{WRONG_SIGNATURE} ").repeat(100));
    assert_eq!(check(&signed(&flood), SENT_AT), Err(VerifyError::Mismatch));
}

#[test]
fn each_header_is_needed() {
    for name in [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE] {
        let mut headers = signed(EXPECTED_SIGNATURE);
        headers.remove(&name);
        assert_eq!(check(&headers, SENT_AT), Err(VerifyError::Missing(name)));
    }
}

#[test]
fn a_timestamp_is_a_whole_number() {
    for bad in [
        "teadwd",
        "",
        "-1",
        "+1614265330",
        "1614265330.5",
        "NaN",
        "99999999999999999999",
        " 1614265330 ",
    ] {
        let mut headers = signed(EXPECTED_SIGNATURE);
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from_bytes(bad.as_bytes()).unwrap());
        assert_eq!(check(&headers, SENT_AT), Err(VerifyError::Timestamp), "{bad:?}");
    }
}

#[test]
fn a_changed_body_id_or_secret_does_not_verify() {
    let now = Timestamp::from_unix_secs(SENT_AT);
    let verifier = Verifier::new(secret(SECRET));
    for at in 0..SENT_BODY.len() {
        let mut body = SENT_BODY.to_vec();
        body[at] ^= 1;
        let result = verifier.verify(&RingSigner, &signed(EXPECTED_SIGNATURE), &body, now);
        assert_eq!(result, Err(VerifyError::Mismatch), "byte {at}");
    }
    let mut headers = signed(EXPECTED_SIGNATURE);
    headers.insert(WEBHOOK_ID, HeaderValue::from_static("msg_other"));
    assert_eq!(check(&headers, SENT_AT), Err(VerifyError::Mismatch));
    let other = Verifier::new(secret(OTHER_SECRET));
    let result = other.verify(&RingSigner, &signed(EXPECTED_SIGNATURE), SENT_BODY, now);
    assert_eq!(result, Err(VerifyError::Mismatch));
}

#[test]
fn a_rotated_secret_verifies_while_both_are_known() {
    let now = Timestamp::from_unix_secs(SENT_AT);
    let both = Verifier::new(secret(OTHER_SECRET)).or(secret(SECRET));
    assert_eq!(both.verify(&RingSigner, &signed(EXPECTED_SIGNATURE), SENT_BODY, now), Ok(()));
}

#[test]
fn a_request_cannot_choose_the_weaker_profile() {
    let secret = secret(SECRET);
    let hex = body_signature(&RingSigner, &secret, SENT_BODY).unwrap();
    let headers = headers(&[(X_SIGNATURE, &hex), (X_SIGNATURE_256, &format!("sha256={hex}"))]);
    assert_eq!(check(&headers, SENT_AT), Err(VerifyError::Missing(WEBHOOK_ID)));
    let chosen = Verifier::new(secret).profile(Profile::BodyHmac);
    assert_eq!(verify(&chosen, &headers, SENT_BODY), Ok(()));
}

#[test]
fn an_old_request_is_stale_today() {
    let verifier = Verifier::new(secret(SECRET));
    assert_eq!(verify(&verifier, &signed(EXPECTED_SIGNATURE), SENT_BODY), Err(VerifyError::Stale));
}

#[test]
fn only_secrets_are_secrets() {
    let encoded = |bytes: usize| format!("whsec_{}", "A".repeat(bytes / 3 * 4));
    for good in [OTHER_SECRET, &encoded(24), &encoded(63), "secret"] {
        assert!(good.parse::<Secret>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "whsec_",
        "whsec_%",
        "whsec_wronglength",
        "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
        "whsk_6Xb/dCcHpPea21PS1N9VY",
        "hwsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        &encoded(21),
        &encoded(78),
    ] {
        assert!(bad.parse::<Secret>().is_err(), "{bad}");
    }
}

#[test]
fn a_generated_secret_signs() {
    let secret = RingSigner.generate_secret().unwrap();
    assert_eq!(secret.standard_key().unwrap().len(), 32);
    assert!(sign(secret.reveal(), MESSAGE_ID, SENT_AT, SENT_BODY).starts_with("v1,"));
}
