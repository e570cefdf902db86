//! One run: things go wrong for a while, then nothing does, and everything has to end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use webhook_core::{DeliveryQuery, EndpointStore, StoreError};

use super::{
    Simulation,
    environment::Scene,
    executor::{Tasks, Turn, Yard},
    fault::FaultKind,
    fault_plan,
    invariants::{Breach, Ending},
    model::Ledger,
    operator::{Operator, needs_help, put_right},
    process::keep_running,
    receivers::receiver_of,
    recorder::{Counted, Recorder},
    rng::{Dice, FaultList},
    setup::Plan,
    trace::{Actor, Pid, What},
};
use crate::ManualClock;

/// What a run came to.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) breach: Option<Breach>,
    pub(super) counted: Counted,
    pub(super) happened: FaultList,
    pub(super) lasted: Duration,
    pub(super) story: Vec<String>,
}

/// Everything is over so long after the last fault, and after the longest wait and the longest
/// `Retry-After` of any endpoint: time for what stands in line behind that.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// How long one endpoint goes on being silent.
const SILENCE: Duration = Duration::from_secs(2 * 3600);

/// What every run needs, whatever it is a run of.
const GOES_ON: &str = "there is always somebody who does something, and time goes by";

/// So many steps in one moment are an endless loop: the busiest moments take some thousand.
const MOST_BUSY: u32 = 200_000;

pub(super) fn play(simulation: &Simulation, with_story: bool) -> Played {
    let clock = ManualClock::new();
    let dice = Arc::new(Dice::new(simulation.seed, simulation.allowed.clone()));
    let plan = Arc::new(Plan::draw(&dice, &simulation.given));
    let recorder = Recorder::new(clock.clone(), plan.rarity == 0, plan.silent, with_story);
    let store = (simulation.store)(Arc::new(clock.clone()));
    let yard = Yard::new(clock.clone());
    let mut tasks = Tasks::new(yard.clone(), Arc::clone(&dice));
    let scene = Scene::new(yard.clone(), Arc::clone(&dice), plan, recorder.clone(), store);
    let over = Arc::new(AtomicBool::new(false));
    yard.spawn(None, direct(scene.clone(), Arc::clone(&over)));
    let (mut at, mut busy) = (Duration::ZERO, 0);
    while !over.load(Ordering::Relaxed) && recorder.breach().is_none() {
        match tasks.turn() {
            Turn::Polled(Some(pid)) => strike(&scene, pid),
            Turn::Polled(None) | Turn::Waited => {}
            Turn::Panicked(group, text) => {
                let by = group.map_or(Actor::World, Actor::Worker);
                recorder.tell(by, What::Panicked(text));
            }
            Turn::Dead => recorder.break_off(
                "goes-on",
                GOES_ON,
                "everybody waits for what never comes; does the store answer without waiting?"
                    .into(),
            ),
        }
        busy = if recorder.now() == at { busy + 1 } else { 0 };
        at = recorder.now();
        if busy > MOST_BUSY {
            let why = format!("{busy} steps in one moment, and no end of it");
            recorder.break_off("goes-on", GOES_ON, why);
        }
    }
    // What is dropped now has happened to nobody.
    let breach = recorder.breach();
    let story = breach.as_ref().map(|breach| recorder.story(breach)).unwrap_or_default();
    let (counted, happened, lasted) = (recorder.counted(), dice.happened(), recorder.now());
    Played { breach, counted, happened, lasted, story }
}

/// What may happen to a process after any of its steps.
fn strike(scene: &Scene, pid: Pid) {
    if scene.strikes(FaultKind::Crash, pid.worker, 700) {
        scene.kill(pid);
    } else if scene.strikes(FaultKind::Stall, pid.worker, 700) {
        let mut stream = scene.stream("stall", pid.worker);
        let until = scene.now() + stream.wait(Duration::from_secs(1), Duration::from_secs(600));
        scene.yard.stall(pid, until);
        scene.tell(Actor::Worker(pid), What::Stalled { until });
    } else if scene.is_sending(pid) && scene.strikes(FaultKind::Shutdown, pid.worker, 60)
        || scene.is_storing_slowly(pid) && scene.strikes(FaultKind::Shutdown, pid.worker, 1)
    {
        scene.tell_to_stop(pid);
    }
}

/// The whole of a run, from the first endpoint to the last judgement.
async fn direct(scene: Scene, over: Arc<AtomicBool>) {
    match perform(&scene).await {
        Ok(ending) => scene.recorder.judge(&ending),
        // The store in memory does not fail by itself; another one may.
        Err(error) => scene.recorder.break_off(
            "store",
            "a store fails when it is told to, and not by itself",
            format!("{error}: {:?}", std::error::Error::source(&error)),
        ),
    }
    over.store(true, Ordering::Relaxed);
}

async fn perform(scene: &Scene) -> Result<Ending, StoreError> {
    let store = scene.store_of(Actor::World);
    for endpoint in scene.plan.endpoints.clone() {
        store.add_endpoint(endpoint).await?;
    }
    if let Some(silent) = scene.plan.silent {
        scene.set_down(receiver_of(silent), Duration::MAX);
    }
    let stops = start_workers(scene);
    scene.yard.spawn(None, Operator::new(scene.clone()).run());
    scene.yard.spawn(None, fault_plan::change(scene.clone()));
    scene.yard.sleep(scene.plan.span).await;
    scene.heal();
    scene.tell(Actor::World, What::Healed);
    let settled = settle(scene).await?;
    for (stop, done) in stops {
        stop.notify_one();
        done.notified().await;
    }
    look(scene, settled).await
}

/// What tells a worker to stop for good, and what tells that it has.
type Stop = (Arc<Notify>, Arc<Notify>);

fn start_workers(scene: &Scene) -> Vec<Stop> {
    (0..scene.plan.workers.len() as u64)
        .map(|worker| {
            let (stop, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let keep = keep_running(scene.clone(), worker, Arc::clone(&stop), Arc::clone(&done));
            scene.yard.spawn(None, keep);
            (stop, done)
        })
        .collect()
}

/// Waits until everything is over; not for ever.
async fn settle(scene: &Scene) -> Result<bool, StoreError> {
    let (began_at, mut silent) = (scene.now(), scene.plan.silent);
    let ends_at = began_at + scene.recorder.ledger(Ledger::longest_wait) + PATIENCE;
    if let Some(silent) = silent {
        scene.set_down(receiver_of(silent), began_at + SILENCE);
    }
    let mut pause = Duration::from_secs(1);
    while scene.now() < ends_at {
        if scene.now() >= began_at + SILENCE {
            silent = None;
        }
        if scene.recorder.ledger(needs_help) {
            put_right(scene, silent).await?;
        } else if silent.is_none() && scene.recorder.ledger(Ledger::is_settled) {
            return Ok(true);
        }
        scene.yard.sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(600));
    }
    Ok(false)
}

/// Reads what the store says at the end.
async fn look(scene: &Scene, settled: bool) -> Result<Ending, StoreError> {
    let store = &scene.store;
    let mut ending = Ending { settled, ..Ending::default() };
    let deliveries: Vec<_> =
        scene.recorder.ledger(|ledger| ledger.deliveries.keys().copied().collect());
    for id in deliveries {
        if let Some(delivery) = store.delivery(id).await? {
            ending.deliveries.insert(id, (delivery, store.attempts(id).await?));
        }
    }
    let events: Vec<_> = scene.recorder.ledger(|ledger| ledger.events.keys().copied().collect());
    for id in events {
        ending.events.extend(store.event(id).await?.map(|event| event.id));
    }
    let mut query = DeliveryQuery::new();
    loop {
        let page = store.deliveries(query.clone()).await?;
        ending.listed += page.items.len();
        let Some(next) = page.next else { break };
        query = query.after(next);
    }
    ending.notices = store.notices(10_000).await?;
    ending.leases_lost = store.status().await?.leases_lost;
    Ok(ending)
}
