//! A whole delivery engine in a test: every port a fake, every second turned by hand.

mod finish_log;
mod timeline;

use std::{
    fmt,
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use webhook_core::{
    Clock, Dispatcher, DispatcherConfig, Endpoint, EndpointId, EndpointState, EventId, NewEvent,
    Report, RetryPolicy, Secret, Signing,
    engine::{EventPublisher, Ports},
    signing::Signer as _,
    store::{Backlog, Store},
};

use crate::{
    ManualClock, MemoryStore, PlainSigner, ScriptedTransport, SequenceIds, observed::Observed,
    refused,
};
use finish_log::FinishLog;

pub use timeline::Timeline;

/// A dispatcher over fakes. Nothing happens by itself, and everything the same in each run.
///
/// ```
/// use webhook_testkit::{World, expect, sample, status, timeout};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let world = World::with_endpoint("https://billing.example/hooks", "invoice.*").await;
/// world.transport.answers([status(503), timeout(), status(429).retry_after_secs(600)]);
///
/// world.publish(sample::event("invoice.paid")).await;
/// world.run_to_idle().await; // turns the clock to each due time
///
/// world.timeline().assert_eq(expect![[r#"
///     00:00:00  attempt 1  503            retry at 00:00:05
///     00:00:05  attempt 2  timeout        retry at 00:05:35
///     00:05:35  attempt 3  429 after 600s retry at 00:35:35
///     00:35:35  attempt 4  200            success
/// "#]]);
/// # }).unwrap();
/// ```
pub struct World {
    /// The clock of the store, the dispatcher and the transport.
    pub clock: ManualClock,
    /// Where everything is kept.
    pub store: MemoryStore,
    /// What answers the requests.
    pub transport: ScriptedTransport,
    /// What signs them.
    pub signer: PlainSigner,
    /// Where new identifiers come from.
    pub ids: SequenceIds,
    wake: webhook_core::engine::Wake,
    finish_log: Arc<FinishLog>,
    /// The store, observed by the finish log.
    observed: Arc<Observed>,
    run: Mutex<RunFuture>,
    /// Publisher of the process whose dispatcher is `run`.
    publisher: Mutex<EventPublisher>,
}

type RunFuture = Pin<Box<dyn Future<Output = Report> + Send>>;

/// Poll interval of the dispatcher. It never elapses, because the world wakes the dispatcher.
const POLL_INTERVAL: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Maximum number of clock turns in one [`World::run_to_idle`]. More are an endless loop.
const MAX_CLOCK_TURNS: usize = 100_000;

impl World {
    /// A world without endpoints.
    pub fn new() -> Self {
        let clock = ManualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let store = MemoryStore::new(shared.clone());
        let transport = ScriptedTransport::with_clock(shared);
        let (signer, wake) = (PlainSigner::new(), webhook_core::engine::Wake::default());
        let finish_log = FinishLog::new(clock.clone());
        let observed = Arc::new(Observed::new(Arc::new(store.clone()), finish_log.clone()));
        let ports = Ports::new(
            observed.clone(),
            Arc::new(transport.clone()),
            Arc::new(signer.clone()),
            Arc::new(clock.clone()),
        );
        let (run, publisher) = start(ports, wake.clone());
        let (run, publisher) = (Mutex::new(run), Mutex::new(publisher));
        let ids = SequenceIds::new();
        Self { clock, store, transport, signer, ids, wake, finish_log, observed, run, publisher }
    }

    /// A world with one endpoint at `url` that wants what `filter` matches, with the default retry
    /// schedule without jitter.
    ///
    /// # Panics
    ///
    /// When `url` or `filter` is none.
    #[expect(clippy::expect_used, reason = "a world that cannot be is a mistake in the test")]
    pub async fn with_endpoint(url: &str, filter: &str) -> Self {
        let world = Self::new();
        let filter = filter.parse().expect("an event filter");
        world.add_endpoint(world.endpoint(url).with_filters([filter])).await;
        world
    }

    /// An endpoint at `url` for [`add_endpoint`](Self::add_endpoint), with the default retry schedule
    /// without jitter.
    ///
    /// # Panics
    ///
    /// When `url` is none.
    #[expect(clippy::expect_used, reason = "a world that cannot be is a mistake in the test")]
    pub fn endpoint(&self, url: &str) -> Endpoint {
        let retry = RetryPolicy::durable().with_jitter_percent(0);
        Endpoint::new(self.ids.endpoint(), url.parse().expect("an endpoint URL"))
            .with_retry(retry)
            .with_created_at(self.clock.now())
    }

    /// Adds an endpoint.
    #[expect(clippy::expect_used, reason = "the store is in memory, and the id is new")]
    pub async fn add_endpoint(&self, endpoint: Endpoint) -> EndpointId {
        let id = endpoint.id;
        self.store.add_endpoint(endpoint).await.expect("a new endpoint");
        id
    }

    /// Stores an event with its deliveries. Nothing is sent before the world runs.
    #[expect(clippy::expect_used, reason = "the store is in memory")]
    pub async fn publish(&self, event: NewEvent) -> EventId {
        let event = event.into_event(|| self.ids.event(), self.clock.now());
        let id = event.id;
        let publisher = self.publisher().clone();
        // Tests may edit the store without this world.
        publisher.forget(&event.tenant);
        publisher.publish(&[event]).await.expect("a store in memory");
        id
    }

    /// Nobody listens from now on, for so long; then the transport's script goes on.
    pub fn outage(&self, lasts: Duration) {
        self.transport.outage(self.clock.now().after(lasts), refused());
    }

    /// The endpoint as it is stored.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[expect(clippy::expect_used, reason = "who asks has added it")]
    pub async fn stored_endpoint(&self, id: EndpointId) -> Endpoint {
        let found = (&self.store as &dyn Store).endpoint(id).await.expect("a store in memory");
        found.expect("an endpoint that was added")
    }

    /// Whether an endpoint is active, paused or disabled.
    ///
    /// # Panics
    ///
    /// When there is no such endpoint.
    pub async fn endpoint_state(&self, id: EndpointId) -> EndpointState {
        self.stored_endpoint(id).await.state
    }

    /// Pauses, resumes, disables or enables an endpoint.
    ///
    /// # Panics
    ///
    /// When there is no such endpoint.
    pub async fn set_endpoint_state(&self, id: EndpointId, state: EndpointState) {
        let edited = self.stored_endpoint(id).await.with_state(state);
        self.update_endpoint(edited).await;
    }

    /// Gives an endpoint a new secret, and returns it. The former ones sign as well for
    /// [a day](Signing::OVERLAP).
    ///
    /// # Panics
    ///
    /// When there is no such endpoint, or it has as many secrets as it may have.
    #[expect(clippy::expect_used, reason = "a world that cannot be is a mistake in the test")]
    pub async fn rotate_secret(&self, id: EndpointId) -> Secret {
        let secret = self.signer.generate_secret().expect("a signer with randomness");
        let endpoint = self.stored_endpoint(id).await;
        let now = self.clock.now();
        let signing = endpoint.signing.rotated(secret.clone(), now, Signing::OVERLAP);
        self.update_endpoint(endpoint.with_signing(signing.expect("room for a secret"))).await;
        secret
    }

    #[expect(clippy::expect_used, reason = "the store is in memory")]
    async fn update_endpoint(&self, edited: Endpoint) {
        self.store.update_endpoint(edited).await.expect("a store in memory");
    }

    /// Turns the clock. What has become due happens when the world runs.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Does all that can be done without turning the clock.
    pub async fn run_due(&self) {
        self.wake.wake();
        let woken = Arc::new(WakeFlag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        while woken.0.swap(false, Ordering::Relaxed) {
            let polled = self.run().as_mut().poll(&mut Context::from_waker(&waker));
            debug_assert!(polled.is_pending(), "nobody has told the dispatcher to stop");
        }
    }

    /// Does all there is to do, and turns the clock to each due time, until nothing is unrouted, in
    /// flight or pending for an active endpoint.
    ///
    /// # Panics
    ///
    /// When that goes on for ever.
    #[expect(clippy::panic, reason = "an engine that goes round in circles has failed the test")]
    pub async fn run_to_idle(&self) {
        for _ in 0..MAX_CLOCK_TURNS {
            self.run_due().await;
            let left = self.backlog().await;
            let Some(wait) = self.clock.next_deadline().filter(|_| is_work(&left)) else { return };
            self.clock.advance(wait);
        }
        panic!("still not idle after {MAX_CLOCK_TURNS} turns of the clock:\n{}", self.timeline());
    }

    /// Kills the dispatcher, with whatever it is doing, and starts another one.
    pub fn crash(&self) {
        let ports = Ports::new(
            self.observed.clone(),
            Arc::new(self.transport.clone()),
            Arc::new(self.signer.clone()),
            Arc::new(self.clock.clone()),
        );
        let (run, publisher) = start(ports, self.wake.clone());
        *self.run() = run;
        *self.publisher() = publisher;
    }

    /// What is left to do.
    #[expect(clippy::expect_used, reason = "the store is in memory")]
    pub async fn backlog(&self) -> Backlog {
        self.store.backlog().await.expect("a store in memory")
    }

    /// What has happened so far.
    pub fn timeline(&self) -> Timeline {
        Timeline::of(&self.finish_log.finished(), &self.transport.requests())
    }

    fn run(&self) -> MutexGuard<'_, RunFuture> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publisher(&self) -> MutexGuard<'_, EventPublisher> {
        self.publisher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("clock", &self.clock)
            .field("store", &self.store)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// A waker that remembers that it was called.
struct WakeFlag(AtomicBool);

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[expect(clippy::expect_used, reason = "the settings are constants")]
fn start(ports: Ports, wake: webhook_core::engine::Wake) -> (RunFuture, EventPublisher) {
    let config = DispatcherConfig::new().poll(POLL_INTERVAL);
    let dispatcher = Dispatcher::new(ports, config).expect("settings that fit").with_wake(wake);
    let publisher = dispatcher.publisher();
    (Box::pin(async move { dispatcher.run(pending()).await }), publisher)
}

const fn is_work(left: &Backlog) -> bool {
    left.unrouted + left.in_flight + left.pending > 0
}
