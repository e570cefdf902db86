//! A whole system under every fault we know, from one seed: see [`Simulation`].
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

use webhook_core::{Clock, Endpoint, HealthPolicy, Store};

pub use fault::FaultKind;
pub use report::{Broken, Survey};
pub use rng::{FaultList, InvalidFaultList};

use crate::MemoryStore;
use run::Played;

/// Days of a system in which everything goes wrong that can, from one seed.
///
/// Several workers with clocks of their own publish and deliver, operators edit and replay, receivers
/// answer anything or nothing, the store fails before or after its effect, processes die and stall at
/// any await. Then faults end, and everything has to come to its end. Meanwhile each law is watched.
///
/// The same seed is the same run, down to the last step: each is played twice to see that.
///
/// ```
/// use webhook_testkit::Simulation;
///
/// let survey = Simulation::builder().seed(7).run().unwrap_or_else(|broken| panic!("{broken}"));
/// assert!(survey.sends > 0);
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
    given: Given,
    allowed: Option<FaultList>,
    store: NewStore,
}

type NewStore = Arc<dyn Fn(Arc<dyn Clock>) -> Arc<dyn Store> + Send + Sync>;

/// What is not left to the seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    span: Option<Duration>,
    workers: Option<u64>,
    endpoints: Vec<Endpoint>,
    health: Option<HealthPolicy>,
    calm: bool,
}

impl Simulation {
    /// Seed 0, everything else drawn from it.
    pub fn builder() -> Self {
        let store: NewStore = Arc::new(|clock| Arc::new(MemoryStore::new(clock)));
        Self { seed: 0, given: Given::default(), allowed: None, store }
    }

    /// Sets the seed that everything is drawn from.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how long things go wrong, in virtual time; hours to days, unless set.
    pub const fn span(mut self, span: Duration) -> Self {
        self.given.span = Some(span);
        self
    }

    /// Sets how many worker processes there are; 1 to 3, unless set.
    pub fn workers(mut self, workers: usize) -> Self {
        self.given.workers = u64::try_from(workers.max(1)).ok();
        self
    }

    /// Sets the endpoints that are there at the beginning, each with a URL of its own. Others may be
    /// added by operators later.
    pub fn endpoints(mut self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        self.given.endpoints = endpoints.into_iter().collect();
        self
    }

    /// Sets when an endpoint counts as failing.
    pub const fn health(mut self, policy: HealthPolicy) -> Self {
        self.given.health = Some(policy);
        self
    }

    /// Lets nothing go wrong at all.
    pub const fn calm(mut self) -> Self {
        self.given.calm = true;
        self
    }

    /// Lets only these of its faults happen: what a broken run has told.
    pub fn faults(mut self, faults: FaultList) -> Self {
        self.allowed = Some(faults);
        self
    }

    /// Sets what makes the store. It has to keep time by the clock it is given, be empty, and answer
    /// each call without waiting.
    pub fn store(
        mut self,
        new: impl Fn(Arc<dyn Clock>) -> Arc<dyn Store> + Send + Sync + 'static,
    ) -> Self {
        self.store = Arc::new(new);
        self
    }

    /// Plays it, twice.
    ///
    /// # Errors
    ///
    /// [`Broken`] says which law does not hold, by which few faults, and what happened.
    pub fn run(&self) -> Result<Survey, Box<Broken>> {
        let played = self.play(false);
        if played.breach.is_some() {
            return Err(Box::new(shrink::shrink(self, played)));
        }
        let again = self.play(false);
        if again.counted.trace != played.counted.trace {
            return Err(Box::new(Broken::differs(self.seed, again.happened)));
        }
        Ok(Survey::of(&played))
    }

    /// Plays it once, and looks for no smaller list of faults when a law breaks.
    ///
    /// # Errors
    ///
    /// [`Broken`] says which law does not hold.
    pub fn run_once(&self) -> Result<Survey, Box<Broken>> {
        let played = self.play(false);
        match &played.breach {
            None => Ok(Survey::of(&played)),
            Some(breach) => {
                let (breach, faults) = (breach.clone(), played.happened);
                Err(Box::new(Broken::new(self.seed, breach, faults, played.story)))
            }
        }
    }

    /// The laws that are watched: name and sentence.
    pub fn laws() -> Vec<(&'static str, &'static str)> {
        invariants::Laws::texts()
    }

    fn play(&self, with_story: bool) -> Played {
        run::play(self, with_story)
    }

    fn allowing(&self, faults: FaultList) -> Self {
        self.clone().faults(faults)
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}
