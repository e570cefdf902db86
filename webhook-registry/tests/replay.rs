//! What pausing, disabling and removing do to events; tests of endpoints; and replays.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

mod fakes;

use std::time::Duration;

use fakes::Fakes;

use webhook_registry::{
    Clock as _, Deliveries, DeliveryId, DeliveryStatus, EndpointId, EndpointState, Include,
    NewEndpoint, NewEvent, Replay, TenantId, Trigger,
    error::{EndpointError, TestError},
    store::{DeliveryQuery, ReplayState},
};
use webhook_testkit::{PlainSigner, status};

struct ReplayFixture {
    fakes: Fakes,
    tenant: TenantId,
    endpoint: EndpointId,
}

impl ReplayFixture {
    /// A customer with an endpoint that wants everything of `invoice` and tries once.
    async fn new() -> Self {
        let fakes = Fakes::new(PlainSigner::new());
        let new = NewEndpoint::new("https://a.example/hooks").events(["invoice.*"]).retry("none");
        let endpoint = fakes.webhooks.add_endpoint(new).await.unwrap().endpoint.id;
        Self { fakes, tenant: TenantId::default(), endpoint }
    }

    fn door(&self) -> webhook_registry::Tenant<'_> {
        self.fakes.webhooks.tenant(&self.tenant)
    }

    async fn publish(&self) -> (DeliveryId, Deliveries) {
        let event = NewEvent::json("invoice.paid", "x").unwrap();
        let published = self.door().publish(event).await.unwrap();
        (DeliveryId::new(published.event, self.endpoint), published.deliveries)
    }

    async fn status(&self, id: DeliveryId) -> DeliveryStatus {
        self.door().delivery(id).await.unwrap().unwrap().status
    }

    async fn triggers(&self, id: DeliveryId) -> Vec<Trigger> {
        let attempts = self.door().attempts(id).await.unwrap().unwrap();
        attempts.iter().map(|attempt| attempt.trigger).collect()
    }

    fn sent(&self) -> usize {
        self.fakes.transport.requests().len()
    }
}

#[tokio::test]
async fn a_paused_endpoint_keeps_new_deliveries_pending() {
    let world = ReplayFixture::new().await;
    world.door().endpoints().pause(world.endpoint).await.unwrap();
    let (id, deliveries) = world.publish().await;
    assert_eq!(deliveries, Deliveries::Routed(1));
    world.fakes.deliver(None).await;
    assert_eq!((world.status(id).await, world.sent()), (DeliveryStatus::Pending, 0));
    world.door().endpoints().resume(world.endpoint).await.unwrap();
    world.fakes.deliver(None).await;
    assert_eq!(world.status(id).await, DeliveryStatus::Success, "all of it is sent then");
}

#[tokio::test]
async fn a_disabled_endpoint_misses_what_comes_and_keeps_what_was_pending() {
    let world = ReplayFixture::new().await;
    let (before, _) = world.publish().await;
    world.door().endpoints().disable(world.endpoint).await.unwrap();
    let (missed, deliveries) = world.publish().await;
    assert_eq!(deliveries, Deliveries::Routed(0), "nobody gets it");
    let other = NewEvent::json("order.made", "x").unwrap();
    let other = world.door().publish(other).await.unwrap().event;
    let by_event = DeliveryQuery::new().event(other);
    assert!(world.door().deliveries(by_event).await.unwrap().items.is_empty(), "it is not wanted");
    world.fakes.deliver(None).await;
    assert_eq!(world.status(before).await, DeliveryStatus::Pending);
    assert_eq!(world.status(missed).await, DeliveryStatus::Missed);
    let listed = DeliveryQuery::new().status(DeliveryStatus::Missed);
    assert_eq!(world.door().deliveries(listed).await.unwrap().items.len(), 1);
    let page = world.fakes.webhooks.operator().explain(missed).await.unwrap().unwrap().to_string();
    assert!(page.contains("now: missed, as the endpoint was disabled"), "{page}");

    world.door().endpoints().enable(world.endpoint).await.unwrap();
    world.fakes.deliver(None).await;
    assert_eq!(world.status(before).await, DeliveryStatus::Success, "what waited is sent");
    assert_eq!(world.status(missed).await, DeliveryStatus::Missed, "what was missed is not");
}

#[tokio::test]
async fn a_removed_endpoint_has_what_was_pending_cancelled_and_its_record_kept() {
    let world = ReplayFixture::new().await;
    world.door().endpoints().pause(world.endpoint).await.unwrap();
    let (pending, _) = world.publish().await;
    world.door().endpoints().disable(world.endpoint).await.unwrap();
    let (missed, _) = world.publish().await;
    world.door().endpoints().remove(world.endpoint).await.unwrap();
    assert_eq!(world.status(pending).await, DeliveryStatus::Cancelled);
    assert_eq!(world.status(missed).await, DeliveryStatus::Missed);
    let (_, deliveries) = world.publish().await;
    assert_eq!(deliveries, Deliveries::Routed(0));
    let replay = world.door().replay(Replay::new(world.endpoint, Include::All)).await;
    assert!(matches!(replay, Err(EndpointError::NotFound(_))), "{replay:?}");
}

#[tokio::test]
async fn enabling_may_send_what_was_missed() {
    let world = ReplayFixture::new().await;
    world.door().endpoints().disable(world.endpoint).await.unwrap();
    let mut missed = Vec::new();
    for _ in 0..3 {
        missed.push(world.publish().await.0);
    }
    let endpoints = world.door().endpoints();
    let mut replaying = endpoints.enable_and_resend(world.endpoint).await.unwrap().rate(1000);
    assert_eq!(replaying.estimate().await.unwrap(), 3);
    assert_eq!(replaying.run().await.unwrap(), 3);
    world.fakes.deliver(None).await;
    for id in missed {
        assert_eq!(world.status(id).await, DeliveryStatus::Success);
        assert_eq!(world.triggers(id).await, [Trigger::Replay]);
    }
}

#[tokio::test]
async fn a_test_reaches_its_endpoint_whatever_it_wants_and_no_other() {
    let world = ReplayFixture::new().await;
    let all = NewEndpoint::new("https://everything.example/");
    world.door().endpoints().create(all).await.unwrap();
    // Edited by another process, which this one has not heard of.
    let id = world.door().endpoints().send_test(world.endpoint).await.unwrap();
    world.fakes.deliver(None).await;
    assert_eq!(world.status(id).await, DeliveryStatus::Success);
    assert_eq!(world.triggers(id).await, [Trigger::Test]);
    let requests = world.fakes.transport.requests();
    assert_eq!(requests.len(), 1, "nobody else gets it");
    assert_eq!(requests[0].request.headers["x-event-type"], "webhook.test");
    assert!(requests[0].request.headers.contains_key("webhook-signature"));
}

#[tokio::test]
async fn a_test_of_an_endpoint_that_gets_nothing_says_so() {
    let world = ReplayFixture::new().await;
    let endpoints = world.door().endpoints();
    endpoints.pause(world.endpoint).await.unwrap();
    let answer = endpoints.send_test(world.endpoint).await;
    let Err(TestError::NotActive { state: EndpointState::Paused, .. }) = &answer else {
        unreachable!("{answer:?}")
    };
    endpoints.disable(world.endpoint).await.unwrap();
    let answer = endpoints.send_test(world.endpoint).await.unwrap_err().to_string();
    assert!(answer.contains("is disabled, so nothing would arrive"), "{answer}");
    assert_eq!(world.publish().await.1, Deliveries::Routed(0), "nothing else was stored");
}

#[tokio::test]
async fn a_replay_sends_what_failed_again_and_nothing_twice() {
    let world = ReplayFixture::new().await;
    world.fakes.transport.otherwise(status(500));
    let mut failed = Vec::new();
    for _ in 0..5 {
        failed.push(world.publish().await.0);
    }
    world.fakes.deliver(None).await;
    world.fakes.clock.advance(Duration::from_secs(60));
    let replay = Replay::new(world.endpoint, Include::Failed);
    let mut replaying = world.door().replay(replay).await.unwrap().rate(8);
    let begun = replaying.state().clone();
    assert_eq!(replaying.estimate().await.unwrap(), 5);
    assert_eq!(replaying.next_page().await.unwrap(), Some(2), "a page is a quarter of the rate");

    // The page ends as badly as before, and the state of its beginning is handed in again.
    world.fakes.deliver(None).await;
    let token = begun.to_string();
    let again: ReplayState = token.parse().unwrap();
    let mut again = world.door().resume_replay(again).await.unwrap().rate(10_000);
    assert_eq!(again.estimate().await.unwrap(), 3, "two were sent since it began");
    assert_eq!(again.run().await.unwrap(), 3);
    world.fakes.transport.otherwise(status(200));
    world.fakes.deliver(None).await;
    assert_eq!(world.sent(), 10, "each once, and once more");
    for id in &failed {
        assert_eq!(world.triggers(*id).await, [Trigger::First, Trigger::Replay]);
    }
}

#[tokio::test]
async fn a_replay_keeps_its_rate() {
    let world = ReplayFixture::new().await;
    world.door().endpoints().disable(world.endpoint).await.unwrap();
    for _ in 0..40 {
        world.publish().await;
    }
    let began = world.fakes.clock.now();
    let replay = Replay::new(world.endpoint, Include::Missed);
    let mut replaying = world.door().replay(replay).await.unwrap().rate(8);
    let turn = async {
        loop {
            tokio::task::yield_now().await;
            if let Some(wait) = world.fakes.clock.next_deadline() {
                world.fakes.clock.advance(wait);
            }
        }
    };
    tokio::select! {
        biased;
        done = replaying.run() => assert_eq!(done.unwrap(), 40),
        () = turn => {}
    }
    let took = world.fakes.clock.now().since(began);
    assert_eq!(took.as_secs(), 5, "forty at eight a second");
}
