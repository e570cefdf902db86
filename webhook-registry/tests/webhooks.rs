//! `Webhooks` over fakes: what publishers and operators can rely on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

use std::{future::pending, sync::Arc, time::Duration};

use webhook_registry::{
    Clock, Deliveries, DeliveryStatus, Endpoint, EndpointId, EndpointState, EndpointUrl, EventId,
    NewEndpoint, NewEvent, StoreErrorKind, TenantId, Webhooks,
    error::{EndpointError, InvalidEndpoint, InvalidEvent, PublishError},
    store::DeliveryQuery,
    transport::{Request, Response, Transport, TransportError, TransportErrorKind},
};
use webhook_testkit::{
    Fault, FaultyStore, ManualClock, MemoryStore, PlainSigner, ScriptedTransport, SequenceIds,
    StoreCall, status,
};

const BILLING_URL: &str = "https://billing.example/hooks";

/// The fakes behind some webhooks. Two processes on one store are two `Webhooks` over these.
struct SharedFakes {
    clock: ManualClock,
    store: MemoryStore,
    transport: ScriptedTransport,
    ids: SequenceIds,
}

impl SharedFakes {
    fn new() -> Self {
        let clock = ManualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let transport = ScriptedTransport::with_clock(shared.clone());
        Self { clock, store: MemoryStore::new(shared), transport, ids: SequenceIds::new() }
    }

    fn process(&self) -> Webhooks {
        self.over(self.store.clone())
    }

    fn over(&self, store: impl webhook_registry::store::Store) -> Webhooks {
        Webhooks::builder()
            .store(store)
            .transport(self.transport.clone())
            .signer(PlainSigner::new())
            .clock(self.clock.clone())
            .ids(self.ids.clone())
            .build()
            .unwrap()
    }

    /// Delivers until nothing is left, turning the clock whenever everybody waits.
    async fn deliver(&self, webhooks: &Webhooks) {
        let turn = async {
            loop {
                tokio::task::yield_now().await;
                if let Some(wait) = self.clock.next_deadline() {
                    self.clock.advance(wait);
                }
            }
        };
        tokio::select! {
            biased;
            done = webhooks.run_until_idle(None, pending()) => { done.unwrap(); }
            () = turn => {}
        }
    }

    fn sent_to(&self) -> Vec<String> {
        self.transport.requests().iter().map(|sent| sent.request.url.to_string()).collect()
    }
}

async fn add(webhooks: &Webhooks, url: &str, filters: &[&str]) -> Endpoint {
    webhooks
        .add_endpoint(NewEndpoint::new(url).events(filters.iter().copied()))
        .await
        .unwrap()
        .endpoint
}

#[tokio::test]
async fn an_event_is_delivered_to_everyone_who_wants_it() {
    let fakes = SharedFakes::new();
    let webhooks = fakes.process();
    add(&webhooks, "https://a.example/", &["invoice.*"]).await;
    add(&webhooks, "https://b.example/", &["invoice.paid"]).await;
    add(&webhooks, "https://c.example/", &["user.*"]).await;
    let published = webhooks.publish_json("invoice.paid", &[42]).await.unwrap();
    assert_eq!(published.deliveries, Deliveries::Routed(2));
    fakes.deliver(&webhooks).await;
    let mut sent = fakes.sent_to();
    sent.sort();
    assert_eq!(sent, ["https://a.example/", "https://b.example/"]);
    assert_eq!(fakes.transport.requests()[0].request.body, "[42]");
}

#[tokio::test]
async fn an_endpoint_added_by_one_process_gets_what_another_publishes_next() {
    let fakes = SharedFakes::new();
    let (one, other) = (fakes.process(), fakes.process());
    add(&one, "https://a.example/", &["**"]).await;
    one.publish_json("first", "x").await.unwrap();
    add(&other, "https://b.example/", &["**"]).await;
    let published = one.publish_json("second", "x").await.unwrap();
    assert_eq!(published.deliveries, Deliveries::Later, "its snapshot was stale");
    assert_eq!(one.publish_json("third", "x").await.unwrap().deliveries, Deliveries::Routed(2));
    fakes.deliver(&one).await;
    assert_eq!(fakes.sent_to().iter().filter(|url| *url == "https://b.example/").count(), 2);
}

#[tokio::test]
async fn a_key_makes_the_second_event_the_first_one_again() {
    let fakes = SharedFakes::new();
    let webhooks = fakes.process();
    add(&webhooks, BILLING_URL, &["**"]).await;
    let event = |body: &'static str| NewEvent::new("a", body).unwrap().key("order-7").unwrap();
    let first = webhooks.publish(event("{}")).await.unwrap();
    let second = webhooks.publish(event("{}")).await.unwrap();
    assert_eq!((second.event, second.deliveries), (first.event, Deliveries::AlreadyPublished));
    let other = webhooks.publish(event("[]")).await.unwrap_err();
    let text = "another event has the key order-7 and a different body, type or tenant: event ";
    assert_eq!(other.to_string(), format!("{text}{}", first.event), "it names both");
    let elsewhere = event("[]").tenant("acme".parse().unwrap());
    assert!(webhooks.publish(elsewhere).await.is_ok(), "keys are the tenant's own");
}

#[tokio::test]
async fn an_id_makes_the_second_event_the_first_one_again() {
    let fakes = SharedFakes::new();
    let webhooks = fakes.process();
    add(&webhooks, BILLING_URL, &["**"]).await;
    let id = EventId::from_uuid(uuid::Uuid::from_u128(7));
    let event = |body: &'static str| NewEvent::new("a", body).unwrap().id(id);
    assert_eq!(webhooks.publish(event("{}")).await.unwrap().deliveries, Deliveries::Routed(1));
    let second = webhooks.publish(event("{}")).await.unwrap();
    assert_eq!((second.event, second.deliveries), (id, Deliveries::AlreadyPublished));
    let of_acme = event("{}").tenant("acme".parse().unwrap());
    for other in [event("[]"), of_acme] {
        let other = webhooks.publish(other).await.unwrap_err();
        let text = "another event has the id {id} and a different body, type or tenant: event {id}";
        assert_eq!(other.to_string(), text.replace("{id}", &id.to_string()));
    }
    fakes.deliver(&webhooks).await;
    assert_eq!(fakes.sent_to(), [BILLING_URL], "it is sent once");
}

#[tokio::test]
async fn an_event_whose_answers_are_all_lost_is_published_again_under_its_id_or_key() {
    let fakes = SharedFakes::new();
    let store = FaultyStore::new(fakes.store.clone());
    let lost = std::iter::repeat_n(Fault::After(StoreErrorKind::Unknown), 3);
    store.fails(StoreCall::Enqueue, lost.clone().chain([Fault::None]).chain(lost));
    let webhooks = fakes.over(store);
    add(&webhooks, BILLING_URL, &["**"]).await;
    let id = EventId::from_uuid(uuid::Uuid::from_u128(7));
    let by_id = || NewEvent::new("a", "{}").unwrap().id(id);
    let by_key = || NewEvent::new("a", "{}").unwrap().key("order-7").unwrap();
    assert!(matches!(webhooks.publish(by_id()).await, Err(PublishError::Unknown(_))));
    let again = webhooks.publish(by_id()).await.unwrap();
    assert_eq!((again.event, again.deliveries), (id, Deliveries::AlreadyPublished));
    assert!(matches!(webhooks.publish(by_key()).await, Err(PublishError::Unknown(_))));
    let again = webhooks.publish(by_key()).await.unwrap();
    assert_eq!(again.deliveries, Deliveries::AlreadyPublished);
    fakes.deliver(&webhooks).await;
    assert_eq!(fakes.sent_to().len(), 2, "each is sent once");
}

#[tokio::test]
async fn one_bad_event_of_many_does_not_keep_the_others_from_being_stored() {
    let fakes = SharedFakes::new();
    let webhooks = fakes.process();
    add(&webhooks, BILLING_URL, &["**"]).await;
    let big = NewEvent::new("big", vec![b'1'; 256 * 1024 + 1]).unwrap();
    let fits = NewEvent::new("fits", vec![b'1'; 256 * 1024]).unwrap();
    let small = NewEvent::new("small", "{}").unwrap();
    let answers = webhooks.publish_many(vec![small, big, fits]).await;
    assert!(answers[0].is_ok() && answers[2].is_ok());
    let limit = 256 * 1024;
    let too_large = InvalidEvent::TooLarge { len: limit + 1, limit };
    assert!(matches!(&answers[1], Err(PublishError::Invalid(error)) if *error == too_large));
    assert!(webhooks.publish_many(vec![]).await.is_empty());
}

#[tokio::test]
async fn a_lost_commit_answer_does_not_double_an_event() {
    let fakes = SharedFakes::new();
    let store = FaultyStore::new(fakes.store.clone());
    store.fails(StoreCall::Enqueue, [Fault::After(StoreErrorKind::Unknown)]);
    let webhooks = fakes.over(store);
    add(&webhooks, BILLING_URL, &["**"]).await;
    let published = webhooks.publish_json("a", "x").await.unwrap();
    let event = published.event;
    assert_eq!(published.deliveries, Deliveries::Later, "stored, by the try whose answer was lost");
    fakes.deliver(&webhooks).await;
    let deliveries = webhooks.operator().deliveries(DeliveryQuery::new()).await.unwrap().items;
    assert_eq!(deliveries.len(), 1);
    assert_eq!((deliveries[0].id.event, deliveries[0].status), (event, DeliveryStatus::Success));
}

#[tokio::test]
async fn a_lost_commit_answer_does_not_double_an_endpoint() {
    let fakes = SharedFakes::new();
    let store = FaultyStore::new(fakes.store.clone());
    let unknown = StoreErrorKind::Unknown;
    store.fails(StoreCall::AddEndpoint, [Fault::After(unknown), Fault::Before(unknown)]);
    let webhooks = fakes.over(store);
    let id = add(&webhooks, BILLING_URL, &["**"]).await.id;
    let endpoints = webhooks.operator().endpoints(None).await.unwrap();
    assert_eq!(endpoints.iter().map(|endpoint| endpoint.id).collect::<Vec<_>>(), [id]);
}

#[tokio::test]
async fn an_error_after_a_lost_answer_to_an_endpoint_is_unknown() {
    let fakes = SharedFakes::new();
    let store = FaultyStore::new(fakes.store.clone());
    let (unknown, unavailable) = (StoreErrorKind::Unknown, StoreErrorKind::Unavailable);
    store.fails(StoreCall::AddEndpoint, [Fault::After(unknown), Fault::Before(unavailable)]);
    let webhooks = fakes.over(store);
    let new = NewEndpoint::new(BILLING_URL).events(["**"]);
    match webhooks.add_endpoint(new).await {
        Err(EndpointError::Store(error)) => assert_eq!(error.kind(), unknown),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_tenant_whose_endpoints_cannot_be_read_keeps_nobody_from_publishing() {
    let fakes = SharedFakes::new();
    let store = FaultyStore::new(fakes.store.clone());
    store.fails(StoreCall::Routing, [Fault::Before(StoreErrorKind::Corrupt)]);
    let webhooks = fakes.over(store);
    let event = |tenant: &str| NewEvent::new("a", "{}").unwrap().tenant(tenant.parse().unwrap());
    let answers = webhooks.publish_many(vec![event("bad"), event("good")]).await;
    let deliveries: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().deliveries).collect();
    assert_eq!(deliveries, [Deliveries::Later, Deliveries::Routed(0)]);
}

#[tokio::test]
async fn running_until_idle_outlasts_a_store_that_is_away_for_a_moment() {
    let fakes = SharedFakes::new();
    let store = FaultyStore::new(fakes.store.clone());
    store.fails(StoreCall::Backlog, [Fault::Before(StoreErrorKind::Unavailable)]);
    let webhooks = fakes.over(store);
    add(&webhooks, BILLING_URL, &["**"]).await;
    webhooks.publish_json("a", "x").await.unwrap();
    fakes.deliver(&webhooks).await;
    assert_eq!(fakes.sent_to(), [BILLING_URL]);
}

#[tokio::test]
async fn a_publisher_learns_whether_its_event_is_stored() {
    let fakes = SharedFakes::new();
    let store = FaultyStore::new(fakes.store.clone());
    let kinds = [StoreErrorKind::Unavailable, StoreErrorKind::Refused];
    store.fails(StoreCall::Enqueue, kinds.map(Fault::Before));
    store.fails(StoreCall::Enqueue, std::iter::repeat_n(Fault::Before(StoreErrorKind::Unknown), 3));
    let webhooks = fakes.over(store);
    assert!(matches!(webhooks.publish_json("a", "x").await, Err(PublishError::Unavailable(_))));
    assert!(matches!(webhooks.publish_json("a", "x").await, Err(PublishError::Store(_))));
    assert!(matches!(webhooks.publish_json("a", "x").await, Err(PublishError::Unknown(_))));
    assert!(webhooks.publish_json("a", "x").await.is_ok());
}

#[tokio::test]
async fn a_made_secret_is_shown_once_and_signs() {
    let fakes = SharedFakes::new();
    let webhooks = fakes.process();
    let made = webhooks.add_endpoint(NewEndpoint::new(BILLING_URL)).await.unwrap();
    assert!(made.secret.unwrap().reveal().starts_with("whsec_"));
    let unsigned = webhooks.add_endpoint(NewEndpoint::new(BILLING_URL).unsigned()).await.unwrap();
    assert!(unsigned.secret.is_none());
    webhooks.publish_json("a", "x").await.unwrap();
    fakes.deliver(&webhooks).await;
    let requests = fakes.transport.requests();
    let with =
        |name: &str| requests.iter().filter(|sent| sent.request.headers.contains_key(name)).count();
    assert_eq!((with("webhook-signature"), with("x-signature"), with("webhook-id")), (1, 1, 2));
}

#[tokio::test]
async fn pausing_keeps_deliveries_and_removing_cancels_them() {
    let fakes = SharedFakes::new();
    let webhooks = fakes.process();
    let id = add(&webhooks, BILLING_URL, &["**"]).await.id;
    let operator = webhooks.operator();
    operator.pause_endpoint(id).await.unwrap();
    webhooks.publish_json("a", "x").await.unwrap();
    fakes.deliver(&webhooks).await;
    assert_eq!(operator.backlog().await.unwrap().waiting, 1);
    operator.resume_endpoint(id).await.unwrap();
    fakes.deliver(&webhooks).await;
    assert_eq!(fakes.sent_to().len(), 1);
    operator.pause_endpoint(id).await.unwrap();
    let event = webhooks.publish_json("a", "x").await.unwrap().event;
    operator.remove_endpoint(id).await.unwrap();
    let delivery =
        operator.deliveries(DeliveryQuery::new().event(event)).await.unwrap().items.remove(0);
    assert_eq!(delivery.status, DeliveryStatus::Cancelled);
    assert_eq!(webhooks.publish_json("a", "x").await.unwrap().deliveries, Deliveries::Routed(0));
}

#[tokio::test]
async fn operators_are_told_what_is_wrong_with_an_endpoint() {
    let fakes = SharedFakes::new();
    let webhooks = fakes.process();
    let bad = webhooks.add_endpoint(NewEndpoint::new("billing.example")).await.unwrap_err();
    assert!(matches!(bad, EndpointError::Invalid(InvalidEndpoint::Url(_))));
    let nobody = EndpointId::from_uuid(uuid::Uuid::nil());
    let missing = webhooks.operator().pause_endpoint(nobody).await.unwrap_err();
    assert!(matches!(missing, EndpointError::NotFound(id) if id == nobody));
    assert!(webhooks.operator().remove_endpoint(nobody).await.is_err());
    let event = EventId::from_uuid(uuid::Uuid::nil());
    assert!(webhooks.operator().event(event).await.unwrap().is_none());

    let endpoint = add(&webhooks, BILLING_URL, &["**"]).await;
    webhooks.operator().pause_endpoint(endpoint.id).await.unwrap();
    let edit = endpoint.with_state(EndpointState::Active);
    let stale = webhooks.operator().update_endpoint(edit).await.unwrap_err();
    assert!(matches!(stale, EndpointError::Stale(_)));
}

/// A transport that refuses every URL.
#[derive(Debug)]
struct RefusingTransport;

#[async_trait::async_trait]
impl Transport for RefusingTransport {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        Err(TransportError::new(TransportErrorKind::BlockedLiteral))
    }

    fn accepts(&self, _: &EndpointUrl) -> Result<(), TransportError> {
        Err(TransportError::because(TransportErrorKind::BlockedLiteral, "nothing is"))
    }
}

#[tokio::test]
async fn an_endpoint_that_is_no_longer_trusted_can_still_be_paused_but_not_moved() {
    let fakes = SharedFakes::new();
    let endpoint = add(&fakes.process(), BILLING_URL, &["**"]).await;
    let store = fakes.store.clone();
    let strict = Webhooks::builder()
        .store(store)
        .transport(RefusingTransport)
        .signer(PlainSigner::new())
        .build()
        .unwrap();
    let refused = strict.add_endpoint(NewEndpoint::new(BILLING_URL)).await.unwrap_err();
    assert_eq!(refused.to_string(), "address not allowed: nothing is");
    let mut paused = strict.operator().pause_endpoint(endpoint.id).await.unwrap();
    assert_eq!(paused.state, EndpointState::Paused);
    paused.url = "https://elsewhere.example/".parse().unwrap();
    assert!(strict.operator().update_endpoint(paused).await.is_err());
}

#[tokio::test]
async fn tenants_never_get_each_others_events() {
    let fakes = SharedFakes::new();
    let webhooks = fakes.process();
    let acme: TenantId = "acme".parse().unwrap();
    webhooks
        .add_endpoint(NewEndpoint::new("https://acme.example/").tenant(acme.clone()))
        .await
        .unwrap();
    add(&webhooks, "https://default.example/", &["**"]).await;
    webhooks.publish(NewEvent::new("a", "{}").unwrap().tenant(acme.clone())).await.unwrap();
    fakes.deliver(&webhooks).await;
    assert_eq!(fakes.sent_to(), ["https://acme.example/"]);
    assert_eq!(webhooks.operator().endpoints(Some(&acme)).await.unwrap().len(), 1);
    assert_eq!(webhooks.operator().endpoints(None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn sending_now_leaves_a_record_and_keeps_out_of_the_dispatchers_way() {
    let fakes = SharedFakes::new();
    let webhooks = fakes.process();
    let endpoint = add(&webhooks, BILLING_URL, &["nothing"]).await;
    fakes.transport.answers([status(204)]);
    let event = NewEvent::json("ping", "x").unwrap();
    let sent = webhooks.send(endpoint, event).await.unwrap();
    let record = webhooks.operator().delivery(sent.delivery).await.unwrap().unwrap();
    assert_eq!((record.status, record.attempts), (DeliveryStatus::Success, 1));
    assert_eq!(webhooks.operator().attempts(sent.delivery).await.unwrap()[0].status, Some(204));
}

#[tokio::test]
async fn running_until_idle_leaves_what_is_due_later() {
    let fakes = SharedFakes::new();
    let webhooks = fakes.process();
    add(&webhooks, BILLING_URL, &["**"]).await;
    fakes.transport.otherwise(status(503));
    webhooks.publish_json("a", "x").await.unwrap();
    let horizon = Some(Duration::from_secs(1));
    let turn = async {
        loop {
            tokio::task::yield_now().await;
            fakes.clock.advance(Duration::from_millis(100));
        }
    };
    let (report, left) = tokio::select! {
        biased;
        done = webhooks.run_until_idle(horizon, pending()) => done.unwrap(),
        () = turn => return,
    };
    assert_eq!((report.retried, left.pending), (1, 1));
    assert!(left.next_due.is_some_and(|due| due > Duration::from_secs(1)), "{left:?}");
}
