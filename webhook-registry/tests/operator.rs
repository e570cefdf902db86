//! What operators can rely on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

mod fakes;

use std::{future::pending, ops::Deref, time::Duration};

use fakes::Fakes;

use webhook_registry::{
    Deliveries, Delivery, DeliveryId, DeliveryStatus, DisabledReason, EndpointId, EndpointState,
    NewEndpoint,
    store::{Cancelled, DeliveryQuery, Prune, Redelivered},
    view::DeliveryView,
};
use webhook_testkit::{PlainSigner, status};

const ENDPOINT_URL: &str = "https://billing.example/hooks";

/// A process with an endpoint that wants everything and tries twice.
struct OperatorFixture {
    fakes: Fakes,
    endpoint: EndpointId,
}

impl Deref for OperatorFixture {
    type Target = Fakes;

    fn deref(&self) -> &Fakes {
        &self.fakes
    }
}

impl OperatorFixture {
    async fn new() -> Self {
        let fakes = Fakes::new(PlainSigner::new());
        let new = NewEndpoint::new(ENDPOINT_URL).retry("1s");
        let endpoint = fakes.webhooks.add_endpoint(new).await.unwrap().endpoint.id;
        Self { fakes, endpoint }
    }

    async fn publish(&self) -> DeliveryId {
        let published = self.webhooks.publish_json("a", "x").await.unwrap();
        assert_eq!(published.deliveries, Deliveries::Routed(1));
        DeliveryId::new(published.event, self.endpoint)
    }

    /// Delivers until nothing is left.
    async fn deliver(&self) {
        self.fakes.deliver(None).await;
    }

    async fn delivery(&self, id: DeliveryId) -> Delivery {
        self.webhooks.operator().delivery(id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_redelivered_delivery_is_tried_as_often_as_a_new_one() {
    let fakes = OperatorFixture::new().await;
    fakes.transport.otherwise(status(503));
    let id = fakes.publish().await;
    fakes.deliver().await;
    let delivery = fakes.delivery(id).await;
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Failed, 2));

    let operator = fakes.webhooks.operator();
    assert_eq!(operator.redeliver(&[id]).await.unwrap(), [Redelivered::Done]);
    fakes.deliver().await;
    let delivery = fakes.delivery(id).await;
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Failed, 4));
    let numbers =
        operator.attempts(id).await.unwrap().iter().map(|it| it.number).collect::<Vec<_>>();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[tokio::test]
async fn an_attempt_under_a_fresh_budget_waits_as_the_first_one_did() {
    let fakes = OperatorFixture::new().await;
    fakes.transport.otherwise(status(503));
    let id = fakes.publish().await;
    fakes.deliver().await;
    fakes.webhooks.operator().redeliver(&[id]).await.unwrap();
    fakes.transport.answers([status(503), status(200)]);
    fakes.deliver().await;
    assert_eq!(fakes.delivery(id).await.status, DeliveryStatus::Success);
    let requests = fakes.transport.requests();
    let ids: Vec<_> = requests.iter().map(|sent| &sent.request.headers["webhook-id"]).collect();
    assert_eq!(ids, [ids[0]; 4], "it is the same event all along");
}

#[tokio::test]
async fn what_a_query_finds_is_redelivered_in_pages_once() {
    let fakes = OperatorFixture::new().await;
    let operator = fakes.webhooks.operator();
    fakes.transport.otherwise(status(400));
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(fakes.publish().await);
        fakes.deliver().await;
        fakes.clock.advance(Duration::from_secs(60));
    }
    let since = fakes.delivery(ids[1]).await.created_at;
    let query = || DeliveryQuery::new().endpoint(fakes.endpoint).since(since).limit(3);
    let first = operator.redeliver_page(query()).await.unwrap();
    let answers =
        |page: &[(DeliveryId, Redelivered)]| page.iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(answers(&first.answers), [ids[4], ids[3], ids[2]], "the newest first");
    let second = operator.redeliver_page(query().after(first.next.unwrap())).await.unwrap();
    assert_eq!(answers(&second.answers), [ids[1]], "what is older stays");
    assert!(second.next.is_none());
    let all = first.answers.iter().chain(&second.answers);
    assert!(all.into_iter().all(|(_, answer)| *answer == Redelivered::Done));
    let again = operator.redeliver_page(query()).await.unwrap();
    assert!(again.answers.is_empty(), "what is due already is not found again");

    fakes.transport.otherwise(status(200));
    fakes.deliver().await;
    assert_eq!(fakes.delivery(ids[0]).await.status, DeliveryStatus::Failed);
    for id in &ids[1..] {
        assert_eq!(fakes.delivery(*id).await.status, DeliveryStatus::Success);
    }
    let none = operator.redeliver_page(query()).await.unwrap();
    assert!(none.answers.is_empty(), "without a status it is for those that failed");
}

#[tokio::test]
async fn a_delivery_tells_operators_the_process_that_has_claimed_it_and_no_tenant() {
    let world = OperatorFixture::new().await;
    let id = world.publish().await;
    world.deliver().await;
    let delivery = world.delivery(id).await;
    let name = delivery.claimed_by.as_ref().unwrap().to_string();
    assert!(name.ends_with(&format!(":{}", std::process::id())), "{name}");
    let view = serde_json::to_string(&DeliveryView::of(&delivery)).unwrap();
    assert!(!view.contains(&name) && !view.contains("claimed_by"), "{view}");
}

#[tokio::test]
async fn a_cancelled_delivery_is_not_sent() {
    let fakes = OperatorFixture::new().await;
    let operator = fakes.webhooks.operator();
    let (gone, left) = (fakes.publish().await, fakes.publish().await);
    assert_eq!(operator.cancel(&[gone]).await.unwrap(), [Cancelled::Done]);
    fakes.deliver().await;
    assert_eq!(fakes.transport.requests().len(), 1);
    assert_eq!(fakes.delivery(gone).await.status, DeliveryStatus::Cancelled);
    let answers = operator.cancel(&[gone, left]).await.unwrap();
    let unchanged = [DeliveryStatus::Cancelled, DeliveryStatus::Success].map(Cancelled::Unchanged);
    assert_eq!(answers, unchanged);
}

#[tokio::test]
async fn a_disabled_endpoint_gets_no_new_events_until_it_is_enabled() {
    let fakes = OperatorFixture::new().await;
    let operator = fakes.webhooks.operator();
    let id = fakes.publish().await;
    let by_hand = EndpointState::Disabled(DisabledReason::ByHand);
    for _ in 0..2 {
        assert_eq!(operator.disable_endpoint(fakes.endpoint).await.unwrap().state, by_hand);
    }
    let routed = fakes.webhooks.publish_json("a", "y").await.unwrap().deliveries;
    assert_eq!(routed, Deliveries::Routed(0));
    fakes.deliver().await;
    assert_eq!(fakes.delivery(id).await.status, DeliveryStatus::Pending, "what it had waits");
    for _ in 0..2 {
        let enabled = operator.enable_endpoint(fakes.endpoint).await.unwrap();
        assert_eq!(enabled.state, EndpointState::Active);
    }
    fakes.publish().await;
    fakes.deliver().await;
    assert_eq!(fakes.transport.requests().len(), 2);
}

#[tokio::test]
async fn enabling_does_not_resume_and_disabling_keeps_its_first_reason() {
    let fakes = OperatorFixture::new().await;
    let operator = fakes.webhooks.operator();
    operator.pause_endpoint(fakes.endpoint).await.unwrap();
    let paused = operator.enable_endpoint(fakes.endpoint).await.unwrap();
    assert_eq!(paused.state, EndpointState::Paused, "it was not disabled");
    operator.resume_endpoint(fakes.endpoint).await.unwrap();
    fakes.transport.answers([status(410)]);
    fakes.publish().await;
    fakes.deliver().await;
    let gone = operator.disable_endpoint(fakes.endpoint).await.unwrap();
    assert_eq!(gone.state, EndpointState::Disabled(DisabledReason::Gone));
}

#[tokio::test]
async fn a_status_names_the_endpoint_that_fails() {
    let fakes = OperatorFixture::new().await;
    let operator = fakes.webhooks.operator();
    fakes.transport.otherwise(status(503));
    let id = fakes.publish().await;
    let turn = async {
        loop {
            tokio::task::yield_now().await;
            fakes.clock.advance(Duration::from_millis(1));
        }
    };
    tokio::select! {
        biased;
        done = fakes.webhooks.run_until_idle(Some(Duration::ZERO), pending()) => { done.unwrap(); }
        () = turn => {}
    }
    let status = operator.status().await.unwrap();
    assert_eq!((status.pending, status.failing.len()), (1, 1), "{status:?}");
    assert_eq!((status.failing[0].delivery, status.failing[0].attempts), (id, 1));
}

#[tokio::test]
async fn a_prune_goes_on_to_its_end() {
    let fakes = OperatorFixture::new().await;
    let operator = fakes.webhooks.operator();
    for _ in 0..5 {
        fakes.publish().await;
    }
    fakes.deliver().await;
    let left = fakes.publish().await;
    fakes.clock.advance(Duration::from_secs(60));
    let prune = Prune::older_than(Duration::from_secs(30)).limit(2);
    let dry = operator.prune(prune.dry_run()).await.unwrap();
    let pruned = operator.prune(prune).await.unwrap();
    assert_eq!((pruned.deliveries, pruned.attempts, pruned.events), (5, 5, 5));
    assert_eq!((dry.deliveries, dry.attempts, dry.events), (5, 5, 5));
    assert_eq!(fakes.delivery(left).await.status, DeliveryStatus::Pending);
}
