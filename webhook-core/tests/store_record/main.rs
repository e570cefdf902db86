//! Records of stores: each value comes back as it was, and damaged text is an error.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is the failed test"
)]

mod damage;
mod secrets;
mod values;

use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use webhook_core::{
    Endpoint,
    store::SecretVault,
    store_record::{AttemptRecord, DeliveryRecord, EndpointRecord, EventRecord},
};
use webhook_testkit::PlainVault;

/// Writes a record as text, and reads the text.
fn reread<R: Serialize + DeserializeOwned>(record: &R) -> R {
    serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap()
}

/// Everything that an endpoint holds. Its `Debug` leaves out secrets and the query of the URL.
fn revealed(endpoint: &Endpoint) -> String {
    let keys: Vec<_> = endpoint.signing.keys().iter().map(|key| key.secret.reveal()).collect();
    let headers: Vec<_> = endpoint.headers.iter().collect();
    let tls = endpoint.tls.as_ref();
    let identity = tls.and_then(|tls| tls.identity());
    let pem = (
        identity.map(|identity| (identity.certificates_pem(), identity.reveal_key_pem())),
        tls.and_then(|tls| tls.roots_pem()),
    );
    format!("{endpoint:?} {} {keys:?} {headers:?} {pem:?}", endpoint.url.as_str())
}

proptest! {
    #[test]
    fn each_endpoint_comes_back(endpoint in values::endpoint(), has_vault: bool) {
        let vault = PlainVault::new("key");
        let vault = has_vault.then_some(&vault as &dyn SecretVault);
        let record = reread(&EndpointRecord::of(&endpoint, vault).unwrap());
        let read = record.into_endpoint(vault).unwrap();
        prop_assert_eq!(revealed(&read), revealed(&endpoint));
    }

    #[test]
    fn each_event_comes_back(event in values::event()) {
        prop_assert_eq!(reread(&EventRecord::of(&event)).into_event().unwrap(), event);
    }

    #[test]
    fn each_delivery_comes_back(delivery in values::delivery()) {
        let (id, url, state) = &delivery;
        let read = reread(&DeliveryRecord::of(*id, url, state)).into_parts().unwrap();
        prop_assert_eq!(read, delivery);
    }

    #[test]
    fn each_attempt_comes_back(attempt in values::attempt()) {
        prop_assert_eq!(reread(&AttemptRecord::of(&attempt)).into_attempt().unwrap(), attempt);
    }
}
