//! What comes over all of them: partitions, outages, receivers that are down, clocks that jump.

use std::time::Duration;

use super::{
    environment::Scene,
    fault::FaultKind,
    receivers::receiver_of,
    trace::{Actor, Pid, What},
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Lets things go wrong for a while now and then, until faults are over.
pub(super) async fn change(scene: Scene) {
    let mut times = scene.stream("weather-times", 0);
    let pause = scene.plan.span / 40;
    let workers = scene.plan.workers.len() as u64;
    while !scene.dice.is_healed() {
        scene.yard.sleep(times.wait(pause / 8, pause * 2)).await;
        let mut stream = scene.stream("weather", 0);
        let worker = stream.below(workers);
        let endpoints: Vec<_> =
            scene.recorder.ledger(|ledger| ledger.endpoints.keys().copied().collect());
        let lasts = stream.wait(SECOND, 2 * HOUR);
        let until = scene.now() + lasts;
        let pid = scene.recorder.ledger(|ledger| {
            ledger
                .workers
                .iter()
                .filter(|(pid, it)| pid.worker == worker && !it.ended)
                .map(|(pid, _)| *pid)
                .next_back()
        });
        if scene.strikes(FaultKind::Partition, worker, 5) {
            scene.cut_off(worker, until);
            if let Some(pid) = pid {
                scene.tell(Actor::Worker(pid), What::CutOff { until });
            }
        }
        if scene.strikes(FaultKind::Outage, 0, 12) {
            scene.outage(until);
            scene.tell(Actor::World, What::CutOff { until });
        }
        if scene.strikes(FaultKind::ClockJump, worker, 5) {
            let size = i64::try_from(stream.wait(SECOND, 2 * HOUR).as_millis()).unwrap_or_default();
            let millis = if stream.once_in(2) { size } else { -size };
            scene.clock_of(worker).jump(millis);
            scene.tell(
                Actor::Worker(pid.unwrap_or(Pid { worker, life: 0 })),
                What::Jumped { millis },
            );
        }
        if let Some(endpoint) = stream.one_of(&endpoints) {
            let receiver = receiver_of(endpoint);
            if scene.strikes(FaultKind::Down, receiver, 3) {
                scene.set_down(receiver, scene.now() + stream.wait(60 * SECOND, 24 * HOUR));
            }
        }
    }
}
