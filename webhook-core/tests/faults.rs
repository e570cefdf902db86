//! The dispatcher when its store or its transport fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is the failed test"
)]

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use webhook_core::{
    Clock, DeliveryStatus, Dispatcher, DispatcherConfig, Endpoint, HealthPolicy, Report,
    RetryPolicy, StoreErrorKind, TenantId,
    engine::{Ports, until_idle},
    error::InvalidDispatcherConfig,
    policy::fan_out,
    store::{DeliveryLog, DeliveryQuery, EndpointDirectory as _, Enqueue, FanOut, Store},
    transport::{Request, Response, Transport, TransportError},
};
use webhook_testkit::{
    Fault, FaultyStore, ManualClock, MemoryStore, PlainSigner, ScriptedResponse, ScriptedTransport,
    SequenceIds, StoreCall, sample, silence, status,
};

/// A dispatcher over a store that fails by script.
struct Engine {
    clock: ManualClock,
    memory: MemoryStore,
    store: Arc<FaultyStore<MemoryStore>>,
    transport: ScriptedTransport,
    ids: SequenceIds,
}

impl Engine {
    async fn new(endpoints: u32, deliveries: usize) -> Self {
        let clock = ManualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let memory = MemoryStore::new(shared.clone());
        let store = Arc::new(FaultyStore::new(memory.clone()));
        let transport = ScriptedTransport::with_clock(shared);
        let engine = Self { clock, memory, store, transport, ids: SequenceIds::new() };
        for _ in 0..endpoints {
            let endpoint =
                Endpoint::new(engine.ids.endpoint(), "https://a.example/".parse().unwrap());
            let retry: RetryPolicy = "5s,5s jitter 0%".parse().unwrap();
            engine.memory.add_endpoint(endpoint.with_retry(retry)).await.unwrap();
        }
        for _ in 0..deliveries {
            let event = sample::event("a").into_event(|| engine.ids.event(), engine.clock.now());
            let snapshot =
                (&engine.memory as &dyn Store).snapshot(&TenantId::default()).await.unwrap();
            let to = FanOut::by(snapshot.version(), fan_out(&snapshot, &event.event_type));
            engine.memory.enqueue(vec![Enqueue::routed(event, to)]).await.unwrap();
        }
        engine
    }

    fn dispatcher(&self, transport: impl Transport, config: DispatcherConfig) -> Dispatcher {
        let signer = Arc::new(PlainSigner::new());
        let ports = Ports::new(
            self.store.clone(),
            Arc::new(transport),
            signer,
            Arc::new(self.clock.clone()),
        );
        Dispatcher::new(ports, config).unwrap()
    }

    /// Runs until the store is idle, turning the clock whenever everybody waits.
    fn run_until_idle(&self, dispatcher: &Dispatcher) -> Report {
        self.drive(async {
            let idle = async {
                until_idle(&self.memory, &self.clock, None).await.unwrap();
            };
            dispatcher.run(idle).await
        })
    }

    fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        for _ in 0..1_000_000 {
            match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(output) => return output,
                Poll::Pending => {
                    self.clock.advance(self.clock.next_deadline().expect("somebody to wait for"));
                }
            }
        }
        panic!("goes round in circles");
    }

    async fn statuses(&self) -> Vec<DeliveryStatus> {
        let page = self.memory.deliveries(DeliveryQuery::new().limit(1000)).await.unwrap();
        page.items.iter().map(|delivery| delivery.status).collect()
    }

    fn elapsed(&self) -> Duration {
        self.clock.now().since(ManualClock::START)
    }
}

fn config() -> DispatcherConfig {
    DispatcherConfig::new()
}

#[tokio::test]
async fn a_record_that_the_store_did_not_take_is_written_again() {
    for fault in [Fault::Before(StoreErrorKind::Unavailable), Fault::After(StoreErrorKind::Unknown)]
    {
        let engine = Engine::new(1, 1).await;
        engine.store.fails(StoreCall::Finish, [fault]);
        let dispatcher = engine.dispatcher(engine.transport.clone(), config());
        engine.run_until_idle(&dispatcher);
        assert_eq!(engine.statuses().await, [DeliveryStatus::Success]);
        assert_eq!(engine.transport.requests().len(), 1, "sent once, {fault:?}");
    }
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_taken_over_after_its_lease() {
    let engine = Engine::new(1, 1).await;
    engine.store.fails(StoreCall::ClaimDue, [Fault::After(StoreErrorKind::Unknown)]);
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    engine.run_until_idle(&dispatcher);
    assert_eq!(engine.statuses().await, [DeliveryStatus::Success]);
    assert_eq!(engine.transport.requests().len(), 1);
    assert!(
        engine.elapsed() >= DispatcherConfig::LEASE
            && engine.elapsed() < DispatcherConfig::LEASE + config_poll()
    );
}

fn config_poll() -> Duration {
    DispatcherConfig::POLL * 3
}

#[tokio::test]
async fn claims_whose_endpoints_cannot_be_loaded_are_given_back() {
    let engine = Engine::new(1, 1).await;
    engine.store.fails(StoreCall::Endpoints, [Fault::Before(StoreErrorKind::Unavailable)]);
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    let report = engine.run_until_idle(&dispatcher);
    assert_eq!((report.delivered, report.released), (1, 1));
    let delivery = engine.memory.deliveries(DeliveryQuery::new()).await.unwrap().items.remove(0);
    assert_eq!(delivery.attempts, 1, "an attempt that was not made does not count");
    assert!(engine.elapsed() < Duration::from_secs(5), "without waiting for the lease");
}

#[tokio::test]
async fn a_claim_is_given_back_although_the_store_fails_twice() {
    let engine = Engine::new(1, 1).await;
    engine.store.fails(StoreCall::Endpoints, [Fault::Before(StoreErrorKind::Unavailable)]);
    engine.store.fails(StoreCall::Release, [Fault::Before(StoreErrorKind::Unavailable)]);
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    assert_eq!(engine.run_until_idle(&dispatcher).delivered, 1);
    let delivery = engine.memory.deliveries(DeliveryQuery::new()).await.unwrap().items.remove(0);
    assert_eq!(delivery.attempts, 1, "an outage of the store costs no attempt");
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_read_stops_nobody_else() {
    let engine = Engine::new(2, 1).await;
    let all = engine.memory.tenant_endpoints(&TenantId::default(), None, 1).await.unwrap();
    engine.store.damages(all[0].id);
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    let stop = engine.clock.sleep(Duration::from_secs(1));
    let report = engine.drive(dispatcher.run(stop));
    assert_eq!((report.delivered, report.retried), (1, 1), "{report:?}");
    let waits = engine
        .memory
        .deliveries(DeliveryQuery::new().status(DeliveryStatus::Pending))
        .await
        .unwrap();
    assert_eq!(waits.items[0].attempts, 0, "and costs no attempt");
}

#[tokio::test]
async fn an_outcome_that_can_never_be_recorded_stops_nobody_else() {
    let engine = Engine::new(2, 1).await;
    let poison = || Fault::Before(StoreErrorKind::Other);
    engine.store.fails(StoreCall::Finish, [poison(), poison()]);
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    let stop = engine.clock.sleep(Duration::from_secs(1));
    assert_eq!(engine.drive(dispatcher.run(stop)).delivered, 1);
}

#[tokio::test]
async fn a_store_that_fails_while_outcomes_are_written_one_by_one_gets_the_rest_later() {
    let engine = Engine::new(3, 1).await;
    let faults = [StoreErrorKind::Other, StoreErrorKind::Other, StoreErrorKind::Unavailable];
    engine.store.fails(StoreCall::Finish, faults.map(Fault::Before));
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    let stop = engine.clock.sleep(Duration::from_secs(20));
    assert_eq!(engine.drive(dispatcher.run(stop)).delivered, 2);
    assert_eq!(engine.transport.requests().len(), 3, "nothing is sent again for that");
}

/// Stores an event of each of these tenants for a dispatcher to route.
async fn store_unrouted(engine: &Engine, tenants: &[&str]) {
    for tenant in tenants {
        let event = sample::event("a").tenant(tenant.parse().unwrap());
        let event = event.into_event(|| engine.ids.event(), engine.clock.now());
        engine.memory.enqueue(vec![Enqueue::unrouted(event)]).await.unwrap();
    }
}

#[tokio::test]
async fn a_tenant_whose_endpoints_cannot_be_read_keeps_no_other_from_being_routed() {
    let engine = Engine::new(0, 0).await;
    store_unrouted(&engine, &["acme", "other", "other"]).await;
    engine.store.fails(StoreCall::Routing, [Fault::Before(StoreErrorKind::Corrupt)]);
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    let stop = engine.clock.sleep(Duration::from_secs(1));
    assert_eq!(engine.drive(dispatcher.run(stop)).routed, 2);
    assert_eq!(engine.store.calls(StoreCall::Routing), 2, "one look for each tenant");
    assert_eq!(engine.run_until_idle(&dispatcher).routed, 1, "and comes back after its lease");
    assert!(engine.elapsed() >= Duration::from_secs(30), "{:?}", engine.elapsed());
}

#[tokio::test]
async fn routing_waits_while_the_store_is_away() {
    let engine = Engine::new(0, 0).await;
    store_unrouted(&engine, &["acme"]).await;
    engine.store.fails(StoreCall::Routing, [Fault::Before(StoreErrorKind::Unavailable)]);
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    assert_eq!(engine.run_until_idle(&dispatcher).routed, 1);
    assert_eq!(engine.store.calls(StoreCall::Route), 1, "not by what could not be read");
}

#[tokio::test]
async fn waiting_for_idleness_outlasts_what_passes_and_nothing_else() {
    let engine = Engine::new(0, 0).await;
    let wait = || engine.drive(until_idle(&*engine.store, &engine.clock, None));
    let passing = [StoreErrorKind::Unavailable, StoreErrorKind::Unknown];
    engine.store.fails(StoreCall::Backlog, passing.map(Fault::Before));
    assert_eq!(wait().unwrap().pending, 0);
    assert_eq!(engine.store.calls(StoreCall::Backlog), 3);
    for kind in [StoreErrorKind::Refused, StoreErrorKind::Schema, StoreErrorKind::Other] {
        engine.store.fails(StoreCall::Backlog, [Fault::Before(kind)]);
        assert_eq!(wait().unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn a_transport_that_says_nothing_of_urls_accepts_each() {
    assert!(Poison.accepts(&"http://127.0.0.1/".parse().unwrap()).is_ok());
}

#[tokio::test]
async fn what_was_delivered_before_a_long_outage_of_the_store_is_not_sent_again() {
    let engine = Engine::new(1, 1).await;
    let outage = std::iter::repeat_n(Fault::Before(StoreErrorKind::Unavailable), 40);
    engine.store.fails(StoreCall::Finish, outage);
    let down = std::iter::repeat_n(Fault::Before(StoreErrorKind::Unavailable), 60);
    engine.store.fails(StoreCall::ClaimDue, [Fault::None].into_iter().chain(down));
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    engine.run_until_idle(&dispatcher);
    assert!(engine.elapsed() > DispatcherConfig::LEASE, "{:?}", engine.elapsed());
    assert_eq!(engine.statuses().await, [DeliveryStatus::Success]);
    assert_eq!(engine.transport.requests().len(), 1);
}

#[tokio::test]
async fn a_store_that_is_down_is_asked_seldom_and_work_goes_on_soon_after() {
    let engine = Engine::new(1, 1).await;
    let down = || std::iter::repeat_n(Fault::Before(StoreErrorKind::Unavailable), 20);
    engine.store.fails(StoreCall::ClaimDue, down());
    engine.store.fails(StoreCall::ClaimUnrouted, down());
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    engine.run_until_idle(&dispatcher);
    assert_eq!(engine.statuses().await, [DeliveryStatus::Success]);
    assert!(engine.elapsed() > Duration::from_secs(40), "40 failures in {:?}", engine.elapsed());
    assert!(engine.elapsed() < Duration::from_secs(120), "{:?}", engine.elapsed());
}

#[tokio::test]
async fn a_shutdown_lets_attempts_in_flight_end_and_claims_nothing_more() {
    let engine = Engine::new(1, 40).await;
    engine.transport.otherwise(status(200).after(Duration::from_secs(3)));
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    let stop = engine.clock.sleep(Duration::from_secs(1));
    let report = engine.drive(dispatcher.run(stop));
    assert_eq!((report.delivered, report.cut, report.released), (16, 0, 0), "{report:?}");
    assert_eq!(engine.elapsed(), Duration::from_secs(3), "no longer than the slowest attempt");
}

#[tokio::test]
async fn a_shutdown_does_not_wait_longer_than_its_drain() {
    let engine = Engine::new(1, 2).await;
    engine.transport.answers([silence(), status(200)]);
    let dispatcher =
        engine.dispatcher(engine.transport.clone(), config().drain(Duration::from_secs(4)));
    let stop = engine.clock.sleep(Duration::from_secs(1));
    let report = engine.drive(dispatcher.run(stop));
    assert_eq!((report.delivered, report.cut), (1, 1), "{report:?}");
    assert_eq!(engine.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn no_more_attempts_are_in_flight_than_allowed() {
    let engine = Engine::new(3, 30).await;
    engine.transport.otherwise(silence());
    let dispatcher = engine.dispatcher(engine.transport.clone(), config().concurrency(20));
    {
        let mut run = pin!(dispatcher.run(std::future::pending()));
        for _ in 0..10 {
            assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }
    assert_eq!(engine.transport.requests().len(), 20);
}

/// Panics at every request.
#[derive(Debug)]
struct Poison;

#[async_trait]
impl Transport for Poison {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        panic!("poison");
    }
}

#[tokio::test]
async fn a_port_that_panics_is_a_failed_attempt_and_blocks_nobody() {
    let engine = Engine::new(1, 40).await;
    // Otherwise the endpoint would cool down after ten of them.
    let dispatcher = engine.dispatcher(Poison, config().health(HealthPolicy::off()));
    let report = engine.run_until_idle(&dispatcher);
    assert_eq!((report.failed, report.retried), (40, 40 * 2), "{report:?}");
    assert!(engine.statuses().await.iter().all(|status| *status == DeliveryStatus::Failed));
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_changes_nothing() {
    let engine = Engine::new(1, 1).await;
    let slow: ScriptedResponse = status(200).after(Duration::from_secs(29));
    engine.transport.answers([slow]);
    let stalled = engine.dispatcher(engine.transport.clone(), config());
    let mut run = Box::pin(stalled.run(std::future::pending()));
    for _ in 0..10 {
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    engine.clock.advance(DispatcherConfig::LEASE + Duration::from_secs(1));
    let other = engine.dispatcher(engine.transport.clone(), config());
    assert_eq!(engine.run_until_idle(&other).delivered, 1);
    let before = engine.memory.deliveries(DeliveryQuery::new()).await.unwrap();
    for _ in 0..10 {
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(engine.memory.deliveries(DeliveryQuery::new()).await.unwrap(), before);
}

#[tokio::test]
async fn settings_that_do_not_fit_together_are_refused() {
    let refused = |config: DispatcherConfig| config.validate().unwrap_err();
    let needed = Duration::from_secs(45);
    assert_eq!(
        refused(config().lease(Duration::from_secs(44))),
        InvalidDispatcherConfig::Lease { needed }
    );
    assert_eq!(refused(config().concurrency(0)), InvalidDispatcherConfig::Concurrency);
    assert_eq!(refused(config().poll(Duration::ZERO)), InvalidDispatcherConfig::Poll);
    assert!(config().lease(needed).validate().is_ok());
}

#[tokio::test]
async fn a_hint_from_another_process_is_heeded_at_once() {
    let engine = Engine::new(1, 0).await;
    let dispatcher = engine.dispatcher(engine.transport.clone(), config());
    let mut run = pin!(dispatcher.run(std::future::pending()));
    let mut turn = || assert!(run.as_mut().now_or_never().is_none());
    turn();
    turn();
    let looked = engine.store.calls(StoreCall::ClaimDue);
    engine.store.hint();
    turn();
    turn();
    assert_eq!(engine.store.calls(StoreCall::ClaimDue), looked + 1);
    turn();
    assert_eq!(engine.store.calls(StoreCall::ClaimDue), looked + 1, "one hint, one look");
}
