//! Names that had a plainer or a standard replacement, and must not come back.

use super::items::ItemKind::{self, Constant, Function, Module, Type};

/// Definition that is left over.
pub(super) struct LeftOver {
    pub(super) kind: ItemKind,
    pub(super) name: &'static str,
    /// Prefix of the paths at which the name has the old meaning.
    pub(super) place: &'static str,
    pub(super) replacement: &'static str,
}

const fn old(
    kind: ItemKind,
    name: &'static str,
    place: &'static str,
    replacement: &'static str,
) -> LeftOver {
    LeftOver { kind, name, place, replacement }
}

const ANYWHERE: &str = "";
const IN_CORE: &str = "webhook-core/";
const IN_ENGINE: &str = "webhook-core/src/engine";
const IN_STORE: &str = "webhook-store-seaorm/";
const IN_REGISTRY: &str = "webhook-registry/";
const IN_TESTKIT: &str = "webhook-testkit/";
const IN_SIMULATION: &str = "webhook-testkit/src/simulation";
const IN_XTASK: &str = "xtask/src/";

pub(super) const LEFT_OVERS: &[LeftOver] = &[
    // Admission and schedule.
    old(Type, "Bay", IN_CORE, "Admission"),
    old(Type, "Desk", IN_CORE, "Schedule"),
    old(Type, "Look", IN_CORE, "ClaimView"),
    old(Type, "Marks", IN_CORE, "HealthCache"),
    old(Type, "Behind", IN_CORE, "Backlogged"),
    old(Module, "bay", IN_CORE, "admission"),
    old(Module, "desk", IN_CORE, "schedule"),
    old(Module, "look", IN_CORE, "claim_view"),
    old(Module, "marks", IN_CORE, "health_cache"),
    old(Module, "behind", IN_CORE, "backlogged"),
    // Wait queues.
    old(Type, "Waiting", IN_CORE, "WaitQueues"),
    old(Type, "Line", IN_ENGINE, "QueueKey"),
    old(Type, "Turn", IN_ENGINE, "Waiter"),
    old(Module, "waiting", IN_CORE, "wait_queue"),
    old(Function, "line_up", IN_ENGINE, "enqueue_waiter"),
    // Fast path.
    old(Type, "FastLane", IN_CORE, "FastPath"),
    old(Module, "fast_lane", IN_CORE, "fast_path"),
    old(Function, "to_endpoint", "webhook-core/src/engine/send_now", "for_endpoint"),
    old(Function, "send_now", "webhook-registry/src/webhooks", "publisher"),
    // Health.
    old(Function, "sign", "webhook-core/src/policy", "health_signal"),
    old(Type, "Sign", IN_CORE, "HealthSignal"),
    old(Type, "Turn", "webhook-core/src/model", "HealthChange"),
    old(Function, "unwell", ANYWHERE, "is_failing"),
    old(Function, "is_unwell", ANYWHERE, "is_failing"),
    old(Function, "is_well", ANYWHERE, "is_healthy"),
    old(Function, "well", ANYWHERE, "healthy"),
    old(Function, "rests", ANYWHERE, "is_cooling_down"),
    old(Function, "left_alone", ANYWHERE, "is_cooling_down"),
    old(Function, "cooling", ANYWHERE, "cooling_down"),
    old(Module, "cooling", ANYWHERE, "cooling_down"),
    // Rates, requests and housekeeping.
    old(Type, "Pace", "webhook-core/src/policy", "Allowance"),
    old(Type, "Pace", IN_ENGINE, "ReleaseRate"),
    old(Module, "pace", IN_CORE, "allowance"),
    old(Type, "Wire", IN_CORE, "Exchanger"),
    old(Type, "Upkeep", ANYWHERE, "Maintenance"),
    old(Module, "upkeep", ANYWHERE, "maintenance"),
    old(Function, "about", IN_CORE, "metadata"),
    old(Function, "about", IN_REGISTRY, "metadata"),
    old(Function, "keeps_deadlines", ANYWHERE, "enforces_timeout"),
    old(Function, "passes_by_itself", ANYWHERE, "is_real_time"),
    // Store.
    old(Type, "Gather", IN_STORE, "GroupCommit"),
    old(Module, "gather", IN_STORE, "group_commit"),
    old(Type, "Shift", IN_STORE, "Leader or Follower"),
    old(Function, "stand_in_line", IN_STORE, "a name with follower"),
    old(Type, "Door", IN_STORE, "ReconnectGate"),
    old(Module, "door", IN_STORE, "reconnect"),
    old(Type, "Knock", IN_STORE, "Probe"),
    old(Function, "knock", IN_STORE, "probe"),
    old(Function, "shut", IN_STORE, "open, as a circuit breaker is"),
    old(Function, "hints", IN_STORE, "notify"),
    old(Module, "hints", IN_STORE, "notify"),
    old(Type, "Safe", IN_STORE, "SecretColumns"),
    old(Module, "safe", IN_STORE, "secret_columns"),
    old(Module, "sealed", IN_STORE, "secret_columns"),
    old(Type, "Surprise", IN_STORE, "OptimisticMiss"),
    old(Function, "surprise", IN_STORE, "optimistic_miss"),
    old(Function, "is_again", IN_STORE, "is_retry"),
    old(Type, "Manner", IN_STORE, "Mode"),
    old(Type, "Wants", IN_STORE, "TxOptions"),
    old(Type, "Begun", IN_STORE, "OpenTx"),
    old(Module, "manner", IN_STORE, "mode"),
    old(Module, "begun", IN_STORE, "open_tx"),
    old(Function, "said", ANYWHERE, "logged, or the noun of the result"),
    old(Function, "told", ANYWHERE, "logged, or the noun of the result"),
    old(Function, "say", ANYWHERE, "log, or send for a message"),
    old(Function, "saying", ANYWHERE, "new"),
    old(Function, "asked", IN_XTASK, "the noun of the arguments"),
    // Simulator.
    old(Type, "Yard", IN_SIMULATION, "Executor"),
    old(Module, "yard", IN_SIMULATION, "executor"),
    old(Type, "Scene", IN_SIMULATION, "Environment"),
    old(Module, "scene", IN_SIMULATION, "environment"),
    old(Type, "Law", IN_SIMULATION, "Invariant"),
    old(Type, "Laws", IN_SIMULATION, "Invariants"),
    old(Module, "law", IN_SIMULATION, "invariant"),
    old(Module, "laws", IN_SIMULATION, "invariants"),
    old(Type, "Happening", IN_SIMULATION, "an entry of the trace"),
    old(Module, "happening", IN_SIMULATION, "trace"),
    old(Type, "Weather", IN_SIMULATION, "FaultPlan"),
    old(Module, "weather", IN_SIMULATION, "fault_plan"),
    old(Function, "weather", IN_SIMULATION, "fault_plan"),
    old(Type, "Books", IN_SIMULATION, "Model"),
    old(Module, "books", IN_SIMULATION, "model"),
    old(Type, "Ledger", IN_SIMULATION, "Model"),
    old(Module, "ledger", IN_SIMULATION, "model"),
    old(Type, "Dice", ANYWHERE, "Rng"),
    old(Module, "dice", ANYWHERE, "rng"),
    old(Function, "dice", ANYWHERE, "rng"),
    // Fixtures and scripts of tests.
    old(Type, "Ground", ANYWHERE, "Fixture"),
    old(Module, "ground", ANYWHERE, "fixture"),
    old(Type, "Bed", ANYWHERE, "Fixture"),
    old(Module, "bed", ANYWHERE, "fixture"),
    old(Type, "Stage", ANYWHERE, "Workspace"),
    old(Module, "stage", ANYWHERE, "workspace"),
    old(Type, "Hands", ANYWHERE, "Driver"),
    old(Module, "hands", ANYWHERE, "driver"),
    old(Type, "Side", IN_TESTKIT, "Subject"),
    old(Module, "side", IN_TESTKIT, "subject"),
    old(Type, "Cast", ANYWHERE, "Script"),
    old(Module, "cast", ANYWHERE, "script"),
    old(Type, "Story", ANYWHERE, "Report"),
    old(Module, "story", ANYWHERE, "report"),
    old(Type, "Given", ANYWHERE, "Options"),
    old(Module, "given", ANYWHERE, "options"),
    // Code that is broken on purpose.
    old(Type, "Sabotage", ANYWHERE, "Mutant"),
    old(Module, "sabotage", ANYWHERE, "mutant"),
    old(Function, "sabotage", ANYWHERE, "mutants"),
    old(Constant, "SABOTAGE", ANYWHERE, "MUTANTS"),
    old(Type, "Careless", ANYWHERE, "Mutant"),
    old(Module, "careless", ANYWHERE, "mutant"),
    old(Type, "Wrong", IN_TESTKIT, "Mutant"),
    old(Module, "wrong", IN_TESTKIT, "mutant"),
    old(Module, "wrong_stores", IN_TESTKIT, "mutant_stores"),
    old(Module, "wrong_transports", IN_TESTKIT, "mutant_transports"),
    old(Module, "wrong_vaults", IN_TESTKIT, "mutant_vaults"),
    // Steps of these checks.
    old(Type, "Done", IN_XTASK, "StepReport"),
];

/// Constants are named by subject and unit; these name neither.
pub(super) const VAGUE_CONSTANTS: [&str; 11] =
    ["SOON", "MUCH", "AGAIN", "QUIET", "SHORT", "MOST", "FAR", "MANY", "SOME", "LONG", "PATIENCE"];
