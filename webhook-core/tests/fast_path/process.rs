//! Fixture: a process that publishes and delivers over fakes. Tests poll its futures and move its
//! clock.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::FutureExt as _;
use webhook_core::{
    Clock, Delivery, DeliveryStatus, Dispatcher, DispatcherConfig, Endpoint, Event, Report,
    StoreError, StoreErrorKind, TenantId, Timestamp,
    engine::{EventPublisher, Ports, Wake},
    store::{DeliveryLog, DeliveryQuery, EndpointDirectory as _, Enqueued, Store},
};
use webhook_testkit::{
    Fault, FaultyStore, ManualClock, MemoryStore, PlainSigner, ScriptedTransport, SequenceIds,
    StoreCall, sample, status,
};

type Call<T> = Pin<Box<dyn Future<Output = T>>>;
pub(crate) type Publish = Call<Result<Vec<Enqueued>, StoreError>>;

pub(crate) struct Process {
    pub(crate) clock: ManualClock,
    pub(crate) memory: MemoryStore,
    /// `memory` behind scripted faults.
    pub(crate) store: Arc<FaultyStore<MemoryStore>>,
    pub(crate) transport: ScriptedTransport,
    pub(crate) wake: Wake,
    pub(crate) publisher: EventPublisher,
    dispatcher: Arc<Dispatcher>,
    run: Option<Call<Report>>,
    ids: SequenceIds,
}

impl Process {
    /// Creates a process with one endpoint whose dispatcher does not run yet.
    pub(crate) fn new(config: DispatcherConfig, max_in_flight: u32) -> Self {
        Self::with_clock(config, max_in_flight, |clock| Arc::new(clock))
    }

    /// Creates a process with one endpoint whose dispatcher runs.
    pub(crate) fn running(max_in_flight: u32) -> Self {
        Self::new(DispatcherConfig::new(), max_in_flight).started()
    }

    /// Like `running`, but publishers wait for slots, as if the clock advanced on its own.
    pub(crate) fn in_real_time(max_in_flight: u32) -> Self {
        let real_time = |clock| Arc::new(RealTime(clock)) as _;
        Self::with_clock(DispatcherConfig::new(), max_in_flight, real_time).started()
    }

    fn with_clock(
        config: DispatcherConfig,
        max_in_flight: u32,
        wrap: impl Fn(ManualClock) -> Arc<dyn Clock>,
    ) -> Self {
        let (clock, wake) = (ManualClock::new(), Wake::default());
        let shared = wrap(clock.clone());
        let memory = MemoryStore::new(shared.clone());
        let store = Arc::new(FaultyStore::new(memory.clone()));
        let transport = ScriptedTransport::with_clock(shared.clone());
        let signer = Arc::new(PlainSigner::new());
        let ports = Ports::new(store.clone(), Arc::new(transport.clone()), signer, shared);
        let dispatcher = Arc::new(Dispatcher::new(ports, config).unwrap().with_wake(wake.clone()));
        let (publisher, ids, run) = (dispatcher.publisher(), SequenceIds::new(), None);
        let process =
            Self { clock, memory, store, transport, wake, publisher, dispatcher, run, ids };
        process.add_endpoint(max_in_flight);
        process
    }

    pub(crate) fn add_endpoint(&self, max_in_flight: u32) {
        let url = "https://a.example/".parse().unwrap();
        let endpoint = Endpoint::new(self.ids.endpoint(), url).with_max_in_flight(max_in_flight);
        ready(self.memory.add_endpoint(endpoint)).unwrap();
    }

    /// The first endpoint as it is stored.
    pub(crate) fn endpoint(&self) -> Endpoint {
        let tenant = TenantId::default();
        ready(self.memory.tenant_endpoints(&tenant, None, 1)).unwrap().remove(0)
    }

    /// Edits the first endpoint. Publishers do not learn it.
    pub(crate) fn edit(&self, edit: impl FnOnce(&mut Endpoint)) {
        let mut endpoint = self.endpoint();
        edit(&mut endpoint);
        ready(self.memory.update_endpoint(endpoint)).unwrap();
    }

    pub(crate) fn move_endpoint(&self) {
        self.edit(|endpoint| endpoint.url = "https://b.example/".parse().unwrap());
    }

    pub(crate) fn started(mut self) -> Self {
        self.start();
        self
    }

    pub(crate) fn start(&mut self) {
        self.start_for(Duration::MAX);
    }

    /// Starts the dispatcher, with a shutdown after `time`.
    pub(crate) fn start_for(&mut self, time: Duration) {
        let (dispatcher, clock) = (self.dispatcher.clone(), self.clock.clone());
        self.run = Some(Box::pin(async move { dispatcher.run(clock.sleep(time)).await }));
        self.work();
    }

    /// Lets the dispatcher do everything that needs no later time.
    pub(crate) fn work(&mut self) {
        assert_eq!(self.end(), None, "the dispatcher has stopped");
    }

    /// Like `work`, but returns the report of a dispatcher that stops.
    pub(crate) fn end(&mut self) -> Option<Report> {
        let run = self.run.as_mut().expect("a started dispatcher");
        let mut turns = (0..20).map(|_| poll(run));
        turns.find_map(|turn| if let Poll::Ready(report) = turn { Some(report) } else { None })
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.work();
    }

    /// Moves the clock beyond the dispatcher's next poll.
    pub(crate) fn advance_to_poll(&mut self) {
        self.advance(DispatcherConfig::POLL * 2);
    }

    /// Drops the dispatcher's run.
    pub(crate) fn crash(&mut self) {
        self.run = None;
    }

    pub(crate) fn event(&self) -> Event {
        sample::event("a").into_event(|| self.ids.event(), self.clock.now())
    }

    pub(crate) fn events(&self, count: usize) -> Vec<Event> {
        (0..count).map(|_| self.event()).collect()
    }

    /// Creates a call that publishes new events. It starts when it is polled.
    pub(crate) fn begin(&self, count: usize) -> Publish {
        let (publisher, events) = (self.publisher.clone(), self.events(count));
        Box::pin(async move { publisher.publish(&events).await })
    }

    /// Polls a publish. Returns the number of deliveries that it leased, or `None` while it waits.
    pub(crate) fn poll(&self, publish: &mut Publish) -> Option<usize> {
        let before = self.leased();
        let Poll::Ready(answers) = poll(publish) else { return None };
        assert_routed(&answers.unwrap());
        Some(self.leased() - before)
    }

    /// Publishes new events without a wait. Returns the number of leased deliveries.
    pub(crate) fn publish(&self, count: usize) -> usize {
        self.poll(&mut self.begin(count)).expect("a publish that does not wait")
    }

    pub(crate) fn publish_event(&self, event: &Event) -> Result<Enqueued, StoreErrorKind> {
        let answers = ready(self.publisher.publish(std::slice::from_ref(event)));
        answers.map(|answers| answers[0]).map_err(|error| error.kind())
    }

    /// Publishes new events up to the moment when they are stored and the answer is on its way.
    pub(crate) fn publish_half(&self, count: usize) -> Publish {
        self.store.fails(StoreCall::Enqueue, [Fault::Held]);
        let mut publish = self.begin(count);
        assert_eq!(self.poll(&mut publish), None);
        publish
    }

    /// Lets the answer arrive at a half publish.
    pub(crate) fn finish(&self, publish: Publish) {
        self.store.release_held(StoreCall::Enqueue);
        assert_routed(&ready(publish).unwrap());
    }

    /// Starts one attempt of `time` at each endpoint.
    pub(crate) fn fill(&mut self, endpoints: usize, time: Duration) {
        self.transport.otherwise(status(200).after(time));
        assert_eq!(self.publish(1), endpoints);
        self.work();
    }

    /// Publishes new events in another process.
    pub(crate) fn publish_elsewhere(&self, count: usize) {
        let publisher = EventPublisher::new(Arc::new(self.memory.clone()), Wake::default());
        assert_routed(&ready(publisher.publish(&self.events(count))).unwrap());
    }

    /// The stored deliveries, the newest first.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        ready(self.memory.deliveries(DeliveryQuery::new().limit(1000))).unwrap().items
    }

    /// Status and number of attempts of each delivery, the newest first.
    pub(crate) fn states(&self) -> Vec<(DeliveryStatus, u32)> {
        self.deliveries().iter().map(|delivery| (delivery.status, delivery.attempts)).collect()
    }

    fn leased(&self) -> usize {
        self.states().iter().filter(|state| state.0 == DeliveryStatus::InFlight).count()
    }

    pub(crate) fn claims(&self) -> usize {
        self.store.calls(StoreCall::ClaimDue)
    }

    pub(crate) fn sent(&self) -> usize {
        self.transport.requests().len()
    }
}

fn assert_routed(answers: &[Enqueued]) {
    assert!(answers.iter().all(|answer| matches!(answer, Enqueued::Routed(_))), "{answers:?}");
}

fn poll<T>(call: &mut Call<T>) -> Poll<T> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Output of a future that does not wait.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("a future that does not wait")
}

/// A manual clock that claims to advance on its own.
#[derive(Debug)]
struct RealTime(ManualClock);

#[async_trait::async_trait]
impl Clock for RealTime {
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
