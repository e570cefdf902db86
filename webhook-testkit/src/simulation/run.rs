//! One run: faults for a while, then none, until all deliveries are final.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use webhook_core::{
    StoreError,
    store::{DeliveryLog as _, DeliveryQuery, Maintenance as _, NoticeQueue as _, Store},
};

use super::{
    Simulation,
    environment::Environment,
    executor::{Executor, StepResult, TaskSet},
    fault::FaultKind,
    fault_plan,
    invariants::{EndState, Violation},
    model::Model,
    operator::{Operator, needs_operator, repair},
    process::keep_running,
    receivers::receiver_of,
    recorder::{Recorder, RunCounts},
    rng::{FaultList, RunRng},
    setup::Setup,
    trace::{Action, Actor, Pid},
};
use crate::ManualClock;

/// Result of one run.
#[derive(Debug)]
pub(super) struct RunOutcome {
    pub(super) violation: Option<Violation>,
    pub(super) counts: RunCounts,
    pub(super) injected: FaultList,
    pub(super) lasted: Duration,
    pub(super) recent_events: Vec<String>,
}

/// Maximum time from the last fault until all deliveries are final, in addition to the longest wait
/// and the longest `Retry-After` of any endpoint. It covers the deliveries in line behind those.
const MAX_SETTLE_TIME: Duration = Duration::from_secs(24 * 3600);

/// Time for which the silent endpoint stays silent after the other faults.
const SILENT_ENDPOINT_TIME: Duration = Duration::from_secs(2 * 3600);

/// Sentence of the invariant `progress`.
const PROGRESS_SENTENCE: &str = "some task is always ready, and time advances";

/// Number of steps at one instant that counts as an endless loop. The busiest take some thousand.
const MAX_STEPS_PER_INSTANT: u32 = 200_000;

pub(super) fn run(simulation: &Simulation, keep_events: bool) -> RunOutcome {
    let clock = ManualClock::new();
    let rng = Arc::new(RunRng::new(simulation.seed, simulation.allowed.clone()));
    let setup = Arc::new(Setup::draw(&rng, &simulation.options));
    let recorder = Recorder::new(clock.clone(), setup.rarity == 0, setup.silent, keep_events);
    let store = (simulation.store)(Arc::new(clock.clone()));
    let executor = Executor::new(clock.clone());
    let mut tasks = TaskSet::new(executor.clone(), Arc::clone(&rng));
    let environment =
        Environment::new(executor.clone(), Arc::clone(&rng), setup, recorder.clone(), store);
    let over = Arc::new(AtomicBool::new(false));
    executor.spawn(None, drive(environment.clone(), Arc::clone(&over)));
    let (mut at, mut busy) = (Duration::ZERO, 0);
    while !over.load(Ordering::Relaxed) && recorder.violation().is_none() {
        match tasks.step() {
            StepResult::Polled(Some(pid)) => inject_faults(&environment, pid),
            StepResult::Polled(None) | StepResult::Waited => {}
            StepResult::Panicked(group, text) => {
                let by = group.map_or(Actor::World, Actor::Worker);
                recorder.record(by, Action::Panicked(text));
            }
            StepResult::Deadlocked => recorder.abort(
                "progress",
                PROGRESS_SENTENCE,
                "all tasks wait without a deadline; does the store return without waiting?".into(),
            ),
        }
        busy = if recorder.now() == at { busy + 1 } else { 0 };
        at = recorder.now();
        if busy > MAX_STEPS_PER_INSTANT {
            let reason = format!("{busy} steps at one instant");
            recorder.abort("progress", PROGRESS_SENTENCE, reason);
        }
    }
    // Dropping the tasks is not part of the run.
    let violation = recorder.violation();
    let recent_events =
        violation.as_ref().map(|violation| recorder.recent_events(violation)).unwrap_or_default();
    let (counts, injected, lasted) = (recorder.counts(), rng.injected(), recorder.now());
    RunOutcome { violation, counts, injected, lasted, recent_events }
}

/// Draws the faults that may hit a process after any of its steps.
fn inject_faults(environment: &Environment, pid: Pid) {
    if environment.fault_occurs(FaultKind::Crash, pid.worker, 700) {
        environment.kill(pid);
    } else if environment.fault_occurs(FaultKind::Stall, pid.worker, 700) {
        let mut stream = environment.stream("stall", pid.worker);
        let until =
            environment.now() + stream.wait(Duration::from_secs(1), Duration::from_secs(600));
        environment.executor.stall(pid, until);
        environment.record(Actor::Worker(pid), Action::Stalled { until });
    } else if environment.is_sending(pid)
        && environment.fault_occurs(FaultKind::Shutdown, pid.worker, 60)
        || environment.is_storing_slowly(pid)
            && environment.fault_occurs(FaultKind::Shutdown, pid.worker, 1)
    {
        environment.request_stop(pid);
    }
}

/// Drives a run from the first endpoint to the check of the end state.
async fn drive(environment: Environment, over: Arc<AtomicBool>) {
    match run_phases(&environment).await {
        Ok(end) => environment.recorder.check_end(&end),
        // The store in memory fails by injected faults alone; another store may fail on its own.
        Err(error) => environment.recorder.abort(
            "store",
            "a store fails by injected faults alone",
            format!("{error}: {:?}", std::error::Error::source(&error)),
        ),
    }
    over.store(true, Ordering::Relaxed);
}

async fn run_phases(environment: &Environment) -> Result<EndState, StoreError> {
    let store = environment.store_of(Actor::World);
    for endpoint in environment.setup.endpoints.clone() {
        store.add_endpoint(endpoint).await?;
    }
    if let Some(silent) = environment.setup.silent {
        environment.set_down(receiver_of(silent), Duration::MAX);
    }
    let stops = start_workers(environment);
    environment.executor.spawn(None, Operator::new(environment.clone()).run());
    environment.executor.spawn(None, fault_plan::run(environment.clone()));
    environment.executor.sleep(environment.setup.span).await;
    environment.end_faults();
    environment.record(Actor::World, Action::FaultsEnded);
    let settled = settle(environment).await?;
    for (stop, done) in stops {
        stop.notify_one();
        done.notified().await;
    }
    read_end_state(environment, settled).await
}

/// Signal that stops a worker without a restart, and signal that it has stopped.
type Stop = (Arc<Notify>, Arc<Notify>);

fn start_workers(environment: &Environment) -> Vec<Stop> {
    (0..environment.setup.workers.len() as u64)
        .map(|worker| {
            let (stop, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let keep =
                keep_running(environment.clone(), worker, Arc::clone(&stop), Arc::clone(&done));
            environment.executor.spawn(None, keep);
            (stop, done)
        })
        .collect()
}

/// Waits until all deliveries are final. Returns false after the maximum time.
async fn settle(environment: &Environment) -> Result<bool, StoreError> {
    let (began_at, mut silent) = (environment.now(), environment.setup.silent);
    let ends_at = began_at + environment.recorder.model(Model::longest_wait) + MAX_SETTLE_TIME;
    if let Some(silent) = silent {
        environment.set_down(receiver_of(silent), began_at + SILENT_ENDPOINT_TIME);
    }
    let mut pause = Duration::from_secs(1);
    while environment.now() < ends_at {
        if environment.now() >= began_at + SILENT_ENDPOINT_TIME {
            silent = None;
        }
        if environment.recorder.model(needs_operator) {
            repair(environment, silent).await?;
        } else if silent.is_none() && environment.recorder.model(Model::is_settled) {
            return Ok(true);
        }
        environment.executor.sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(600));
    }
    Ok(false)
}

/// Reads the state of the store at the end.
async fn read_end_state(environment: &Environment, settled: bool) -> Result<EndState, StoreError> {
    let store = &environment.store;
    let mut end = EndState { settled, ..EndState::default() };
    let deliveries: Vec<_> =
        environment.recorder.model(|model| model.deliveries.keys().copied().collect());
    for id in deliveries {
        if let Some(delivery) = store.delivery(id).await? {
            end.deliveries.insert(id, (delivery, store.attempts(id).await?));
        }
    }
    let events: Vec<_> = environment.recorder.model(|model| model.events.keys().copied().collect());
    for id in events {
        end.events.extend(store.event(id).await?.map(|event| event.id));
    }
    let mut query = DeliveryQuery::new();
    loop {
        let page = store.deliveries(query.clone()).await?;
        end.listed += page.items.len();
        let Some(next) = page.next else { break };
        query = query.after(next);
    }
    end.notices = store.notices(10_000).await?;
    end.leases_lost = store.status().await?.leases_lost;
    Ok(end)
}
