//! The store in a service: an event outlives the process that published it.

#![allow(clippy::unwrap_used, reason = "a panic is the failed test")]

use std::{path::Path, sync::Arc};

use redb_store::RedbStore;
use webhook_registry::{
    DeliveryStatus, DispatcherConfig, Mode, NewEndpoint, StoreErrorKind, SystemClock, Webhooks,
    store::DeliveryQuery,
};
use webhook_testkit::{PlainSigner, PlainVault, ScriptedTransport, status};

const SECRET: &str = "a-secret-of-the-receiver";

/// A process of the service: the store knows no tenant shares, and seals the secrets.
fn service(file: &Path, mode: Mode, transport: &ScriptedTransport) -> Webhooks {
    let vault = Arc::new(PlainVault::new("key"));
    Webhooks::builder()
        .store(RedbStore::open(file, SystemClock::new(), Some(vault)).unwrap())
        .transport(transport.clone())
        .signer(PlainSigner::new())
        .dispatcher(DispatcherConfig::new().tenant_share(DispatcherConfig::CONCURRENCY))
        .mode(mode)
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_event_is_delivered_by_a_later_process() {
    let folder = tempfile::tempdir().unwrap();
    let (file, transport) = (folder.path().join("webhooks.redb"), ScriptedTransport::new());
    let publisher = service(&file, Mode::PublishOnly, &transport);
    let endpoint = NewEndpoint::new("https://billing.example/hooks").secret(SECRET);
    publisher.add_endpoint(endpoint).await.unwrap();
    publisher.publish_json("invoice.paid", &[42]).await.unwrap();
    drop(publisher);
    assert!(transport.requests().is_empty(), "a process that only publishes sends nothing");

    transport.answers([status(200)]);
    let worker = service(&file, Mode::Both, &transport);
    worker.run_until_idle(None, std::future::pending()).await.unwrap();
    let requests = transport.requests();
    let bodies: Vec<_> = requests.iter().map(|sent| sent.request.body.as_ref()).collect();
    assert_eq!(bodies, [b"[42]"]);
    assert!(requests.iter().all(|sent| sent.request.headers.contains_key("x-signature")));
    let page = worker.operator().deliveries(DeliveryQuery::new()).await.unwrap();
    let statuses: Vec<_> = page.items.iter().map(|delivery| delivery.status).collect();
    assert_eq!(statuses, [DeliveryStatus::Success]);
}

#[tokio::test]
async fn the_file_holds_no_secret_in_plain_text() {
    let folder = tempfile::tempdir().unwrap();
    let (file, transport) = (folder.path().join("webhooks.redb"), ScriptedTransport::new());
    let webhooks = service(&file, Mode::PublishOnly, &transport);
    let endpoint = NewEndpoint::new("https://billing.example/hooks").secret(SECRET);
    webhooks.add_endpoint(endpoint).await.unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("https://billing.example/hooks"), "the endpoint is in the file");
    assert!(!holds(SECRET), "its secret is sealed");
}

#[test]
fn a_file_is_open_once_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("webhooks.redb");
    let first = RedbStore::open(&file, SystemClock::new(), None).unwrap();
    let error = RedbStore::open(&file, SystemClock::new(), None).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    drop(first);
    RedbStore::open(&file, SystemClock::new(), None).unwrap();
}
