//! Secrets that are sealed at rest.

use std::{sync::Arc, time::Duration};

use webhook_core::{
    ClientIdentity, CustomHeaders, Endpoint, EndpointTls, Signing, StoreErrorKind, TenantId,
    store::{ClaimDue, Store as _, Updated},
};
use webhook_store_seaorm::{SeaOrmStore, SealStatus};
use webhook_testkit::PlainVault;

use crate::common::{endpoint, enqueue, place::Place, port};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const HEADER: &str = "Bearer canary-of-the-header";
pub const KEY: &str = "-----BEGIN PRIVATE KEY-----\ncanary-of-the-key\n-----END PRIVATE KEY-----\n";

pub async fn sealing(place: &Place, vault: PlainVault) -> SeaOrmStore {
    let store = SeaOrmStore::builder(&place.url).vault(Arc::new(vault)).connect().await.unwrap();
    store.migrate().await.unwrap();
    store
}

pub fn secretive() -> Endpoint {
    let headers = CustomHeaders::new([("authorization", HEADER)]).unwrap();
    Endpoint::new(endpoint(), "https://a.example/hooks".parse().unwrap())
        .with_signing(Signing::with_secret(SECRET.parse().unwrap()))
        .with_headers(headers)
        .with_tls(Some(EndpointTls::new().with_identity(identity())))
}

fn identity() -> ClientIdentity {
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    ClientIdentity::from_pem(certificate, KEY).unwrap()
}

fn why(error: &dyn std::error::Error) -> String {
    error.source().unwrap().to_string()
}

async fn reads(store: &SeaOrmStore) -> bool {
    let found = store.endpoints(&[endpoint()]).await.unwrap().remove(0).unwrap().unwrap();
    let headers: Vec<_> = found.headers.iter().collect();
    let key = found.tls.as_ref().and_then(|tls| tls.identity()).map(ClientIdentity::reveal_key_pem);
    found.signing.keys()[0].secret.reveal() == SECRET
        && headers == [("authorization", HEADER)]
        && key == Some(KEY)
}

async fn status(store: &SeaOrmStore) -> [u64; 4] {
    let SealStatus { current, former, plain, unreadable, .. } = store.seal_status().await.unwrap();
    [current, former, plain, unreadable]
}

pub async fn a_key_is_replaced_without_a_gap(place: &Place) {
    let plain = place.open().await;
    plain.add_endpoint(secretive()).await.unwrap();
    let old = sealing(place, PlainVault::new("old")).await;
    assert!(reads(&old).await, "what was stored without a vault reads");
    assert_eq!(status(&old).await, [0, 0, 1, 0]);
    let version = port(&old).snapshot(&TenantId::default()).await.unwrap().version();
    assert_eq!(old.reseal().await.unwrap().resealed, 1);
    assert!(reads(&old).await);
    assert_eq!(status(&old).await, [1, 0, 0, 0]);
    let again = old.reseal().await.unwrap();
    assert_eq!((again.resealed, again.current), (0, 1), "nothing is left to do");

    let both = sealing(place, PlainVault::new("new").with_former("old")).await;
    assert!(reads(&both).await, "a former key opens");
    assert_eq!(status(&both).await, [0, 1, 0, 0]);
    assert_eq!(both.reseal().await.unwrap().resealed, 1);
    let new = sealing(place, PlainVault::new("new")).await;
    assert!(reads(&new).await, "the former key is needed no more");
    let snapshot = port(&new).snapshot(&TenantId::default()).await.unwrap();
    assert_eq!(snapshot.version(), version, "nobody has to load it anew");
    assert_eq!(status(&old).await, [0, 0, 0, 1], "a process left behind says so");
    assert_eq!(old.reseal().await.unwrap().unreadable, 1, "and leaves it alone");
    assert!(reads(&new).await);
}

pub async fn an_edit_seals_what_was_plain(place: &Place) {
    place.open().await.add_endpoint(secretive()).await.unwrap();
    let store = sealing(place, PlainVault::new("a")).await;
    let stored = store.endpoints(&[endpoint()]).await.unwrap().remove(0).unwrap().unwrap();
    assert!(matches!(store.update_endpoint(stored).await.unwrap(), Updated::Done(_)));
    assert_eq!(status(&store).await, [1, 0, 0, 0]);
    assert!(reads(&store).await);
}

pub async fn without_the_key_its_deliveries_wait_and_nothing_is_lost(place: &Place) {
    let store = sealing(place, PlainVault::new("a")).await;
    store.add_endpoint(secretive()).await.unwrap();
    let version = port(&store).snapshot(&TenantId::default()).await.unwrap().version();
    store.enqueue(vec![enqueue(1, version)]).await.unwrap();
    let claim = || ClaimDue::new(10, Duration::from_secs(60));
    for blind in [place.open().await, sealing(place, PlainVault::new("b")).await] {
        let claimed = blind.claim_due(claim()).await.unwrap();
        assert_eq!((claimed.claims.len(), claimed.next_due), (0, None), "nothing is taken");
        let error = port(&blind).endpoint(endpoint()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let said = format!("{error:?} {}", why(&error));
        assert!(said.contains("WEBHOOK_VAULT_KEY_FILE"), "{said}");
        assert!(!said.contains("sealed:"), "{said}");
        let snapshot = port(&blind).snapshot(&TenantId::default()).await.unwrap();
        assert_eq!(snapshot.entries().len(), 1, "routing needs no secret");
    }
    assert_eq!(store.claim_due(claim()).await.unwrap().claims.len(), 1, "its delivery has waited");
    let without = place.open().await;
    assert!(why(&without.reseal().await.unwrap_err()).contains("WEBHOOK_VAULT_KEY_FILE"));
}

pub async fn a_sealed_text_moved_to_another_column_does_not_open(place: &Place) {
    let store = sealing(place, PlainVault::new("a")).await;
    store.add_endpoint(secretive()).await.unwrap();
    place.sql("UPDATE webhook_endpoints SET signing_keys = headers").await;
    let error = port(&store).endpoint(endpoint()).await.unwrap_err();
    assert!(why(&error).contains("cannot open the sealed column signing_keys"), "{error:?}");
    assert_eq!(status(&store).await, [0, 0, 0, 1]);
}
