//! A worker process with a dispatcher and a publisher, and the supervisor that restarts it.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, pin_mut, select_biased};
use tokio::sync::Notify;
use webhook_core::{
    Dispatcher, DispatcherConfig,
    engine::{Ports, Wake},
};

use super::{
    environment::Environment,
    fault::FaultKind,
    publisher::SimulatedPublisher,
    receivers::SimulatedTransport,
    rng::RngStream,
    trace::{Action, Actor, Pid},
};
use crate::{PlainSigner, units::MINUTE};

/// Time for which a process lives on after its dispatcher has ended.
const PROCESS_LIFE_AFTER_DISPATCHER: Duration = Duration::from_secs(20);

/// A running process.
struct Process {
    environment: Environment,
    pid: Pid,
}

impl Process {
    fn start(environment: &Environment, pid: Pid, config: DispatcherConfig) -> Option<Self> {
        let by = Actor::Worker(pid);
        let at = usize::try_from(pid.worker).unwrap_or_default();
        environment.record(by, Action::Started(*environment.setup.settings.get(at)?));
        let (clock, store) = (environment.clock_of(pid.worker), environment.store_of(by));
        let transport = SimulatedTransport::new(environment.clone(), pid, clock.clone()).shared();
        let signer = Arc::new(PlainSigner::new());
        let ports = Ports::new(store.clone(), transport, signer, Arc::new(clock.clone()));
        let wake = Wake::default();
        let dispatcher = Dispatcher::new(ports, config).ok()?.with_wake(wake.clone());
        let publisher = SimulatedPublisher::new(
            environment.clone(),
            pid,
            store,
            clock,
            dispatcher.publisher(),
            wake,
        );
        let stop = Arc::new(Notify::new());
        environment.keep_stop(pid, Arc::clone(&stop));
        let process = Self { environment: environment.clone(), pid };
        let ending = environment.clone();
        environment.executor.spawn(Some(pid), async move {
            let report = dispatcher.run(stop.notified()).await;
            ending.record(by, Action::Stopped(report));
            // The service lives on for a while, and publishes.
            ending.executor.sleep(PROCESS_LIFE_AFTER_DISPATCHER).await;
            ending.remove(pid);
        });
        environment.executor.spawn(Some(pid), publisher.run());
        Some(process)
    }

    /// Requests a graceful stop.
    fn request_stop(&self) {
        self.environment.request_stop(self.pid);
    }

    async fn end(&self) {
        self.environment.end_of(self.pid).notified().await;
    }
}

/// Starts a worker, sometimes stops it, and restarts it after its end. On `stop` it is stopped
/// without a restart.
pub(super) async fn keep_running(
    environment: Environment,
    worker: u64,
    stop: Arc<Notify>,
    done: Arc<Notify>,
) {
    let at = usize::try_from(worker).unwrap_or_default();
    let Some(config) = environment.setup.workers.get(at).cloned() else { return };
    let mut life = 0;
    let stop = stop.notified().fuse();
    pin_mut!(stop);
    loop {
        life += 1;
        let pid = Pid { worker, life };
        let Some(process) = Process::start(&environment, pid, config.clone()) else { return };
        let mut stream = environment.stream("supervisor", worker);
        let lasts = stream.wait(10 * MINUTE, 48 * 60 * MINUTE);
        let (end, shutdown) =
            (process.end().fuse(), shut_down(&environment, &process, lasts).fuse());
        pin_mut!(end, shutdown);
        select_biased! {
            () = end => {}
            () = shutdown => {}
            () = stop => {
                process.request_stop();
                end.await;
                return done.notify_one();
            }
        }
        let rests = restart_after(&environment, &mut stream);
        environment.executor.sleep(rests).await;
    }
}

/// Time until the next start.
fn restart_after(environment: &Environment, stream: &mut RngStream) -> Duration {
    let pause = stream.wait(Duration::from_millis(10), 10 * MINUTE);
    if environment.rng.faults_ended() { Duration::from_secs(1) } else { pause }
}

/// Stops a process after a while, if the fault occurs, and waits for its end.
async fn shut_down(environment: &Environment, process: &Process, after: Duration) {
    environment.executor.sleep(after).await;
    if !environment.fault_occurs(FaultKind::Shutdown, process.pid.worker, 2) {
        std::future::pending::<()>().await;
    }
    process.request_stop();
    process.end().await;
}
