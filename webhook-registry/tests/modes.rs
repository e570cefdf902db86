//! What a process does in each mode, and what becomes of what it publishes while it works.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use webhook_registry::{
    Clock, Deliveries, Delivery, DeliveryStatus, DispatcherConfig, Mode, NewEndpoint, Published,
    Report, StoreErrorKind, Webhooks, error::PublishError, store::DeliveryQuery,
};
use webhook_testkit::{
    Fault, FaultyStore, ManualClock, MemoryStore, PlainSigner, ScriptedTransport, SequenceIds,
    StoreCall, status,
};

const SECOND: Duration = Duration::from_secs(1);

/// A process over fakes, with one endpoint.
struct Process {
    clock: ManualClock,
    store: Arc<FaultyStore<MemoryStore>>,
    transport: ScriptedTransport,
    webhooks: Webhooks,
}

type Run = Pin<Box<dyn Future<Output = Report>>>;
type Publish = Pin<Box<dyn Future<Output = Result<Published, PublishError>>>>;

impl Process {
    async fn new(mode: Mode, max_in_flight: u32) -> Self {
        let clock = ManualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let store = Arc::new(FaultyStore::new(MemoryStore::new(shared.clone())));
        let transport = ScriptedTransport::with_clock(shared);
        let webhooks = Webhooks::builder()
            .shared_store(store.clone())
            .transport(transport.clone())
            .signer(PlainSigner::new())
            .clock(clock.clone())
            .ids(SequenceIds::new())
            .mode(mode)
            .build()
            .unwrap();
        let endpoint = NewEndpoint::new("https://a.example/").max_in_flight(max_in_flight);
        webhooks.add_endpoint(endpoint).await.unwrap();
        Self { clock, store, transport, webhooks }
    }

    fn run(&self) -> Run {
        self.run_until(pending())
    }

    fn run_until(&self, stop: impl Future<Output = ()> + 'static) -> Run {
        let webhooks = self.webhooks.clone();
        let mut run: Run = Box::pin(async move { webhooks.run(stop).await });
        work(&mut run);
        run
    }

    fn begin_to_publish(&self) -> Publish {
        let webhooks = self.webhooks.clone();
        Box::pin(async move { webhooks.publish_json("a", "x").await })
    }

    async fn publish(&self) {
        let published = self.begin_to_publish().await.unwrap();
        assert_eq!(published.deliveries, Deliveries::Routed(1));
    }

    /// Begins to publish, and stops while the store has not answered yet.
    fn publish_half(&self) -> Publish {
        self.store.fails(StoreCall::Enqueue, [Fault::Held]);
        let mut publish = self.begin_to_publish();
        assert!(poll(&mut publish).is_pending());
        publish
    }

    fn advance(&self, by: Duration, run: &mut Run) {
        self.clock.advance(by);
        work(run);
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        self.webhooks.operator().deliveries(DeliveryQuery::new()).await.unwrap().items
    }

    fn sent(&self) -> usize {
        self.transport.requests().len()
    }

    fn claims(&self) -> usize {
        self.store.calls(StoreCall::ClaimDue)
    }
}

/// Lets a dispatcher do all it can without turning the clock.
fn work(run: &mut Run) {
    for _ in 0..20 {
        assert!(poll(run).is_pending(), "nobody has told it to stop");
    }
}

fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T>>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn end(run: &mut Run) -> Report {
    for _ in 0..20 {
        if let Poll::Ready(report) = poll(run) {
            return report;
        }
    }
    unreachable!("it does not end")
}

#[tokio::test]
async fn who_does_both_sends_at_once_what_it_publishes_without_a_claim() {
    let process = Process::new(Mode::Both, 16).await;
    let mut run = process.run();
    let claims = process.claims();
    for sent in 1..=5 {
        process.publish().await;
        work(&mut run);
        assert_eq!((process.sent(), process.claims()), (sent, claims));
    }
    let deliveries = process.deliveries().await;
    let done = |delivery: &Delivery| (delivery.status, delivery.attempts);
    assert!(deliveries.iter().all(|delivery| done(delivery) == (DeliveryStatus::Success, 1)));
}

#[tokio::test]
async fn a_worker_claims_what_it_publishes_too() {
    let process = Process::new(Mode::Worker, 16).await;
    let mut run = process.run();
    let claims = process.claims();
    process.publish().await;
    assert_eq!(process.deliveries().await[0].status, DeliveryStatus::Pending);
    work(&mut run);
    assert_eq!((process.sent(), process.claims()), (1, claims + 1));
}

#[tokio::test]
async fn who_only_publishes_delivers_nothing_and_runs_until_told_to_stop() {
    let process = Process::new(Mode::PublishOnly, 16).await;
    let clock = process.clock.clone();
    let mut run = process.run_until(async move { clock.sleep(SECOND).await });
    process.publish().await;
    work(&mut run);
    assert_eq!((process.sent(), process.claims()), (0, 0));
    process.clock.advance(SECOND);
    assert_eq!(end(&mut run), Report::default());
    assert_eq!(process.deliveries().await[0].status, DeliveryStatus::Pending);
}

#[tokio::test]
async fn a_full_endpoint_gets_the_rest_by_claims() {
    let process = Process::new(Mode::Both, 2).await;
    process.transport.otherwise(status(200).after(SECOND));
    let mut run = process.run();
    for _ in 0..5 {
        process.publish().await;
    }
    work(&mut run);
    assert_eq!(process.sent(), 2);
    process.advance(SECOND, &mut run);
    assert_eq!(process.sent(), 4);
    process.advance(SECOND, &mut run);
    assert_eq!(process.sent(), 5);
}

#[tokio::test]
async fn what_may_be_stored_or_not_is_never_sent_from_memory() {
    let process = Process::new(Mode::Both, 16).await;
    let mut run = process.run();
    process.store.fails(StoreCall::Enqueue, [Fault::After(StoreErrorKind::Unknown)]);
    let published = process.begin_to_publish().await.unwrap();
    assert_eq!(published.deliveries, Deliveries::Later);
    process.advance(DispatcherConfig::LEASE - Duration::from_millis(1), &mut run);
    assert_eq!(process.sent(), 0, "its lease holds");
    process.advance(DispatcherConfig::POLL * 2, &mut run);
    assert_eq!(process.sent(), 1, "taken over when it has run out");
}

#[tokio::test]
async fn what_was_not_stored_the_first_time_is_claimed_the_second() {
    let process = Process::new(Mode::Both, 16).await;
    let mut run = process.run();
    process.store.fails(StoreCall::Enqueue, [Fault::Before(StoreErrorKind::Unknown)]);
    process.publish().await;
    assert_eq!(process.deliveries().await[0].status, DeliveryStatus::Pending);
    work(&mut run);
    assert_eq!(process.sent(), 1);
}

#[tokio::test]
async fn giving_up_a_publish_loses_neither_its_event_nor_its_slot() {
    let process = Process::new(Mode::Both, 1).await;
    let mut run = process.run();
    drop(process.publish_half());
    process.publish().await;
    work(&mut run);
    assert_eq!(process.sent(), 1, "there is a slot for the next one");
    process.advance(DispatcherConfig::LEASE, &mut run);
    process.advance(DispatcherConfig::POLL * 2, &mut run);
    assert_eq!(process.sent(), 2, "and the first comes, at the latest after its lease");
    let deliveries = process.deliveries().await;
    assert!(deliveries.iter().all(|delivery| delivery.status == DeliveryStatus::Success));
}

#[tokio::test]
async fn a_shutdown_gives_back_what_was_being_stored() {
    let process = Process::new(Mode::Both, 16).await;
    let clock = process.clock.clone();
    let mut run = process.run_until(async move { clock.sleep(SECOND).await });
    let mut publish = process.publish_half();
    process.advance(SECOND, &mut run);
    process.store.release_held(StoreCall::Enqueue);
    assert!(poll(&mut publish).is_ready());
    let report = end(&mut run);
    assert_eq!((report.released, report.cut, report.finished()), (1, 0, 0), "{report:?}");
    let delivery = process.deliveries().await.remove(0);
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Pending, 0));
}

#[tokio::test]
async fn who_is_stored_after_the_dispatcher_has_gone_is_given_back_by_its_publisher() {
    let process = Process::new(Mode::Both, 16).await;
    let run = process.run();
    let mut publish = process.publish_half();
    drop(run);
    process.store.release_held(StoreCall::Enqueue);
    assert!(poll(&mut publish).is_ready());
    let delivery = process.deliveries().await.remove(0);
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Pending, 0));
}
