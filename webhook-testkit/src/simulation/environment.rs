//! What all actors share, and what each call of a store goes through.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::sync::Notify;
use webhook_core::{EndpointId, Store, StoreErrorKind};

use super::{
    executor::Yard,
    fault::FaultKind,
    model::EndpointBook,
    recorder::{Hand, Recorder},
    rng::{Dice, Stream},
    setup::Plan,
    skewed_clock::SkewedClock,
    trace::{Actor, Pid, What},
};
use crate::{
    Fault, FaultyStore, StoreCall,
    faulty::{Director, Ordeal},
    observed::Observed,
};

/// What all actors share. Clones are the same scene.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) yard: Yard,
    pub(super) dice: Arc<Dice>,
    pub(super) plan: Arc<Plan>,
    pub(super) recorder: Recorder,
    pub(super) store: Arc<dyn Store>,
    weather: Arc<Mutex<Weather>>,
}

/// What lasts for a while.
#[derive(Debug, Default)]
struct Weather {
    /// Until when a worker does not reach the store.
    partitions: BTreeMap<u64, Duration>,
    outage_until: Duration,
    /// Until when a receiver fails whatever it gets, by its number.
    down: BTreeMap<u64, Duration>,
    clocks: BTreeMap<u64, SkewedClock>,
    /// What tells a process to stop.
    stops: BTreeMap<Pid, Arc<Notify>>,
    /// Who waits for the end of a process.
    gone: BTreeMap<Pid, Arc<Notify>>,
    /// The stores of the workers that live, to hint at work.
    hints: BTreeMap<u64, Arc<FaultyStore<Observed>>>,
}

impl Scene {
    pub(super) fn new(
        yard: Yard,
        dice: Arc<Dice>,
        plan: Arc<Plan>,
        recorder: Recorder,
        store: Arc<dyn Store>,
    ) -> Self {
        Self { yard, dice, plan, recorder, store, weather: Arc::default() }
    }

    fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.yard.now()
    }

    pub(super) fn tell(&self, by: Actor, what: What) {
        self.recorder.tell(by, what);
    }

    /// Whether a fault of this kind happens, once in `one_in` times in the worst of runs; and counts it.
    pub(super) fn strikes(&self, kind: FaultKind, whom: u64, one_in: u64) -> bool {
        let strikes = self.dice.strikes(kind, whom, one_in * self.plan.rarity, self.now());
        if strikes {
            self.recorder.count(kind);
        }
        strikes
    }

    /// A source of numbers of its own for `whom`, at this time.
    pub(super) fn stream(&self, whom: &str, index: u64) -> Stream {
        self.dice.stream(whom, index, self.now())
    }

    /// The clock of a worker, whose machine outlives its processes.
    pub(super) fn clock_of(&self, worker: u64) -> SkewedClock {
        let mut stream = self.dice.stream("clock", worker, Duration::ZERO);
        let ahead = i64::try_from(stream.below(20_000)).unwrap_or_default() - 10_000;
        let ahead = if self.plan.rarity == 0 { 0 } else { ahead };
        let base = Duration::from_millis(stream.below(1_000_000_000));
        let new = || SkewedClock::new(self.yard.clock().clone(), ahead, base);
        self.weather().clocks.entry(worker).or_insert_with(new).clone()
    }

    /// The store as this actor reaches it.
    pub(super) fn store_of(&self, by: Actor) -> Arc<FaultyStore<Observed>> {
        let hand = Arc::new(Hand { recorder: self.recorder.clone(), by });
        let observed = Observed::new(Arc::clone(&self.store), hand);
        let director = Arc::new(Calls { scene: self.clone(), by });
        let store = Arc::new(FaultyStore::directed(observed, director));
        if let Actor::Worker(pid) = by {
            self.weather().hints.insert(pid.worker, Arc::clone(&store));
        }
        store
    }

    /// Hints at work to the workers but one, as a database may.
    pub(super) fn hint_others(&self, but: u64) {
        let others = self.weather().hints.clone();
        others.iter().filter(|(worker, _)| **worker != but).for_each(|(_, store)| store.hint());
    }

    pub(super) fn keep_stop(&self, pid: Pid, stop: Arc<Notify>) {
        self.weather().stops.insert(pid, stop);
    }

    /// Tells a process to stop, once: it drains.
    pub(super) fn tell_to_stop(&self, pid: Pid) {
        let stop = self.weather().stops.remove(&pid);
        if let Some(stop) = stop {
            self.tell(Actor::Worker(pid), What::ToldToStop);
            stop.notify_one();
        }
    }

    /// Whether something of this process is under way.
    pub(super) fn is_sending(&self, pid: Pid) -> bool {
        self.recorder.ledger(|ledger| ledger.flying.values().any(|(_, of)| *of == pid))
    }

    /// Returns true if new events of this process are being stored and that takes its time.
    pub(super) fn is_storing_slowly(&self, pid: Pid) -> bool {
        let now = self.now();
        self.recorder.ledger(|ledger| {
            let worker = ledger.workers.get(&pid);
            worker.is_some_and(|it| it.is_storing && it.enqueue_began_at < now)
        })
    }

    /// Kills a process, wherever it is.
    pub(super) fn kill(&self, pid: Pid) {
        self.tell(Actor::Worker(pid), What::Crashed);
        self.remove(pid);
    }

    /// Takes a process away: its tasks end, and whoever waits for that is told.
    pub(super) fn remove(&self, pid: Pid) {
        self.yard.kill(pid);
        self.weather().hints.remove(&pid.worker);
        self.end_of(pid).notify_one();
    }

    /// Told when a process has ended.
    pub(super) fn end_of(&self, pid: Pid) -> Arc<Notify> {
        Arc::clone(self.weather().gone.entry(pid).or_default())
    }

    /// The endpoint that has, or had, this URL.
    pub(super) fn endpoint_at(&self, url: &str) -> Option<EndpointId> {
        self.recorder.ledger(|ledger| {
            let has = |book: &EndpointBook| {
                book.revisions.values().any(|revision| revision.url.as_str() == url)
            };
            ledger.endpoints.iter().find(|(_, book)| has(book)).map(|(id, _)| *id)
        })
    }

    pub(super) fn cut_off(&self, worker: u64, until: Duration) {
        let mut weather = self.weather();
        let known = weather.partitions.entry(worker).or_default();
        *known = until.max(*known);
    }

    pub(super) fn outage(&self, until: Duration) {
        let mut weather = self.weather();
        weather.outage_until = weather.outage_until.max(until);
    }

    pub(super) fn set_down(&self, receiver: u64, until: Duration) {
        self.weather().down.insert(receiver, until);
    }

    /// Whether this receiver fails whatever it gets.
    pub(super) fn is_down(&self, receiver: u64) -> bool {
        let now = self.now();
        self.weather().down.get(&receiver).is_some_and(|until| *until > now)
    }

    fn is_cut_off(&self, by: Actor) -> bool {
        let (now, weather) = (self.now(), self.weather());
        let own = match by {
            Actor::Worker(pid) => weather.partitions.get(&pid.worker).copied(),
            Actor::Operator | Actor::World => None,
        };
        own.unwrap_or_default().max(weather.outage_until) > now
    }

    /// Ends everything that goes wrong.
    pub(super) fn heal(&self) {
        self.dice.heal();
        self.yard.go_on();
        let mut weather = self.weather();
        (weather.outage_until, weather.partitions) = (Duration::ZERO, BTreeMap::new());
        weather.down.clear();
    }
}

/// Directs the store calls of one actor.
#[derive(Debug)]
struct Calls {
    scene: Scene,
    by: Actor,
}

/// The longest that a call may take: a store answers in bounded time.
const SLOWEST: Duration = Duration::from_secs(8);

impl Calls {
    fn number(&self) -> u64 {
        match self.by {
            Actor::Worker(Pid { worker, .. }) => worker,
            Actor::Operator | Actor::World => 1000,
        }
    }

    fn fault(&self) -> Fault<StoreErrorKind> {
        let (scene, number) = (&self.scene, self.number());
        if scene.is_cut_off(self.by) || scene.strikes(FaultKind::FailedCall, number, 150) {
            Fault::Before(StoreErrorKind::Unavailable)
        } else if scene.strikes(FaultKind::LostCommit, number, 120) {
            Fault::After(StoreErrorKind::Unknown)
        } else if scene.strikes(FaultKind::OddCall, number, 400) {
            Fault::Before(StoreErrorKind::Other)
        } else {
            Fault::None
        }
    }

    /// Waits before a call and after it. Most take no time, but let others go first.
    fn waits(&self) -> (Duration, Duration) {
        if self.by == Actor::World || !self.scene.strikes(FaultKind::SlowCall, self.number(), 60) {
            return (Duration::ZERO, Duration::ZERO);
        }
        let mut stream = self.scene.stream("slow-call", self.number());
        let mut wait = || stream.wait(Duration::from_millis(1), SLOWEST / 2);
        (wait(), wait())
    }
}

impl Director for Calls {
    fn ordeal(&self, call: StoreCall) -> Ordeal {
        self.scene.tell(self.by, What::CallBegun(call));
        let fault = if self.by == Actor::World { Fault::None } else { self.fault() };
        let (before, after) = self.waits();
        let (first, then) = (self.scene.clone(), self.scene.clone());
        let by = self.by;
        let failed = move |scene: &Scene, fails: bool| {
            if fails {
                scene.tell(by, What::CallFailed(call));
            }
        };
        let (fails, loses) = (matches!(fault, Fault::Before(_)), matches!(fault, Fault::After(_)));
        let answers = !fails && !loses;
        Ordeal {
            before: async move {
                pause(&first.yard, before).await;
                failed(&first, fails);
            }
            .boxed(),
            fault,
            after: async move {
                pause(&then.yard, after).await;
                failed(&then, loses);
                if answers {
                    then.tell(by, What::CallAnswered(call));
                }
            }
            .boxed(),
        }
    }
}

/// Waits, if only until others had their turn.
async fn pause(yard: &Yard, wait: Duration) {
    if wait.is_zero() {
        yield_now().await;
    } else {
        yard.sleep(wait).await;
    }
}

/// Lets whoever is ready go first.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
