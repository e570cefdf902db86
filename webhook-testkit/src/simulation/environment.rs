//! State that all actors of a run share, and the faults around each store call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::sync::Notify;
use webhook_core::{EndpointId, StoreErrorKind, store::Store};

use super::{
    executor::Executor,
    fault::FaultKind,
    model::EndpointEntry,
    recorder::{EffectRecorder, Recorder},
    rng::{RngStream, RunRng},
    setup::Setup,
    skewed_clock::SkewedClock,
    trace::{Action, Actor, Pid},
};
use crate::{
    Fault, FaultyStore, StoreCall,
    faulty::{CallPlan, FaultSource},
    observed::Observed,
};

/// State that all actors share. Clones are the same environment.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    pub(super) executor: Executor,
    pub(super) rng: Arc<RunRng>,
    pub(super) setup: Arc<Setup>,
    pub(super) recorder: Recorder,
    pub(super) store: Arc<dyn Store>,
    state: Arc<Mutex<EnvironmentState>>,
}

/// Faults in effect, and handles of the running processes.
#[derive(Debug, Default)]
struct EnvironmentState {
    /// End of each worker's partition from the store.
    partitions: BTreeMap<u64, Duration>,
    outage_until: Duration,
    /// End of each receiver's failure, by the receiver's number.
    down: BTreeMap<u64, Duration>,
    clocks: BTreeMap<u64, SkewedClock>,
    /// Stop signal of each process.
    stops: BTreeMap<Pid, Arc<Notify>>,
    /// Signals that a process has ended.
    gone: BTreeMap<Pid, Arc<Notify>>,
    /// Stores of the running workers, for wake-ups.
    hints: BTreeMap<u64, Arc<FaultyStore<Observed>>>,
}

impl Environment {
    pub(super) fn new(
        executor: Executor,
        rng: Arc<RunRng>,
        setup: Arc<Setup>,
        recorder: Recorder,
        store: Arc<dyn Store>,
    ) -> Self {
        Self { executor, rng, setup, recorder, store, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, EnvironmentState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.executor.now()
    }

    pub(super) fn record(&self, by: Actor, action: Action) {
        self.recorder.record(by, action);
    }

    /// Returns true if a fault of this kind occurs, and counts it. In the worst runs it occurs once
    /// in `one_in` calls.
    pub(super) fn fault_occurs(&self, kind: FaultKind, target: u64, one_in: u64) -> bool {
        let occurs = self.rng.occurs(kind, target, one_in * self.setup.rarity, self.now());
        if occurs {
            self.recorder.count(kind);
        }
        occurs
    }

    /// Random numbers for `target` at this time.
    pub(super) fn stream(&self, target: &str, index: u64) -> RngStream {
        self.rng.stream(target, index, self.now())
    }

    /// Clock of a worker. It outlives the worker's processes.
    pub(super) fn clock_of(&self, worker: u64) -> SkewedClock {
        let mut stream = self.rng.stream("clock", worker, Duration::ZERO);
        let ahead = i64::try_from(stream.below(20_000)).unwrap_or_default() - 10_000;
        let ahead = if self.setup.rarity == 0 { 0 } else { ahead };
        let base = Duration::from_millis(stream.below(1_000_000_000));
        let new = || SkewedClock::new(self.executor.clock().clone(), ahead, base);
        self.state().clocks.entry(worker).or_insert_with(new).clone()
    }

    /// Store of this actor, with faults around each call.
    pub(super) fn store_of(&self, by: Actor) -> Arc<FaultyStore<Observed>> {
        let hand = Arc::new(EffectRecorder { recorder: self.recorder.clone(), by });
        let observed = Observed::new(Arc::clone(&self.store), hand);
        let source = Arc::new(ActorFaults { environment: self.clone(), by });
        let store = Arc::new(FaultyStore::with_fault_source(observed, source));
        if let Actor::Worker(pid) = by {
            self.state().hints.insert(pid.worker, Arc::clone(&store));
        }
        store
    }

    /// Wakes all workers except `but`, as a database may.
    pub(super) fn hint_others(&self, but: u64) {
        let others = self.state().hints.clone();
        others.iter().filter(|(worker, _)| **worker != but).for_each(|(_, store)| store.hint());
    }

    pub(super) fn keep_stop(&self, pid: Pid, stop: Arc<Notify>) {
        self.state().stops.insert(pid, stop);
    }

    /// Requests a graceful stop of a process. Later requests are ignored.
    pub(super) fn request_stop(&self, pid: Pid) {
        let stop = self.state().stops.remove(&pid);
        if let Some(stop) = stop {
            self.record(Actor::Worker(pid), Action::StopRequested);
            stop.notify_one();
        }
    }

    /// Returns true if a send of this process is in flight.
    pub(super) fn is_sending(&self, pid: Pid) -> bool {
        self.recorder.model(|model| model.sends_in_flight.values().any(|(_, of)| *of == pid))
    }

    /// Returns true if new events of this process are being stored and that takes its time.
    pub(super) fn is_storing_slowly(&self, pid: Pid) -> bool {
        let now = self.now();
        self.recorder.model(|model| {
            let worker = model.workers.get(&pid);
            worker.is_some_and(|worker| worker.is_storing && worker.enqueue_began_at < now)
        })
    }

    /// Kills a process at its present await.
    pub(super) fn kill(&self, pid: Pid) {
        self.record(Actor::Worker(pid), Action::Crashed);
        self.remove(pid);
    }

    /// Drops the tasks of a process and signals its end.
    pub(super) fn remove(&self, pid: Pid) {
        self.executor.kill(pid);
        self.state().hints.remove(&pid.worker);
        self.end_of(pid).notify_one();
    }

    /// Signal that a process has ended.
    pub(super) fn end_of(&self, pid: Pid) -> Arc<Notify> {
        Arc::clone(self.state().gone.entry(pid).or_default())
    }

    /// The endpoint that has this URL, or had it before an edit.
    pub(super) fn endpoint_at(&self, url: &str) -> Option<EndpointId> {
        self.recorder.model(|model| {
            let has = |entry: &EndpointEntry| {
                entry.revisions.values().any(|revision| revision.url.as_str() == url)
            };
            model.endpoints.iter().find(|(_, entry)| has(entry)).map(|(id, _)| *id)
        })
    }

    pub(super) fn disconnect(&self, worker: u64, until: Duration) {
        let mut state = self.state();
        let known = state.partitions.entry(worker).or_default();
        *known = until.max(*known);
    }

    pub(super) fn outage(&self, until: Duration) {
        let mut state = self.state();
        state.outage_until = state.outage_until.max(until);
    }

    pub(super) fn set_down(&self, receiver: u64, until: Duration) {
        self.state().down.insert(receiver, until);
    }

    /// Returns true if this receiver fails every request at present.
    pub(super) fn is_down(&self, receiver: u64) -> bool {
        let now = self.now();
        self.state().down.get(&receiver).is_some_and(|until| *until > now)
    }

    fn is_disconnected(&self, by: Actor) -> bool {
        let (now, state) = (self.now(), self.state());
        let own = match by {
            Actor::Worker(pid) => state.partitions.get(&pid.worker).copied(),
            Actor::Operator | Actor::World => None,
        };
        own.unwrap_or_default().max(state.outage_until) > now
    }

    /// Ends all faults for the rest of the run.
    pub(super) fn end_faults(&self) {
        self.rng.end_faults();
        self.executor.resume_all();
        let mut state = self.state();
        (state.outage_until, state.partitions) = (Duration::ZERO, BTreeMap::new());
        state.down.clear();
    }
}

/// Source of the faults in one actor's store calls.
#[derive(Debug)]
struct ActorFaults {
    environment: Environment,
    by: Actor,
}

/// Maximum duration of a store call. Stores return in bounded time.
const MAX_CALL_DURATION: Duration = Duration::from_secs(8);

impl ActorFaults {
    fn number(&self) -> u64 {
        match self.by {
            Actor::Worker(Pid { worker, .. }) => worker,
            Actor::Operator | Actor::World => 1000,
        }
    }

    fn fault(&self) -> Fault<StoreErrorKind> {
        let (environment, number) = (&self.environment, self.number());
        if environment.is_disconnected(self.by)
            || environment.fault_occurs(FaultKind::FailedCall, number, 150)
        {
            Fault::Before(StoreErrorKind::Unavailable)
        } else if environment.fault_occurs(FaultKind::LostCommit, number, 120) {
            Fault::After(StoreErrorKind::Unknown)
        } else if environment.fault_occurs(FaultKind::OddCall, number, 400) {
            Fault::Before(StoreErrorKind::Other)
        } else {
            Fault::None
        }
    }

    /// Delays before and after a call. Most are zero, and only yield to other tasks.
    fn waits(&self) -> (Duration, Duration) {
        if self.by == Actor::World
            || !self.environment.fault_occurs(FaultKind::SlowCall, self.number(), 60)
        {
            return (Duration::ZERO, Duration::ZERO);
        }
        let mut stream = self.environment.stream("slow-call", self.number());
        let mut wait = || stream.wait(Duration::from_millis(1), MAX_CALL_DURATION / 2);
        (wait(), wait())
    }
}

impl FaultSource for ActorFaults {
    fn plan_call(&self, call: StoreCall) -> CallPlan {
        self.environment.record(self.by, Action::CallStarted(call));
        let fault = if self.by == Actor::World { Fault::None } else { self.fault() };
        let (before, after) = self.waits();
        let (first, then) = (self.environment.clone(), self.environment.clone());
        let by = self.by;
        let failed = move |environment: &Environment, fails: bool| {
            if fails {
                environment.record(by, Action::CallFailed(call));
            }
        };
        let (fails, loses) = (matches!(fault, Fault::Before(_)), matches!(fault, Fault::After(_)));
        let answers = !fails && !loses;
        CallPlan {
            before: async move {
                pause(&first.executor, before).await;
                failed(&first, fails);
            }
            .boxed(),
            fault,
            after: async move {
                pause(&then.executor, after).await;
                failed(&then, loses);
                if answers {
                    then.record(by, Action::CallReturned(call));
                }
            }
            .boxed(),
        }
    }
}

/// Waits; a wait of zero yields once.
async fn pause(executor: &Executor, wait: Duration) {
    if wait.is_zero() {
        yield_now().await;
    } else {
        executor.sleep(wait).await;
    }
}

/// Yields to the other tasks that are ready.
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
