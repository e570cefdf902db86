//! Secrets of an endpoint: sealed by the vault, and never shown.

use std::{error::Error as _, time::Duration};

use uuid::Uuid;
use webhook_core::{
    Attempt, ClientIdentity, CustomHeaders, DeliveryId, Endpoint, EndpointId, EndpointTls, Event,
    EventId, Signing, StoreError, StoreErrorKind, Timestamp,
    store::{SecretVault, VaultError, VaultErrorKind},
    store_record::{AttemptRecord, DeliveryRecord, EndpointRecord, EventRecord, RecordError},
    store_state::DeliveryState,
};
use webhook_testkit::{PlainVault, mock::MockSecretVault};

use super::{
    reread, revealed,
    values::{CERTIFICATE_PEM, KEY_PEM},
};

const SECRET_FIELDS: [&str; 3] = ["signing_keys", "headers", "client_tls"];

fn endpoint(number: u128) -> Endpoint {
    let identity = ClientIdentity::from_pem(CERTIFICATE_PEM, KEY_PEM).unwrap();
    let id = EndpointId::from_uuid(Uuid::from_u128(number));
    Endpoint::new(id, "https://a.example/?token=c4nary".parse().unwrap())
        .with_signing(Signing::with_secret("c4nary".parse().unwrap()))
        .with_headers(CustomHeaders::parse(["Authorization: Bearer c4nary"]).unwrap())
        .with_tls(Some(EndpointTls::new().with_identity(identity)))
}

fn record(vault: &PlainVault) -> EndpointRecord {
    EndpointRecord::of(&endpoint(1), Some(vault)).unwrap()
}

#[test]
fn a_vault_seals_each_secret() {
    let vault = PlainVault::new("key");
    let json = serde_json::to_value(record(&vault)).unwrap();
    for field in SECRET_FIELDS {
        let text = json[field].as_str().unwrap();
        assert!(text.starts_with("sealed:") && !text.contains("c4nary"), "{field}: {text}");
    }
    let plain = serde_json::to_value(EndpointRecord::of(&endpoint(1), None).unwrap()).unwrap();
    for field in SECRET_FIELDS {
        let text = plain[field].as_str().unwrap();
        assert!(text.contains("c4nary"), "{field} without a vault: {text}");
    }
    let read = serde_json::from_value::<EndpointRecord>(plain).unwrap();
    let read = read.into_endpoint(Some(&vault)).unwrap();
    assert_eq!(revealed(&read), revealed(&endpoint(1)), "plain text stays readable with a vault");
}

#[test]
fn a_former_key_opens_and_a_missing_one_is_an_error() {
    let old = record(&PlainVault::new("old"));
    let both = PlainVault::new("new").with_former("old");
    let read = old.clone().into_endpoint(Some(&both)).unwrap();
    assert_eq!(revealed(&read), revealed(&endpoint(1)));
    let error = old.clone().into_endpoint(None).unwrap_err();
    assert!(matches!(error, RecordError::NoVault("signing_keys")), "{error:?}");
    let error = old.into_endpoint(Some(&PlainVault::new("new"))).unwrap_err();
    assert!(matches!(error, RecordError::NotOpened("signing_keys", _)), "{error:?}");
    assert_eq!(StoreError::from(error).kind(), StoreErrorKind::Corrupt);
}

#[test]
fn a_sealed_secret_is_bound_to_its_field_and_endpoint() {
    let vault = PlainVault::new("key");
    let json = serde_json::to_value(record(&vault)).unwrap();
    let other = EndpointRecord::of(&endpoint(2), Some(&vault)).unwrap();
    let other = serde_json::to_value(other).unwrap();
    for (field, text) in [("headers", &json["signing_keys"]), ("headers", &other["headers"])] {
        let mut moved = json.clone();
        moved[field] = text.clone();
        let moved: EndpointRecord = serde_json::from_value(moved).unwrap();
        let error = moved.into_endpoint(Some(&vault)).unwrap_err();
        assert!(matches!(error, RecordError::NotOpened("headers", _)), "{error:?}");
    }
}

#[test]
fn an_endpoint_is_not_recorded_unsealed_if_the_vault_fails() {
    let mut vault = MockSecretVault::new();
    vault.expect_seal().returning(|_, _| Err(VaultError::new(VaultErrorKind::NoRandomness)));
    let error = EndpointRecord::of(&endpoint(1), Some(&vault as &dyn SecretVault)).unwrap_err();
    assert!(matches!(error, RecordError::NotSealed("signing_keys", _)), "{error:?}");
    assert!(error.source().is_some(), "the reason is the error of the vault");
    assert_eq!(StoreError::from(error).kind(), StoreErrorKind::Other);
}

#[test]
fn no_secret_shows_in_debug_or_errors() {
    let record = EndpointRecord::of(&endpoint(1), None).unwrap();
    let mut json = serde_json::to_value(&record).unwrap();
    json["profiles"] = serde_json::json!(["standard"]);
    let damaged: EndpointRecord = serde_json::from_value(json).unwrap();
    let error = damaged.into_endpoint(None).unwrap_err();

    let (at, id) = (Timestamp::default(), EventId::from_uuid(Uuid::nil()));
    let event = EventRecord::of(&Event::new(id, "a".parse().unwrap(), at, "c4nary"));
    let state = DeliveryState::pending(at);
    let delivery = DeliveryId::new(id, endpoint(1).id);
    let delivery = DeliveryRecord::of(delivery, &endpoint(1).url, &state);
    let attempt = Attempt::from_parts(1, at, Duration::ZERO, None, None, "c4nary".into());
    let attempt = AttemptRecord::of(&attempt);
    let shown = format!(
        "{record:?} {event:?} {delivery:?} {attempt:?} {error:?} {error} {:?}",
        reread(&event)
    );
    assert!(!shown.contains("c4nary") && !shown.contains("YzRuYXJ5"), "{shown}");
}
