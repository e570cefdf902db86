//! What the tests on real files share.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each test uses some of it, and a panic here is the failed assertion"
)]

pub mod cut;
pub mod fixed;
pub mod place;
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub mod roles;

use tempfile::TempDir;
use uuid::Uuid;
use webhook_core::{
    Endpoint, EndpointId, Event, EventId, TenantId, Timestamp,
    store::{Enqueue, FanOut, Store, TenantVersion},
};
use webhook_store_seaorm::SeaOrmStore;

/// A folder, and the URL of a database file in it.
pub fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/webhooks.db?mode=rwc", folder.path().display());
    (folder, url)
}

pub async fn open(url: &str) -> SeaOrmStore {
    let store = SeaOrmStore::connect(url).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// A SeaORM connection of its own, as another program would have one.
pub async fn connect(url: &str) -> sea_orm::DatabaseConnection {
    sea_orm::Database::connect(url).await.unwrap()
}

/// The store as its port, which has the shared reads.
pub fn port(store: &SeaOrmStore) -> &dyn Store {
    store
}

pub fn endpoint() -> EndpointId {
    EndpointId::from_uuid(Uuid::from_u128(1))
}

/// Adds the endpoint, and answers the tenant's version with it.
pub async fn add_endpoint(store: &SeaOrmStore) -> TenantVersion {
    let url = "https://a.example/hooks".parse().unwrap();
    store.add_endpoint(Endpoint::new(endpoint(), url).with_max_in_flight(1000)).await.unwrap();
    port(store).snapshot(&TenantId::default()).await.unwrap().version()
}

pub fn event(number: u128) -> Event {
    let id = EventId::from_uuid(Uuid::from_u128(number));
    Event::new(id, "invoice.paid".parse().unwrap(), Timestamp::default(), "{}")
}

/// An event with one delivery.
pub fn enqueue(number: u128, version: TenantVersion) -> Enqueue {
    Enqueue::routed(event(number), FanOut::pending(version, [endpoint()]))
}
