//! A worker process: a dispatcher, and a publisher beside it; and who starts it again.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, pin_mut, select_biased};
use tokio::sync::Notify;
use webhook_core::{Dispatcher, DispatcherConfig, Ports, Wake};

use super::{
    environment::Scene,
    fault::FaultKind,
    publisher::Publishing,
    receivers::SimulatedTransport,
    rng::Stream,
    trace::{Actor, Pid, What},
};
use crate::PlainSigner;

const MINUTE: Duration = Duration::from_secs(60);

/// Time for which a process lives on after its dispatcher has ended.
const AFTER_ITS_WORKER: Duration = Duration::from_secs(20);

/// A process that runs.
struct Process {
    scene: Scene,
    pid: Pid,
}

impl Process {
    fn start(scene: &Scene, pid: Pid, config: DispatcherConfig) -> Option<Self> {
        let by = Actor::Worker(pid);
        let at = usize::try_from(pid.worker).unwrap_or_default();
        scene.tell(by, What::Started(*scene.plan.facts.get(at)?));
        let (clock, store) = (scene.clock_of(pid.worker), scene.store_of(by));
        let transport = SimulatedTransport::new(scene.clone(), pid, clock.clone()).shared();
        let signer = Arc::new(PlainSigner::new());
        let ports = Ports::new(store.clone(), transport, signer, Arc::new(clock.clone()));
        let wake = Wake::default();
        let dispatcher = Dispatcher::new(ports, config).ok()?.with_wake(wake.clone());
        let publishing =
            Publishing::new(scene.clone(), pid, store, clock, dispatcher.publisher(), wake);
        let stop = Arc::new(Notify::new());
        scene.keep_stop(pid, Arc::clone(&stop));
        let process = Self { scene: scene.clone(), pid };
        let ending = scene.clone();
        scene.yard.spawn(Some(pid), async move {
            let report = dispatcher.run(stop.notified()).await;
            ending.tell(by, What::Stopped(report));
            // The service lives on for a while, and publishes.
            ending.yard.sleep(AFTER_ITS_WORKER).await;
            ending.remove(pid);
        });
        scene.yard.spawn(Some(pid), publishing.run());
        Some(process)
    }

    /// Told to stop, it drains.
    fn tell_to_stop(&self) {
        self.scene.tell_to_stop(self.pid);
    }

    async fn end(&self) {
        self.scene.end_of(self.pid).notified().await;
    }
}

/// Keeps a worker running: starts it, sometimes tells it to stop, and starts it again when it has ended.
/// Told so, it stops it for good.
pub(super) async fn keep_running(
    scene: Scene,
    worker: u64,
    for_good: Arc<Notify>,
    done: Arc<Notify>,
) {
    let at = usize::try_from(worker).unwrap_or_default();
    let Some(config) = scene.plan.workers.get(at).cloned() else { return };
    let mut life = 0;
    let for_good = for_good.notified().fuse();
    pin_mut!(for_good);
    loop {
        life += 1;
        let pid = Pid { worker, life };
        let Some(process) = Process::start(&scene, pid, config.clone()) else { return };
        let mut stream = scene.stream("supervisor", worker);
        let lasts = stream.wait(10 * MINUTE, 48 * 60 * MINUTE);
        let (end, shutdown) = (process.end().fuse(), shut_down(&scene, &process, lasts).fuse());
        pin_mut!(end, shutdown);
        select_biased! {
            () = end => {}
            () = shutdown => {}
            () = for_good => {
                process.tell_to_stop();
                end.await;
                return done.notify_one();
            }
        }
        let rests = restart_after(&scene, &mut stream);
        scene.yard.sleep(rests).await;
    }
}

/// How long until it runs again.
fn restart_after(scene: &Scene, stream: &mut Stream) -> Duration {
    let pause = stream.wait(Duration::from_millis(10), 10 * MINUTE);
    if scene.dice.is_healed() { Duration::from_secs(1) } else { pause }
}

/// Tells a process to stop after a while, if the dice say so, and waits until it has.
async fn shut_down(scene: &Scene, process: &Process, after: Duration) {
    scene.yard.sleep(after).await;
    if !scene.strikes(FaultKind::Shutdown, process.pid.worker, 2) {
        std::future::pending::<()>().await;
    }
    process.tell_to_stop();
    process.end().await;
}
