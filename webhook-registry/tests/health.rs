//! Endpoints fail, rest, recover and are given up; and somebody is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

mod fakes;

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use fakes::Fakes;
use tokio::sync::Barrier;
use webhook_registry::{
    DispatcherConfig, EndpointId, HealthPolicy, NewEndpoint, NewEvent, NoticeKind, Webhooks,
    database::SeaOrmStore,
    policy::Condition,
    signing::RingSigner,
    transport::{HttpTransport, Request, Response, Transport, TransportError},
};
use webhook_testkit::{PlainSigner, Reply, TestReceiver, status};

/// What a transport did: when each request began, how many were under way then, how it ended.
#[derive(Clone, Debug)]
struct Gauge {
    inner: Arc<HttpTransport>,
    sends: Arc<Mutex<Vec<Send>>>,
    /// So many of the first answers are handed over together, however they come in.
    together: Option<(usize, Arc<Barrier>)>,
}

#[derive(Clone, Copy, Debug)]
struct Send {
    began: Instant,
    /// Under way at its beginning, itself included.
    under_way: usize,
    /// Accepted by the receiver before it began.
    accepted_before: usize,
    ended: Option<(Instant, bool)>,
}

#[async_trait]
impl Transport for Gauge {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let number = {
            let mut sends = self.sends.lock().unwrap();
            let under_way = 1 + sends.iter().filter(|send| send.ended.is_none()).count();
            let accepted_before =
                sends.iter().filter(|send| send.ended.is_some_and(|(_, good)| good)).count();
            sends.push(Send { began: Instant::now(), under_way, accepted_before, ended: None });
            sends.len() - 1
        };
        let answer = self.inner.send(request).await;
        if let Some((first, barrier)) = &self.together
            && number < *first
        {
            barrier.wait().await;
        }
        let good = answer.as_ref().is_ok_and(|it| it.status.is_success());
        self.sends.lock().unwrap()[number].ended = Some((Instant::now(), good));
        answer
    }
}

/// A process on SQLite and real sockets, whose endpoints rest for 100 ms at first. So many of its
/// first answers come in together.
async fn process(together: usize) -> (Webhooks, Gauge) {
    let store = SeaOrmStore::connect("sqlite::memory:").await.unwrap();
    store.migrate().await.unwrap();
    let inner = HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap();
    let together = (together > 0).then(|| (together, Arc::new(Barrier::new(together))));
    let gauge = Gauge { inner: Arc::new(inner), sends: Arc::default(), together };
    let policy = HealthPolicy::new()
        .with_warn_after(2)
        .with_cool_after(3)
        .with_cool_down(FIRST_COOL_DOWN, 4 * FIRST_COOL_DOWN)
        .with_disable_after(Some(DISABLE_AFTER))
        .with_disable_min(6);
    let webhooks = Webhooks::builder()
        .store(store)
        .transport(gauge.clone())
        .signer(RingSigner)
        .dispatcher(DispatcherConfig::new().health(policy))
        .build()
        .unwrap();
    (webhooks, gauge)
}

const FIRST_COOL_DOWN: Duration = Duration::from_millis(100);
const DISABLE_AFTER: Duration = Duration::from_millis(600);

async fn add(webhooks: &Webhooks, url: String, max_in_flight: u32) -> EndpointId {
    let endpoint = NewEndpoint::new(url).retry("20ms,20ms,20ms,20ms,20ms,20ms jitter 0%");
    let added = webhooks.add_endpoint(endpoint.max_in_flight(max_in_flight)).await.unwrap();
    added.endpoint.id
}

async fn publish(webhooks: &Webhooks, count: usize) {
    let events = (0..count).map(|_| NewEvent::json("a", "x").unwrap()).collect();
    for published in webhooks.publish_many(events).await {
        published.unwrap();
    }
}

async fn notice_kinds(webhooks: &Webhooks) -> Vec<&'static str> {
    let notices = webhooks.notices().read(100).await.unwrap();
    notices.iter().map(|notice| notice.kind.name()).collect()
}

#[tokio::test]
async fn on_real_sockets_an_endpoint_fails_rests_is_probed_and_recovers_bit_by_bit() {
    let (webhooks, gauge) = process(4).await;
    let slowly = |code| Reply::status(code).after(Duration::from_millis(10));
    // Four at once, then a probe that fails and one that is answered.
    let script = [500, 500, 500, 500, 500, 200].map(slowly);
    let receiver = TestReceiver::answering(script).await;
    let endpoint = add(&webhooks, receiver.url(), 4).await;
    publish(&webhooks, 30).await;
    webhooks.run_until_idle(None, pending()).await.unwrap();

    let sends = gauge.sends.lock().unwrap().clone();
    assert_eq!(sends.len(), 35, "each delivered once, five failures before");
    let ended = |at: usize| sends[at].ended.unwrap().0;
    let mut failed: Vec<_> = (0..4).map(ended).collect();
    failed.sort_unstable();
    assert!(
        sends[4].began >= failed[2] + FIRST_COOL_DOWN - CLOCK_RESOLUTION,
        "from the third failure on it rests"
    );
    assert!(
        sends[5].began >= ended(4) + 2 * FIRST_COOL_DOWN - CLOCK_RESOLUTION,
        "it rests for twice as long"
    );
    assert_eq!((sends[4].under_way, sends[5].under_way), (1, 1), "one probe at a time");
    for send in &sends[6..] {
        let room = 4.min(1 + send.accepted_before);
        assert!(send.accepted_before >= 1 && send.under_way <= room, "a ramp: {send:?}");
    }
    assert!(sends[6..].iter().any(|send| send.under_way == 4), "at last it has all its slots");
    assert_eq!(notice_kinds(&webhooks).await, ["endpoint_failing", "endpoint_recovered"]);
    let health = webhooks.operator().endpoint(endpoint).await.unwrap().health;
    assert_eq!(health.condition(), Condition::Healthy);
}

/// Difference that the database's clock, which counts milliseconds, may show.
const CLOCK_RESOLUTION: Duration = Duration::from_millis(2);

#[tokio::test]
async fn on_real_sockets_an_endpoint_that_fails_for_ever_is_disabled_and_that_is_told() {
    let (webhooks, gauge) = process(0).await;
    let receiver = TestReceiver::answering([500]).await;
    let endpoint = add(&webhooks, receiver.url(), 1).await;
    publish(&webhooks, 30).await;
    let (_, left) = webhooks.run_until_idle(None, pending()).await.unwrap();

    let notices = webhooks.notices().read(10).await.unwrap();
    let kinds: Vec<_> = notices.iter().map(|notice| notice.kind.name()).collect();
    assert_eq!(kinds, ["endpoint_failing", "endpoint_disabled"]);
    let NoticeKind::EndpointDisabled { failures, last_error, .. } = &notices[1].kind else {
        unreachable!("it is {:?}", notices[1].kind)
    };
    let sends = gauge.sends.lock().unwrap().clone();
    assert_eq!(*failures as usize, sends.len(), "each attempt counts");
    assert!(sends.len() < 12, "it was left alone meanwhile: {} attempts", sends.len());
    assert_eq!(last_error, "status 500");
    let stored = webhooks.operator().endpoint(endpoint).await.unwrap();
    assert_eq!(stored.state.to_string(), "disabled-failing");
    assert_eq!(left.waiting, 30, "what is pending waits for somebody to see to it");

    webhooks.notices().acknowledge(notices.into_iter().map(|notice| notice.id)).await.unwrap();
    assert!(notice_kinds(&webhooks).await.is_empty());
}

#[tokio::test]
async fn a_pause_that_one_delivery_was_asked_for_stops_a_thousand_others_and_nobody_elses() {
    let fakes = Fakes::new(PlainSigner::new());
    let webhooks = &fakes.webhooks;
    let new = |url, events| NewEndpoint::new(url).events([events]).max_in_flight(1);
    webhooks.add_endpoint(new("https://busy.example/", "busy")).await.unwrap();
    webhooks.add_endpoint(new("https://other.example/", "other")).await.unwrap();
    fakes.transport.answers([status(429).retry_after_secs(30)]);
    let many = |event_type: &str, count: usize| {
        (0..count).map(|_| NewEvent::json(event_type, "x").unwrap()).collect::<Vec<_>>()
    };
    webhooks.publish_many(many("busy", 1001)).await;
    fakes.deliver(Some(Duration::from_secs(10))).await;
    webhooks.publish_many(many("other", 50)).await;
    fakes.deliver(Some(Duration::from_secs(10))).await;
    let sent = |host: &str| {
        let requests = fakes.transport.requests();
        requests
            .into_iter()
            .filter(|it| it.request.url.host().to_string() == host)
            .collect::<Vec<_>>()
    };
    let (busy, other) = (sent("busy.example"), sent("other.example"));
    assert_eq!((busy.len(), other.len()), (1, 50), "its own wait, and nobody else's");
    let asked_at = busy[0].at;
    fakes.deliver(None).await;
    let busy = sent("busy.example");
    assert_eq!(busy.len(), 1002, "all are delivered afterwards, the first one tried twice");
    let next = busy[1].at.since(asked_at);
    assert!((30..32).contains(&next.as_secs()), "not before: {next:?}");
    assert!(notice_kinds(webhooks).await.is_empty(), "to ask for a pause is no failure");
}

#[tokio::test]
async fn notices_are_published_as_events_of_a_tenant_once_each() {
    let fakes = Fakes::new(PlainSigner::new());
    let webhooks = &fakes.webhooks;
    let (ops, customer) = ("ops".parse().unwrap(), "acme".parse().unwrap());
    let new = |url, tenant: &webhook_registry::TenantId| {
        NewEndpoint::new(url).tenant(tenant.clone()).retry("none")
    };
    webhooks.add_endpoint(new("https://ops.example/", &ops)).await.unwrap();
    webhooks.add_endpoint(new("https://customer.example/", &customer)).await.unwrap();
    fakes.transport.answers([status(410)]);
    webhooks.publish(NewEvent::json("a", "x").unwrap().tenant(customer.clone())).await.unwrap();
    fakes.deliver(None).await;

    let notices = webhooks.notices();
    let notice = notices.read(10).await.unwrap().remove(0);
    assert_eq!(notices.publish(&ops).await.unwrap(), 1);
    assert_eq!(notices.publish(&ops).await.unwrap(), 0, "it is acknowledged");
    fakes.deliver(None).await;
    let sent = fakes.transport.requests().pop().unwrap().request;
    assert_eq!(sent.url.host().to_string(), "ops.example");
    assert_eq!(sent.headers["x-event-type"], "webhook.endpoint.disabled");
    let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!((&body["tenant"], &body["state"]), (&"acme".into(), &"disabled-gone".into()));
    assert_eq!(body["id"], notice.id.as_str());

    // What concerns that tenant's own endpoint is not sent to it.
    fakes.transport.answers([status(410)]);
    webhooks.publish(NewEvent::json("a", "x").unwrap().tenant(ops.clone())).await.unwrap();
    fakes.deliver(None).await;
    assert_eq!(notices.publish(&ops).await.unwrap(), 0);
    assert!(notice_kinds(webhooks).await.is_empty(), "it is in the log, and no more");
}

#[tokio::test]
async fn what_is_sent_from_memory_counts_as_well() {
    let fakes = Fakes::new(PlainSigner::new());
    let webhooks = &fakes.webhooks;
    let new = NewEndpoint::new("https://shaky.example/").retry("none").max_in_flight(1);
    let endpoint = webhooks.add_endpoint(new).await.unwrap().endpoint.id;
    let run = webhooks.run(pending());
    let story = async {
        for code in [500, 200, 200].iter().cycle().take(60) {
            fakes.transport.answers([status(*code)]);
            let sent = fakes.transport.requests().len();
            webhooks.publish_json("a", "x").await.unwrap();
            while fakes.transport.requests().len() == sent {
                tokio::task::yield_now().await;
            }
            // What came of it is written down.
            while webhooks.operator().backlog().await.unwrap().in_flight > 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! { biased; () = story => {} _ = run => {} }
    assert!(notice_kinds(webhooks).await.iter().all(|kind| *kind == "delivery_exhausted"));
    let health = webhooks.operator().endpoint(endpoint).await.unwrap().health;
    assert_eq!(health.condition(), Condition::Healthy, "two of three were accepted");
}
