//! Faults by script happen before a call has its effect, or after it.

use futures_util::FutureExt as _;
use webhook_core::{
    StoreErrorKind, TenantId,
    store::Store,
    transport::{Request, Transport, TransportErrorKind},
};
use webhook_testkit::{
    Fault, FaultyStore, FaultyTransport, MemoryStore, ScriptedTransport, StoreCall, World,
};

#[tokio::test]
async fn a_store_fails_before_or_after_its_effect() {
    let store = FaultyStore::new(MemoryStore::default());
    let (refused, unknown) = (StoreErrorKind::Refused, StoreErrorKind::Unknown);
    let script = [Fault::None, Fault::Before(refused), Fault::After(unknown)];
    store.fails(StoreCall::AddEndpoint, script);
    let (world, mut kinds) = (World::new(), Vec::new());
    for _ in 0..4 {
        let answer = store.add_endpoint(world.endpoint("https://a.example/")).await;
        kinds.push(answer.err().map(|error| error.kind()));
    }
    assert_eq!(kinds, [None, Some(refused), Some(unknown), None]);
    let stored = (&store as &dyn Store).snapshot(&TenantId::default()).await.unwrap();
    assert_eq!(stored.entries().len(), 3, "all but the one that failed before");
}

#[tokio::test]
async fn a_transport_fails_before_or_after_its_effect() {
    let inner = ScriptedTransport::new();
    let transport = FaultyTransport::new(inner.clone());
    let kind = TransportErrorKind::Other;
    transport.fails([Fault::Before(kind), Fault::After(kind)]);
    let url = || "https://a.example/".parse().unwrap();
    let mut sent = Vec::new();
    for _ in 0..3 {
        let answer = transport.send(Request::new(url(), Default::default(), "{}".into())).await;
        sent.push((answer.is_ok(), inner.requests().len()));
    }
    assert_eq!(sent, [(false, 0), (false, 1), (true, 2)]);
}

#[tokio::test]
async fn a_store_whose_answer_is_held_back_has_done_its_work() {
    let (memory, world) = (MemoryStore::default(), World::new());
    let store = FaultyStore::new(memory.clone());
    store.fails(StoreCall::AddEndpoint, [Fault::Held]);
    let mut add = store.add_endpoint(world.endpoint("https://a.example/"));
    assert!((&mut add).now_or_never().is_none());
    assert_eq!(
        (&memory as &dyn Store).snapshot(&TenantId::default()).await.unwrap().entries().len(),
        1
    );
    store.release_held(StoreCall::AddEndpoint);
    assert!(add.await.is_ok());
    assert_eq!(store.calls(StoreCall::AddEndpoint), 1);
}
