//! The simulator: deterministic, calm when told so, and able to find what is wrong.

#![allow(clippy::panic, reason = "a panic here is the failed assertion")]

use std::{sync::Arc, time::Duration};

use webhook_core::{Endpoint, EndpointId, HealthPolicy};
use webhook_testkit::{Broken, FaultList, MemoryStore, Simulation, Survey};

fn run(simulation: &Simulation) -> Survey {
    simulation.run().unwrap_or_else(|broken| panic!("{broken}"))
}

#[test]
fn some_seeds_hold() {
    (0..15).for_each(|seed| drop(run(&Simulation::builder().seed(seed))));
}

/// Seeds that have found something: what it was.
const FOUND: &[(u64, &str)] = &[
    (117, "what a worker had recorded as it died was waited for"),
    (238, "what stands in a line was taken for late"),
    (751, "two outcomes of one delivery in a batch were seen as one"),
    (1010, "a worker that stood still beyond the end of the faults was taken for late"),
];

#[test]
fn seeds_that_have_found_something_stay_clean() {
    for (seed, what) in FOUND {
        if let Err(broken) = Simulation::builder().seed(*seed).run() {
            panic!("{what}: {broken}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_another() {
    let trace = |seed| run(&Simulation::builder().seed(seed)).trace;
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}

#[test]
fn in_a_calm_run_nothing_goes_wrong_and_each_event_is_sent_once() {
    let survey = run(&Simulation::builder().seed(3).calm());
    assert!(survey.faults.is_empty(), "{:?}", survey.faults);
    assert!(survey.sends > 0 && survey.premises["duplicates"] == survey.sends);
}

#[test]
fn a_run_without_any_of_its_faults_is_calm() {
    let none = "none".parse::<FaultList>().unwrap();
    assert!(run(&Simulation::builder().seed(5).faults(none)).faults.is_empty());
}

#[test]
fn a_mix_of_ones_own_is_simulated() {
    let endpoint = |number: u128, url: &str| {
        Endpoint::new(EndpointId::from_uuid(uuid::Uuid::from_u128(number)), url.parse().unwrap())
            .with_retry("5s,1m,10m".parse().unwrap())
    };
    let own = Simulation::builder()
        .seed(9)
        .span(Duration::from_secs(6 * 3600))
        .workers(2)
        .endpoints([endpoint(1, "https://a.example/"), endpoint(2, "https://b.example/")])
        .health(HealthPolicy::off())
        .store(|clock| Arc::new(MemoryStore::new(clock)));
    let survey = run(&own);
    assert!(survey.virtual_time >= Duration::from_secs(6 * 3600) && survey.sends > 0);
}

#[test]
fn a_store_whose_clock_runs_too_fast_breaks_a_law_and_tells_which() {
    let hasty = Simulation::builder()
        .seed(2)
        .store(|clock| Arc::new(MemoryStore::new(Arc::new(Ahead(clock)))));
    let broken: Box<Broken> = hasty.run().unwrap_err();
    let told = broken.to_string();
    assert!(told.contains("breaks the law") && told.contains(broken.sentence), "{told}");
}

/// A clock that runs twice as fast: leases of a store that keeps time by it end too soon.
#[derive(Debug)]
struct Ahead(Arc<dyn webhook_core::Clock>);

#[async_trait::async_trait]
impl webhook_core::Clock for Ahead {
    fn now(&self) -> webhook_core::Timestamp {
        let elapsed = self.0.now().since(webhook_testkit::ManualClock::START);
        self.0.now().after(elapsed)
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    async fn sleep(&self, wait: Duration) {
        self.0.sleep(wait).await;
    }
}
