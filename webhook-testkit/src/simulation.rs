//! A whole system under every fault we set_endpoint, from one seed: see [`Simulation`].
//!
//! ```text
//! run          one run, from the first endpoint to the check of the end state
//! setup        settings of the run, drawn from the seed by rng
//! environment  state that all actors share; faults around each store call
//! process      a worker: dispatcher and publisher, killed, stalled, stopped, restarted
//! operator     edits endpoints, redelivers, replays, reads notices
//! fault_plan   partitions, outages, receivers that are down, clocks that jump
//! receivers    responses to requests
//! executor     one thread, virtual time, an order drawn from the seed
//! recorder     records the trace in the model and checks the invariants
//! invariants   properties that must always hold, one in each file
//! shrink       finds a small set of faults that breaks an invariant
//! report       result of a run
//! ```
//!
//! All of it runs the real dispatcher on the real decisions, over a store in memory.

mod environment;
mod executor;
mod fault;
mod fault_plan;
mod invariants;
mod model;
mod operator;
mod process;
mod publisher;
mod receivers;
mod recorder;
mod report;
mod rng;
mod run;
mod setup;
mod shrink;
mod skewed_clock;
mod trace;

use std::{fmt, sync::Arc, time::Duration};

use webhook_core::{Clock, Endpoint, HealthPolicy, store::Store};

pub use fault::FaultKind;
pub use report::{BrokenInvariant, SimulationReport};
pub use rng::{FaultList, InvalidFaultList};

use crate::MemoryStore;
use run::RunOutcome;

/// A simulated system under random faults, for days of virtual time, from one seed.
///
/// Workers with clocks of their own publish and deliver, operators edit and replay, receivers
/// respond or stay silent, the store fails before or after its effect, and processes die and stall
/// at any await. Then the faults end, and every delivery must become final. All invariants are
/// checked after each step.
///
/// The same seed gives the same run, step by step. `run` plays each seed twice to verify that.
///
/// ```
/// use webhook_testkit::Simulation;
///
/// let report = Simulation::builder().seed(7).run().unwrap_or_else(|broken| panic!("{broken}"));
/// assert!(report.sends > 0);
/// ```
///
/// With endpoints, a policy and a store of your own:
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use webhook_core::{Endpoint, EndpointId, HealthPolicy};
/// use webhook_testkit::{MemoryStore, Simulation};
///
/// let id = EndpointId::from_uuid(uuid::Uuid::from_u128(1));
/// let endpoint = Endpoint::new(id, "https://billing.example/hooks".parse()?)
///     .with_retry("5s,1m,10m".parse()?);
/// let simulation = Simulation::builder()
///     .seed(7)
///     .span(Duration::from_secs(6 * 3600))
///     .workers(2)
///     .endpoints([endpoint])
///     .health(HealthPolicy::off())
///     .store(|clock| Arc::new(MemoryStore::new(clock)));
/// assert!(simulation.run().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "it is run by `run`"]
pub struct Simulation {
    seed: u64,
    options: Options,
    allowed: Option<FaultList>,
    store: NewStore,
}

type NewStore = Arc<dyn Fn(Arc<dyn Clock>) -> Arc<dyn Store> + Send + Sync>;

/// Settings that are not drawn from the seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    span: Option<Duration>,
    workers: Option<u64>,
    endpoints: Vec<Endpoint>,
    health: Option<HealthPolicy>,
    calm: bool,
}

impl Simulation {
    /// A simulation of seed 0, with all other settings drawn from it.
    pub fn builder() -> Self {
        let store: NewStore = Arc::new(|clock| Arc::new(MemoryStore::new(clock)));
        Self { seed: 0, options: Options::default(), allowed: None, store }
    }

    /// Sets the seed.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the virtual duration of the faults. Default: drawn, hours to days.
    pub const fn span(mut self, span: Duration) -> Self {
        self.options.span = Some(span);
        self
    }

    /// Sets the number of worker processes. Default: drawn, 1 to 3.
    pub fn workers(mut self, workers: usize) -> Self {
        self.options.workers = u64::try_from(workers.max(1)).ok();
        self
    }

    /// Sets the endpoints at the start. Their URLs must differ. Operators may add others later.
    pub fn endpoints(mut self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        self.options.endpoints = endpoints.into_iter().collect();
        self
    }

    /// Sets the health policy.
    pub const fn health(mut self, policy: HealthPolicy) -> Self {
        self.options.health = Some(policy);
        self
    }

    /// Disables all faults.
    pub const fn calm(mut self) -> Self {
        self.options.calm = true;
        self
    }

    /// Limits the faults to this list, such as the one in [`BrokenInvariant`].
    pub fn faults(mut self, faults: FaultList) -> Self {
        self.allowed = Some(faults);
        self
    }

    /// Sets the constructor of the store. The store must be empty, use the given clock, and return
    /// from each call without waiting.
    pub fn store(
        mut self,
        new: impl Fn(Arc<dyn Clock>) -> Arc<dyn Store> + Send + Sync + 'static,
    ) -> Self {
        self.store = Arc::new(new);
        self
    }

    /// Runs the simulation twice and compares the traces.
    ///
    /// # Errors
    ///
    /// [`BrokenInvariant`] if an invariant is violated, with a small set of faults that causes it.
    pub fn run(&self) -> Result<SimulationReport, Box<BrokenInvariant>> {
        let outcome = self.run_with(false);
        if outcome.violation.is_some() {
            return Err(Box::new(shrink::shrink(self, outcome)));
        }
        let again = self.run_with(false);
        if again.counts.trace != outcome.counts.trace {
            return Err(Box::new(BrokenInvariant::differs(self.seed, again.injected)));
        }
        Ok(SimulationReport::from_outcome(&outcome))
    }

    /// Runs the simulation once, without a search for a smaller set of faults.
    ///
    /// # Errors
    ///
    /// [`BrokenInvariant`] if an invariant is violated.
    pub fn run_once(&self) -> Result<SimulationReport, Box<BrokenInvariant>> {
        let outcome = self.run_with(false);
        match &outcome.violation {
            None => Ok(SimulationReport::from_outcome(&outcome)),
            Some(violation) => {
                let (violation, faults) = (violation.clone(), outcome.injected);
                Err(Box::new(BrokenInvariant::new(
                    self.seed,
                    violation,
                    faults,
                    outcome.recent_events,
                )))
            }
        }
    }

    /// Name and sentence of each invariant.
    pub fn invariants() -> Vec<(&'static str, &'static str)> {
        invariants::Invariants::descriptions()
    }

    fn run_with(&self, keep_events: bool) -> RunOutcome {
        run::run(self, keep_events)
    }

    fn allowing(&self, faults: FaultList) -> Self {
        self.clone().faults(faults)
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
