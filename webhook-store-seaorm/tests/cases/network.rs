//! Networks that fail.

use std::time::Duration;

use tokio::{net::lookup_host, time::timeout};
use webhook_core::{
    StoreErrorKind,
    store::{DeliveryLog as _, Enqueue, Store as _},
};
use webhook_store_seaorm::SeaOrmStore;
use webhook_testkit::relay::Relay;

use crate::common::{self, place::Place};

/// Units past their limit give up, and the next one finds connections that work.
pub async fn a_silent_network_costs_one_limit(place: &Place) {
    const LIMIT: Duration = Duration::from_secs(2);
    // More than a busy machine takes, and far less than a network that says nothing.
    const CALL_TIMEOUT: Duration = Duration::from_secs(10);
    // A busy machine may need more than one limit to open a connection.
    const TRIES: usize = 15;

    // Within a limit of its own: a busy machine takes its time for tables.
    place.open().await.close().await;
    let host = host_of(&place.url);
    let server = lookup_host(host).await.unwrap().next().unwrap();
    let relay = Relay::to(server).await.unwrap();
    let through = place.url.replacen(host, &relay.addr().to_string(), 1);
    let store =
        SeaOrmStore::builder(through).pool_size(1).unit_limit(LIMIT).connect().await.unwrap();
    let batch = |number| vec![Enqueue::unrouted(common::event(number))];
    store.enqueue(batch(1)).await.unwrap();

    // New connections work again.
    relay.silence();
    relay.speak();
    let answer = timeout(CALL_TIMEOUT, store.enqueue(batch(2))).await;
    let Ok(answer) = answer else { panic!("it goes on beyond its limit") };
    let error = answer.unwrap_err();
    let kinds = [StoreErrorKind::Unknown, StoreErrorKind::Unavailable];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    let mut tries = 1;
    while store.enqueue(batch(2)).await.is_err() {
        assert!(tries < TRIES, "it does not recover");
        tries += 1;
    }
    assert!(store.event(common::event(2).id).await.unwrap().is_some());
    drop(store);
}

/// Host and port, as they stand in a URL.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").unwrap().1;
    let authority = rest.split(['/', '?']).next().unwrap();
    authority.rsplit('@').next().unwrap()
}
