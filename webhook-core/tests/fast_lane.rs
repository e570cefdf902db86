//! The fast lane: what a process publishes while it also works is sent without a claim.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is the failed test"
)]

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use webhook_core::{
    Clock, Delivery, DeliveryLog, DeliveryQuery, DeliveryStatus, DeliveryStore, Dispatcher,
    DispatcherConfig, Endpoint, EndpointState, EndpointStore, Enqueue, Enqueued, FastLane,
    Finished, OrderPolicy, Ports, Report, Reservation, Snapshot, StoreErrorKind, TenantId, Timeout,
    Timestamp,
};
use webhook_testkit::{
    Fault, FaultyStore, ManualClock, MemoryStore, PlainSigner, ScriptedTransport, SequenceIds,
    StoreCall, sample, silence, status,
};

/// A process that publishes and works, by hand.
struct Process {
    clock: ManualClock,
    memory: MemoryStore,
    store: Arc<FaultyStore<MemoryStore>>,
    transport: ScriptedTransport,
    ids: SequenceIds,
    dispatcher: Arc<Dispatcher>,
    lane: FastLane,
}

type Run = Pin<Box<dyn Future<Output = Report>>>;

impl Process {
    fn new(config: DispatcherConfig) -> Self {
        Self::under(config, |clock| Arc::new(clock))
    }

    /// The same, under a clock made of the one that is turned by hand.
    fn under(config: DispatcherConfig, shared: impl Fn(ManualClock) -> Arc<dyn Clock>) -> Self {
        let clock = ManualClock::new();
        let shared = shared(clock.clone());
        let memory = MemoryStore::new(shared.clone());
        let store = Arc::new(FaultyStore::new(memory.clone()));
        let transport = ScriptedTransport::with_clock(shared.clone());
        let signer = Arc::new(PlainSigner::new());
        let ports = Ports::new(store.clone(), Arc::new(transport.clone()), signer, shared);
        let dispatcher = Arc::new(Dispatcher::new(ports, config).unwrap());
        let lane = dispatcher.fast_lane();
        Self { clock, memory, store, transport, ids: SequenceIds::new(), dispatcher, lane }
    }

    /// A process at work, with one endpoint.
    async fn at_work(max_in_flight: u32) -> (Self, Run) {
        let process = Self::new(DispatcherConfig::new());
        process.add_endpoint(max_in_flight).await;
        let run = process.run();
        (process, run)
    }

    async fn add_endpoint(&self, max_in_flight: u32) -> Endpoint {
        let url = "https://a.example/".parse().unwrap();
        let endpoint = Endpoint::new(self.ids.endpoint(), url).with_max_in_flight(max_in_flight);
        self.memory.add_endpoint(endpoint.clone()).await.unwrap();
        endpoint
    }

    /// Runs the dispatcher, until it waits for something.
    fn run(&self) -> Run {
        self.run_until(pending())
    }

    /// The same, with a shutdown after a while.
    fn run_for(&self, time: Duration) -> Run {
        let clock = self.clock.clone();
        self.run_until(async move { clock.sleep(time).await })
    }

    fn run_until(&self, stop: impl Future<Output = ()> + 'static) -> Run {
        let dispatcher = self.dispatcher.clone();
        let mut run: Run = Box::pin(async move { dispatcher.run(stop).await });
        work(&mut run);
        run
    }

    /// Lets the next poll come.
    fn look(&self, run: &mut Run) {
        self.clock.advance(DispatcherConfig::POLL * 2);
        work(run);
    }

    async fn snapshot(&self) -> Snapshot {
        self.memory.snapshot(&TenantId::default()).await.unwrap()
    }

    /// Reserves for so many events, routed by the endpoints as they are now.
    async fn reserve(&self, events: usize) -> (Reservation, Vec<Enqueue>) {
        self.reserve_in(&self.lane, events).await
    }

    async fn reserve_in(&self, lane: &FastLane, events: usize) -> (Reservation, Vec<Enqueue>) {
        let snapshot = self.snapshot().await;
        let mut reservation = lane.reserve();
        let batch = (0..events).map(|_| {
            let event = sample::event("a").into_event(|| self.ids.event(), self.clock.now());
            reservation.route(event, Some(&snapshot))
        });
        let batch = batch.collect();
        (reservation, batch)
    }

    /// Publishes so many events; answers how many of their deliveries were leased at once.
    async fn publish(&self, events: usize) -> usize {
        let (reservation, batch) = self.reserve(events).await;
        let leased = leased(&batch);
        let answers = self.store.enqueue(batch).await.unwrap();
        assert!(reservation.settle(&answers).unsent.is_empty());
        leased
    }

    /// The same, by a process that does not work.
    async fn publish_elsewhere(&self, events: usize) {
        let (_, batch) = self.reserve_in(&FastLane::default(), events).await;
        self.memory.enqueue(batch).await.unwrap();
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        self.memory.deliveries(DeliveryQuery::new().limit(1000)).await.unwrap().items
    }

    async fn statuses(&self) -> Vec<DeliveryStatus> {
        self.deliveries().await.iter().map(|delivery| delivery.status).collect()
    }

    fn claims(&self) -> usize {
        self.store.calls(StoreCall::ClaimDue)
    }

    fn sent(&self) -> usize {
        self.transport.requests().len()
    }
}

/// Lets a dispatcher do all it can without turning the clock.
fn work(run: &mut Run) {
    for _ in 0..20 {
        assert!(poll(run).is_pending(), "nobody has told it to stop");
    }
}

fn poll(run: &mut Run) -> Poll<Report> {
    run.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn leased(batch: &[Enqueue]) -> usize {
    let deliveries = batch.iter().flat_map(|item| &item.fan_out).flat_map(|to| &to.deliveries);
    deliveries.filter(|delivery| delivery.lease.is_some()).count()
}

#[tokio::test]
async fn what_is_published_at_work_is_sent_without_a_claim_or_a_look_at_the_endpoints() {
    let (process, mut run) = Process::at_work(16).await;
    let claims = process.claims();
    for _ in 0..10 {
        assert_eq!(process.publish(1).await, 1);
        work(&mut run);
    }
    assert_eq!(process.statuses().await, [DeliveryStatus::Success; 10]);
    assert_eq!(process.claims(), claims);
    assert_eq!(process.store.calls(StoreCall::Endpoints), 0);
    let attempts = process.deliveries().await.iter().map(|delivery| delivery.attempts).max();
    assert_eq!(attempts, Some(1));
}

#[tokio::test]
async fn what_a_worker_has_claimed_tells_its_name_by_the_lane_and_by_a_claim() {
    let config = || DispatcherConfig::new().name("host-1:4711".parse().unwrap());
    for by_lane in [true, false] {
        let process = Process::new(config());
        process.add_endpoint(16).await;
        process.transport.otherwise(status(200).after(Duration::from_secs(5)));
        let mut run = process.run();
        if by_lane {
            assert_eq!(process.publish(1).await, 1);
        } else {
            process.publish_elsewhere(1).await;
            process.look(&mut run);
        }
        let held = &process.deliveries().await[0];
        let ends = process.clock.now().after(DispatcherConfig::LEASE);
        assert_eq!(held.claimed_by, config().worker_name().cloned(), "by lane: {by_lane}");
        assert_eq!(held.leased_until, Some(ends), "by lane: {by_lane}");
    }
}

#[tokio::test]
async fn the_lane_is_open_only_while_somebody_works() {
    let process = Process::new(DispatcherConfig::new());
    process.add_endpoint(16).await;
    assert_eq!(process.publish(1).await, 0, "before");
    let mut run = process.run_for(Duration::from_secs(9));
    assert_eq!(process.publish(1).await, 1, "meanwhile");
    work(&mut run);
    process.transport.answers([status(200).after(Duration::from_secs(20))]);
    assert_eq!(process.publish(1).await, 1);
    work(&mut run);
    process.clock.advance(Duration::from_secs(9));
    work(&mut run);
    assert_eq!(process.publish(1).await, 0, "while it drains");
    drop(run);
    assert_eq!(process.publish(1).await, 0, "after");
    let _run = process.run();
    assert_eq!(process.publish(1).await, 1, "when the next one works");
}

#[tokio::test]
async fn without_a_free_slot_a_delivery_waits_in_the_store_and_newer_ones_behind_it() {
    let (process, mut run) = Process::at_work(4).await;
    process.transport.otherwise(status(200).after(Duration::from_secs(1)));
    assert_eq!(process.publish(6).await, 4);
    work(&mut run);
    assert_eq!(process.sent(), 4);
    process.clock.advance(Duration::from_secs(1));
    assert_eq!(process.publish(1).await, 0, "it does not overtake");
    work(&mut run);
    assert_eq!(process.sent(), 7, "as soon as slots came free, without waiting for a poll");
    process.clock.advance(Duration::from_secs(1));
    work(&mut run);
    assert_eq!(process.publish(1).await, 1, "nothing waits any more");
}

#[tokio::test]
async fn a_paused_endpoint_gets_no_slot() {
    let (process, mut run) = Process::at_work(4).await;
    let endpoint = process.snapshot().await.endpoints()[0].as_ref().clone();
    let paused = endpoint.with_state(EndpointState::Paused);
    process.memory.update_endpoint(paused).await.unwrap();
    assert_eq!(process.publish(1).await, 0);
    work(&mut run);
    assert_eq!(process.sent(), 0);
}

#[tokio::test]
async fn what_is_not_stored_as_routed_is_not_sent_and_gives_its_slots_back() {
    let (process, mut run) = Process::at_work(1).await;
    let id = process.ids.event();
    for answer in [Enqueued::Later, Enqueued::Duplicate(id), Enqueued::Conflict(id)] {
        let (reservation, batch) = process.reserve(1).await;
        assert_eq!(leased(&batch), 1, "before {answer:?}");
        let settled = reservation.settle(&[answer]);
        assert_eq!(settled.left_waiting, answer == Enqueued::Later);
        work(&mut run);
    }
    assert_eq!(process.sent(), 0);
    assert_eq!(process.publish(1).await, 1);
}

#[tokio::test]
async fn a_batch_that_may_be_stored_or_not_is_not_sent_before_its_lease_ends() {
    let (process, mut run) = Process::at_work(1).await;
    process.store.fails(StoreCall::Enqueue, [Fault::After(StoreErrorKind::Unknown)]);
    let (reservation, batch) = process.reserve(1).await;
    assert!(process.store.enqueue(batch).await.is_err());
    drop(reservation);
    process.clock.advance(DispatcherConfig::LEASE - Duration::from_millis(1));
    work(&mut run);
    assert_eq!(process.sent(), 0);
    assert_eq!(process.publish(1).await, 1, "its slot is free");
    work(&mut run);
    process.look(&mut run);
    let deliveries = process.deliveries().await;
    let attempts: Vec<_> = deliveries.iter().map(|delivery| delivery.attempts).collect();
    assert_eq!((process.sent(), attempts), (2, vec![1, 2]), "taken over, the lost attempt counted");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_for_the_lease_starts_nothing() {
    let (process, mut run) = Process::at_work(1).await;
    let (reservation, batch) = process.reserve(1).await;
    let answers = process.store.enqueue(batch).await.unwrap();
    process.clock.advance(DispatcherConfig::CLAIM_BUDGET + Duration::from_millis(1));
    assert!(reservation.settle(&answers).unsent.is_empty());
    work(&mut run);
    assert_eq!((process.sent(), process.store.calls(StoreCall::Release)), (0, 1));
    process.look(&mut run);
    assert_eq!(process.statuses().await, [DeliveryStatus::Success]);
    assert_eq!(process.deliveries().await[0].attempts, 1, "what was not made does not count");
}

#[tokio::test]
async fn a_shutdown_waits_for_what_is_being_stored_and_gives_it_back() {
    let process = Process::new(DispatcherConfig::new());
    process.add_endpoint(4).await;
    let mut run = process.run_for(Duration::from_secs(1));
    let (reservation, batch) = process.reserve(2).await;
    process.clock.advance(Duration::from_secs(1));
    work(&mut run);
    let answers = process.store.enqueue(batch).await.unwrap();
    assert!(reservation.settle(&answers).unsent.is_empty());
    let Poll::Ready(report) = (0..20).map(|_| poll(&mut run)).find(Poll::is_ready).unwrap() else {
        unreachable!()
    };
    assert_eq!((report.released, report.cut, process.sent()), (2, 0, 0), "{report:?}");
    assert_eq!(process.statuses().await, [DeliveryStatus::Pending; 2]);
    assert_eq!(process.deliveries().await[0].attempts, 0);
}

#[tokio::test]
async fn what_nobody_takes_over_any_more_is_for_the_publisher_to_give_back() {
    let (process, run) = Process::at_work(4).await;
    let (reservation, batch) = process.reserve(2).await;
    drop(run);
    let answers = process.store.enqueue(batch).await.unwrap();
    let unsent = reservation.settle(&answers).unsent;
    assert_eq!(unsent.len(), 2);
    assert_eq!(process.store.release(unsent).await.unwrap(), [Finished::Recorded; 2]);
    assert_eq!(process.statuses().await, [DeliveryStatus::Pending; 2]);
}

#[tokio::test]
async fn slots_of_a_run_that_is_gone_do_not_count_in_the_next() {
    let (process, run) = Process::at_work(4).await;
    let (reservation, _) = process.reserve(4).await;
    drop(run);
    let mut run = process.run();
    assert_eq!(process.publish(3).await, 3);
    drop(reservation);
    assert_eq!(process.publish(2).await, 1);
    work(&mut run);
    assert_eq!(process.sent(), 5);
}

#[tokio::test]
async fn where_publishers_were_faster_than_a_claim_the_claim_is_given_back() {
    let (process, mut run) = Process::at_work(2).await;
    process.transport.otherwise(silence());
    process.publish_elsewhere(2).await;
    // The claim has taken both when a publisher takes a slot.
    process.store.fails(StoreCall::ClaimDue, [Fault::Held]);
    process.clock.advance(DispatcherConfig::POLL * 2);
    work(&mut run);
    assert_eq!(process.publish(1).await, 1);
    process.store.let_go(StoreCall::ClaimDue);
    work(&mut run);
    assert_eq!(process.sent(), 2, "as many as the endpoint may have");
    let statuses = process.statuses().await;
    let waiting = statuses.iter().filter(|status| **status == DeliveryStatus::Pending).count();
    assert_eq!(waiting, 1, "{statuses:?}");
    assert_eq!(process.publish(1).await, 0, "and nothing overtakes it");
}

#[tokio::test]
async fn slots_that_come_free_while_a_claim_is_under_way_are_filled_by_the_next() {
    let (process, mut run) = Process::at_work(2).await;
    process
        .transport
        .answers([1_000, 1_500].map(|ms| status(200).after(Duration::from_millis(ms))));
    process.transport.otherwise(silence());
    assert_eq!(process.publish(2).await, 2);
    process.publish_elsewhere(2).await;
    work(&mut run);
    process.store.fails(StoreCall::ClaimDue, [Fault::Held]);
    process.clock.advance(Duration::from_secs(1));
    work(&mut run);
    process.clock.advance(Duration::from_millis(500));
    work(&mut run);
    assert_eq!(process.sent(), 2, "the claim under way has seen one free slot, now there are two");
    process.store.let_go(StoreCall::ClaimDue);
    work(&mut run);
    assert_eq!(process.sent(), 4);
}

#[tokio::test]
async fn an_endpoint_does_not_wait_for_the_record_of_what_it_has_answered() {
    let (process, mut run) = Process::at_work(1).await;
    process.store.fails(StoreCall::Finish, [Fault::Held, Fault::Held]);
    assert_eq!(process.publish(1).await, 1);
    work(&mut run);
    assert_eq!(process.statuses().await, [DeliveryStatus::Success], "written, not yet answered");
    assert_eq!(process.publish(1).await, 1, "nothing is in flight");
    process.publish_elsewhere(1).await;
    work(&mut run);
    process.clock.advance(DispatcherConfig::POLL * 2);
    work(&mut run);
    assert_eq!(process.sent(), 3);
}

#[tokio::test]
async fn steady_publishing_starves_no_retry() {
    let process = Process::new(DispatcherConfig::new().concurrency(8));
    let busy = process.add_endpoint(100).await;
    let mut run = process.run();
    process.transport.answers([status(503)]);
    process.transport.otherwise(status(200).after(Duration::from_secs(1)));
    process.publish(1).await;
    work(&mut run);
    // As much as there are slots for: whenever some come free, a publisher is there first.
    for _ in 0..20 {
        process.publish(4).await;
        process.clock.advance(Duration::from_millis(500));
        work(&mut run);
    }
    let deliveries = process.deliveries().await;
    let first = deliveries.last().unwrap();
    assert_eq!((first.id.endpoint, first.status), (busy.id, DeliveryStatus::Success));
    assert_eq!(first.attempts, 2);
}

#[tokio::test]
async fn the_newer_settings_of_an_endpoint_win() {
    let (process, mut run) = Process::at_work(4).await;
    process.publish(1).await;
    work(&mut run);
    let (reservation, batch) = process.reserve(1).await;
    let answers = process.store.enqueue(batch).await.unwrap();
    let mut edited = process.snapshot().await.endpoints()[0].as_ref().clone();
    edited.url = "https://b.example/".parse().unwrap();
    process.memory.update_endpoint(edited).await.unwrap();
    // A claim makes the dispatcher know them before the publisher hands over.
    process.publish_elsewhere(1).await;
    process.look(&mut run);
    let _ = reservation.settle(&answers);
    work(&mut run);
    let urls: Vec<_> =
        process.transport.requests().iter().map(|sent| sent.request.url.to_string()).collect();
    assert_eq!(urls, ["https://a.example/", "https://b.example/", "https://b.example/"]);
}

#[tokio::test]
async fn a_worker_with_a_short_lease_gives_no_attempt_more_time_than_fits_in_it() {
    let config = DispatcherConfig::new()
        .max_timeout(Duration::from_secs(2))
        .recording_budget(Duration::from_secs(1))
        .claim_budget(Duration::from_secs(1))
        .lease(Duration::from_secs(4));
    let process = Process::new(config);
    let endpoint = process.add_endpoint(1).await;
    assert_eq!(endpoint.timeout, Timeout::MAX);
    let mut run = process.run();
    process.transport.answers([silence()]);
    process.publish(1).await;
    work(&mut run);
    assert_eq!(process.transport.requests()[0].request.timeout, Duration::from_secs(2));
    process.clock.advance(Duration::from_millis(2_250));
    work(&mut run);
    assert_eq!(process.statuses().await, [DeliveryStatus::Pending], "cut off, to be repeated");
}

#[tokio::test]
async fn an_endpoint_that_is_gone_gets_nothing_more_before_that_is_written_down() {
    let (process, mut run) = Process::at_work(4).await;
    process.transport.answers([status(410)]);
    process.store.fails(StoreCall::Finish, [Fault::Before(StoreErrorKind::Unavailable)]);
    process.publish(1).await;
    work(&mut run);
    assert_eq!(process.publish(1).await, 1, "the publisher does not know yet");
    work(&mut run);
    assert_eq!(process.sent(), 1);
    for _ in 0..3 {
        process.look(&mut run);
    }
    assert_eq!(process.sent(), 1);
    assert_eq!(process.statuses().await, [DeliveryStatus::Pending, DeliveryStatus::Failed]);
}

#[tokio::test]
async fn a_full_endpoint_is_not_looked_for_at_each_of_its_events() {
    let (process, mut run) = Process::at_work(1).await;
    process.transport.answers([status(200).after(Duration::from_millis(500))]);
    process.publish(1).await;
    work(&mut run);
    let (reservation, batch) = process.reserve(1).await;
    let answers = process.store.enqueue(batch).await.unwrap();
    assert!(!reservation.settle(&answers).left_waiting, "the end of the attempt says when");
    process.clock.advance(Duration::from_millis(500));
    work(&mut run);
    assert_eq!(process.sent(), 2, "it is claimed at once, not at the next poll");
}

#[tokio::test]
async fn what_goes_in_order_waits_for_its_turn_in_the_store() {
    let process = Process::new(DispatcherConfig::new());
    let endpoint = process.add_endpoint(4).await.with_order(Some(OrderPolicy::Block));
    process.memory.update_endpoint(endpoint).await.unwrap();
    let mut run = process.run();
    let snapshot = process.snapshot().await;
    let mut reservation = process.lane.reserve();
    let batch = [Some("order-17"), Some("order-17"), None].map(|key| {
        let event = sample::event("a").into_event(|| process.ids.event(), process.clock.now());
        let event = event.with_ordering_key(key.map(|key| key.parse().unwrap()));
        reservation.route(event, Some(&snapshot))
    });
    assert_eq!(leased(&batch), 1, "only the event without a key is sent from memory");
    process.transport.answers([status(200), status(200), status(200)]);
    let answers = process.store.enqueue(batch.into()).await.unwrap();
    assert!(reservation.settle(&answers).left_waiting, "somebody has to look for the others");
    process.look(&mut run);
    assert_eq!(process.transport.requests().len(), 3, "they follow one another");
}

/// A clock of which nobody knows that it is turned by hand.
#[derive(Debug)]
struct Passing(ManualClock);

#[async_trait::async_trait]
impl Clock for Passing {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    async fn sleep(&self, wait: Duration) {
        self.0.sleep(wait).await;
    }
}

/// A publisher that waits for a slot, with what it is going to store.
type Publisher = Pin<Box<dyn Future<Output = (Reservation, Enqueue)>>>;

impl Process {
    /// A process at work under a clock that passes by itself, with one endpoint.
    async fn waiting(max_in_flight: u32) -> (Self, Run) {
        let process = Self::under(DispatcherConfig::new(), |clock| Arc::new(Passing(clock)));
        process.add_endpoint(max_in_flight).await;
        let run = process.run();
        (process, run)
    }

    /// Begins to publish one event; it may have to wait.
    async fn begin(&self) -> Publisher {
        let (snapshot, lane) = (self.snapshot().await, self.lane.clone());
        let event = sample::event("a").into_event(|| self.ids.event(), self.clock.now());
        Box::pin(async move {
            let mut reservation = lane.reserve();
            reservation.wait_for_slots(&event, &snapshot).await;
            let item = reservation.route(event, Some(&snapshot));
            (reservation, item)
        })
    }

    /// Publishes what has waited long enough. Answers whether its delivery was leased; nothing while it
    /// still waits.
    async fn end(&self, publisher: &mut Publisher) -> Option<bool> {
        let ready = publisher.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready((reservation, item)) = ready else { return None };
        let leased = leased(std::slice::from_ref(&item)) == 1;
        let answers = self.store.enqueue(vec![item]).await.unwrap();
        assert!(reservation.settle(&answers).unsent.is_empty());
        Some(leased)
    }
}

#[tokio::test]
async fn a_publisher_waits_a_moment_for_a_slot_and_is_served_in_its_turn() {
    let (process, mut run) = Process::waiting(2).await;
    process.transport.otherwise(status(200).after(Duration::from_millis(10)));
    assert_eq!(process.publish(2).await, 2);
    work(&mut run);
    let (mut first, mut second) = (process.begin().await, process.begin().await);
    assert_eq!(process.end(&mut first).await, None, "the endpoint is full");
    assert_eq!(process.end(&mut second).await, None);
    process.clock.advance(Duration::from_millis(10));
    work(&mut run);
    assert_eq!(process.end(&mut first).await, Some(true));
    assert_eq!(process.end(&mut second).await, Some(true));
    let mut third = process.begin().await;
    assert_eq!(process.end(&mut third).await, None, "they have taken the slots");
}

#[tokio::test]
async fn a_publisher_waits_for_no_slow_endpoint_for_longer_than_a_moment() {
    let (process, mut run) = Process::waiting(1).await;
    process.transport.otherwise(status(200).after(Duration::from_secs(20)));
    assert_eq!(process.publish(1).await, 1);
    work(&mut run);
    let mut first = process.begin().await;
    assert_eq!(process.end(&mut first).await, None);
    process.clock.advance(Duration::from_millis(250));
    assert_eq!(process.end(&mut first).await, Some(false), "it is stored pending");
    let mut next = process.begin().await;
    assert_eq!(process.end(&mut next).await, Some(false), "and behind it nobody waits");
}

#[tokio::test]
async fn an_event_for_several_endpoints_waits_for_none_of_them() {
    let (process, mut run) = Process::waiting(1).await;
    process.add_endpoint(1).await;
    process.transport.otherwise(status(200).after(Duration::from_millis(10)));
    assert_eq!(process.publish(1).await, 2);
    work(&mut run);
    let mut next = process.begin().await;
    assert_eq!(process.end(&mut next).await, Some(false), "both are full, and it does not wait");
}

#[tokio::test]
async fn slots_taken_ahead_come_back_when_a_publisher_gives_up() {
    let (process, _run) = Process::waiting(1).await;
    let mut reservation = process.lane.reserve();
    let event = sample::event("a").into_event(|| process.ids.event(), process.clock.now());
    let snapshot = process.snapshot().await;
    reservation.wait_for_slots(&event, &snapshot).await;
    let mut other = process.begin().await;
    assert_eq!(process.end(&mut other).await, None);
    drop(reservation);
    assert_eq!(process.end(&mut other).await, Some(true));
}

#[tokio::test]
async fn who_waits_is_let_go_when_the_dispatcher_is_told_to_stop() {
    let process = Process::under(DispatcherConfig::new(), |clock| Arc::new(Passing(clock)));
    process.add_endpoint(1).await;
    process.transport.otherwise(status(200).after(Duration::from_secs(20)));
    let mut run = process.run_for(Duration::from_millis(10));
    assert_eq!(process.publish(1).await, 1);
    work(&mut run);
    let mut waiting = process.begin().await;
    assert_eq!(process.end(&mut waiting).await, None);
    process.clock.advance(Duration::from_millis(10));
    work(&mut run);
    assert_eq!(process.end(&mut waiting).await, Some(false));
}

#[tokio::test]
async fn nobody_waits_under_a_clock_that_is_turned_by_hand() {
    let (process, mut run) = Process::at_work(1).await;
    process.transport.otherwise(status(200).after(Duration::from_millis(10)));
    assert_eq!(process.publish(1).await, 1);
    work(&mut run);
    let mut next = process.begin().await;
    assert_eq!(process.end(&mut next).await, Some(false));
}
