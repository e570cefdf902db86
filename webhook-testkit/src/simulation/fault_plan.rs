//! Faults that last: partitions, outages, receivers that are down, clocks that jump.

use super::{
    environment::Environment,
    fault::FaultKind,
    receivers::receiver_of,
    trace::{Action, Actor, Pid},
};
use crate::units::{HOUR, SECOND};

/// Starts faults that last at random times, until the faults of the run end.
pub(super) async fn run(environment: Environment) {
    let mut times = environment.stream("weather-times", 0);
    let pause = environment.setup.span / 40;
    let workers = environment.setup.workers.len() as u64;
    while !environment.rng.faults_ended() {
        environment.executor.sleep(times.wait(pause / 8, pause * 2)).await;
        let mut stream = environment.stream("weather", 0);
        let worker = stream.below(workers);
        let endpoints: Vec<_> =
            environment.recorder.model(|model| model.endpoints.keys().copied().collect());
        let lasts = stream.wait(SECOND, 2 * HOUR);
        let until = environment.now() + lasts;
        let pid = environment.recorder.model(|model| {
            model
                .workers
                .iter()
                .filter(|(pid, entry)| pid.worker == worker && !entry.ended)
                .map(|(pid, _)| *pid)
                .next_back()
        });
        if environment.fault_occurs(FaultKind::Partition, worker, 5) {
            environment.disconnect(worker, until);
            if let Some(pid) = pid {
                environment.record(Actor::Worker(pid), Action::Disconnected { until });
            }
        }
        if environment.fault_occurs(FaultKind::Outage, 0, 12) {
            environment.outage(until);
            environment.record(Actor::World, Action::Disconnected { until });
        }
        if environment.fault_occurs(FaultKind::ClockJump, worker, 5) {
            let size = i64::try_from(stream.wait(SECOND, 2 * HOUR).as_millis()).unwrap_or_default();
            let millis = if stream.once_in(2) { size } else { -size };
            environment.clock_of(worker).jump(millis);
            environment.record(
                Actor::Worker(pid.unwrap_or(Pid { worker, life: 0 })),
                Action::ClockJumped { millis },
            );
        }
        if let Some(endpoint) = stream.one_of(&endpoints) {
            let receiver = receiver_of(endpoint);
            if environment.fault_occurs(FaultKind::Down, receiver, 3) {
                environment
                    .set_down(receiver, environment.now() + stream.wait(60 * SECOND, 24 * HOUR));
            }
        }
    }
}
