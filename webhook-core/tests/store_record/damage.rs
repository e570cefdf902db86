//! Unknown versions and damaged text are errors.

use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use uuid::Uuid;
use webhook_core::{
    Attempt, DeliveryId, Endpoint, EndpointId, Event, EventId, Timestamp,
    store_record::{AttemptRecord, DeliveryRecord, EndpointRecord, EventRecord, RecordError},
    store_state::DeliveryState,
};

fn endpoint_record() -> EndpointRecord {
    let id = EndpointId::from_uuid(Uuid::nil());
    let endpoint = Endpoint::new(id, "https://a.example/".parse().unwrap());
    EndpointRecord::of(&endpoint, None).unwrap()
}

fn event_record() -> EventRecord {
    let id = EventId::from_uuid(Uuid::nil());
    EventRecord::of(&Event::new(id, "a.b".parse().unwrap(), Timestamp::default(), "{}"))
}

fn delivery_record() -> DeliveryRecord {
    let id = DeliveryId::new(EventId::from_uuid(Uuid::nil()), EndpointId::from_uuid(Uuid::nil()));
    let state = DeliveryState::pending(Timestamp::default());
    DeliveryRecord::of(id, &"https://a.example/".parse().unwrap(), &state)
}

fn attempt_record() -> AttemptRecord {
    let (at, body) = (Timestamp::default(), Bytes::new());
    AttemptRecord::of(&Attempt::from_parts(1, at, Duration::ZERO, Some(200), None, body))
}

/// Reads a record with another value in one field, and turns it into its value.
fn with<R, T>(
    record: &R,
    (field, value): (&str, Value),
    into: impl Fn(R) -> Result<T, RecordError>,
) -> Result<(), String>
where
    R: Serialize + DeserializeOwned,
{
    let mut json = serde_json::to_value(record).unwrap();
    assert!(json.get(field).is_some(), "the record has a field {field}");
    json[field] = value;
    let record = serde_json::from_value(json).map_err(|error| error.to_string())?;
    into(record).map(drop).map_err(|error| error.to_string())
}

/// Checks that a record of another version, without a version, cut off, or with a value of another
/// type in any field is an error.
fn assert_guarded<R, T>(record: &R, into: impl Fn(R) -> Result<T, RecordError>)
where
    R: Serialize + DeserializeOwned + std::fmt::Debug,
{
    let text = serde_json::to_string(record).unwrap();
    assert!(text.starts_with("{\"v\":1,"), "the version is read first: {text}");
    for version in [0, 2, 4711] {
        let other = text.replacen("\"v\":1", &format!("\"v\":{version}"), 1);
        let error = serde_json::from_str::<R>(&other).unwrap_err().to_string();
        let expected = format!("unknown version {version} of a record: expected 1");
        assert!(error.starts_with(&expected), "{error}");
    }
    let error = serde_json::from_str::<R>(&text.replacen("\"v\":1,", "", 1)).unwrap_err();
    assert!(error.to_string().starts_with("missing field `v`"), "{error}");
    for end in 0..text.len() {
        assert!(serde_json::from_str::<R>(&text[..end]).is_err(), "cut off after {end}: {text}");
    }
    let json = serde_json::to_value(record).unwrap();
    for field in json.as_object().unwrap().keys() {
        let result = with(record, (field, json!([["bad"]])), &into);
        assert!(result.is_err(), "{field} has another type: {json}");
    }
}

#[test]
fn each_record_guards_its_version_and_types() {
    assert_guarded(&endpoint_record(), |record| record.into_endpoint(None));
    assert_guarded(&event_record(), EventRecord::into_event);
    assert_guarded(&delivery_record(), DeliveryRecord::into_parts);
    assert_guarded(&attempt_record(), AttemptRecord::into_attempt);
}

#[test]
fn a_damaged_endpoint_is_an_error() {
    let table = [
        ("id", json!("7")),
        ("tenant", json!("a b")),
        ("url", json!("ftp://a.example/")),
        ("filters", json!(["a..b"])),
        ("signing_keys", json!("")),
        ("signing_keys", json!("[{}]")),
        ("signing_keys", json!("[{\"secret\":\"\"}]")),
        ("signing_keys", json!("[{\"secret\":\"s\"}]")),
        ("profiles", json!(["standard"])),
        ("profiles", json!(["none"])),
        ("headers", json!("[[\"host\",\"b.example\"]]")),
        ("headers", json!("{}")),
        ("client_tls", json!("{\"roots\":\"no PEM\"}")),
        ("client_tls", json!("{\"identity\":[\"no\",\"PEM\"]}")),
        ("timeout", json!({ "secs": 31, "nanos": 0 })),
        ("timeout", json!({ "secs": 0, "nanos": 999_999 })),
        ("retry", json!("5")),
        ("max_in_flight", json!(-1)),
        ("rate", json!("fast")),
        ("description", json!("")),
        ("external_id", json!("a b")),
        ("metadata", json!({ "": "" })),
        ("order", json!("stop")),
        ("state", json!("asleep")),
        ("health", json!({ "failures": -1 })),
    ];
    for case in table {
        let result = with(&endpoint_record(), case.clone(), |record| record.into_endpoint(None));
        assert!(result.is_err(), "{case:?}");
    }
}

#[test]
fn a_damaged_event_is_an_error() {
    let table = [
        ("type", json!("a..b")),
        ("content_type", json!("json")),
        ("key", json!("a b")),
        ("ordering_key", json!("")),
        ("hops", json!(9)),
        ("body", json!("e30")),
        ("body", json!("no base64")),
    ];
    for case in table {
        assert!(with(&event_record(), case.clone(), EventRecord::into_event).is_err(), "{case:?}");
    }
}

#[test]
fn a_damaged_delivery_is_an_error() {
    let table = [
        ("id", json!("7")),
        ("url", json!("https://user:password@a.example/")),
        ("status", json!("lost")),
        ("epoch", json!(-1)),
        ("attempts", json!(4_294_967_296_u64)),
        ("claimed_by", json!("a\nb")),
        ("status", json!("success")),
        ("finished_at", json!(7)),
    ];
    for case in table {
        let result = with(&delivery_record(), case.clone(), DeliveryRecord::into_parts);
        assert!(result.is_err(), "{case:?}");
    }
}

#[test]
fn a_damaged_attempt_is_an_error() {
    let table = [
        ("number", json!(0)),
        ("status", json!(65_536)),
        ("failure", json!({ "kind": "tls" })),
        ("duration", json!(1)),
        ("response_body", json!("*")),
    ];
    for case in table {
        let result = with(&attempt_record(), case.clone(), AttemptRecord::into_attempt);
        assert!(result.is_err(), "{case:?}");
    }
}
