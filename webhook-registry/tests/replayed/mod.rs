//! A replay of thousands that is killed half-way, and repeated.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]
#![allow(unreachable_pub, reason = "each database uses it")]

use std::{
    collections::BTreeMap,
    future::{pending, poll_fn},
    task::Poll,
    time::Duration,
};

use webhook_registry::{
    Deliveries, DeliveryStatus, EndpointId, Include, NewEndpoint, NewEvent, Replay, Trigger,
    Webhooks,
    database::SeaOrmStoreBuilder,
    store::{DeliveryQuery, ReplayState},
};
use webhook_testkit::{PlainSigner, ScriptedTransport};

/// Events that were missed.
const MISSED_EVENTS: usize = 5_000;

/// A process of its own, and what it sends.
async fn process(open: &SeaOrmStoreBuilder) -> (Webhooks, ScriptedTransport) {
    let (store, transport) = (open.clone().connect().await.unwrap(), ScriptedTransport::new());
    let builder = Webhooks::builder().store(store).signer(PlainSigner::new());
    (builder.transport(transport.clone()).build().unwrap(), transport)
}

/// An endpoint that was disabled while this many events came, and is enabled again.
async fn missed(webhooks: &Webhooks) -> EndpointId {
    let new = NewEndpoint::new("https://a.example/hooks");
    let endpoint = webhooks.add_endpoint(new).await.unwrap().endpoint.id;
    webhooks.operator().disable_endpoint(endpoint).await.unwrap();
    for _ in 0..MISSED_EVENTS / 500 {
        let events = (0..500).map(|_| NewEvent::new("invoice.paid", "{}").unwrap()).collect();
        for published in webhooks.publish_many(events).await {
            assert_eq!(published.unwrap().deliveries, Deliveries::Routed(0));
        }
    }
    webhooks.operator().enable_endpoint(endpoint).await.unwrap();
    endpoint
}

/// The tables are where `open` leads.
pub async fn a_replay_killed_half_way_and_repeated_sends_each_once(open: SeaOrmStoreBuilder) {
    open.clone().connect().await.unwrap().migrate().await.unwrap();
    let (first, sent_first) = process(&open).await;
    let endpoint = missed(&first).await;

    let replay = Replay::new(endpoint, Include::Missed);
    let mut replaying = first.operator().replay(replay).await.unwrap().rate(10_000);
    let begun = replaying.state().to_string();
    let estimate = replaying.estimate().await.unwrap();
    assert_eq!(estimate, MISSED_EVENTS as u64);
    while replaying.state().done < estimate / 2 {
        replaying.next_page().await.unwrap();
    }
    // Killed in the middle of a page, once the rate allows it: whether that one counts, nobody
    // knows.
    let mut page = Box::pin(replaying.next_page());
    for _ in 0..2 {
        let poll = poll_fn(|context| Poll::Ready(page.as_mut().poll(context).is_ready()));
        assert!(!poll.await, "it is under way");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(page);
    first.run_until_idle(None, pending()).await.unwrap();
    drop(first);

    // All that is left of it is what it told at its beginning.
    let (second, sent_second) = process(&open).await;
    let state: ReplayState = begun.parse().unwrap();
    let mut again = second.operator().resume_replay(state).rate(10_000);
    let left = again.estimate().await.unwrap();
    assert!(left <= estimate / 2, "{left} are left of {estimate}");
    assert_eq!(again.run().await.unwrap(), left, "as many as were left");
    assert_eq!(again.next_page().await.unwrap(), None, "it is over");
    second.run_until_idle(None, pending()).await.unwrap();

    let mut times = BTreeMap::<String, usize>::new();
    for sent in sent_first.requests().iter().chain(&sent_second.requests()) {
        let id = sent.request.headers["webhook-id"].to_str().unwrap();
        *times.entry(id.to_owned()).or_default() += 1;
    }
    assert_eq!(times.len() as u64, estimate, "none is forgotten");
    assert!(times.values().all(|times| *times == 1), "and none is sent twice");
    assert_each_is_delivered(&second, endpoint).await;
}

async fn assert_each_is_delivered(webhooks: &Webhooks, endpoint: EndpointId) {
    let (mut seen, mut cursor) = (0, None);
    loop {
        let mut query = DeliveryQuery::new().endpoint(endpoint).limit(DeliveryQuery::MAX_LIMIT);
        query.cursor = cursor;
        let page = webhooks.operator().deliveries(query).await.unwrap();
        assert!(page.items.iter().all(|it| it.status == DeliveryStatus::Success));
        if let Some(delivery) = page.items.first() {
            let attempts = webhooks.operator().attempts(delivery.id).await.unwrap();
            assert!(attempts.iter().all(|attempt| attempt.trigger == Trigger::Replay));
        }
        seen += page.items.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, MISSED_EVENTS);
}
