//! Steps of `ci`, in the order of their cost.
//!
//! Every distinct profile or feature set rebuilds the dependencies, so only two builds are big.
//! `clippy` and `docs` share a checked one. Tests share the other, which `demo` reuses in part.
//! `layers` and `prose` build nothing. `features` and `simulate` have small builds of their own.

use std::process::Command;

use crate::{
    conformance, deny, each_feature, fuzz, layers,
    mutant::MUTANTS_OPTION,
    prose,
    run::{Failure, cargo, run, watch},
    simulate,
    step::{Step, StepReport},
    test,
};

pub(crate) const FMT: Step = Step::new("fmt", |_| fmt());
pub(crate) const LAYERS: Step = Step::new("layers", |_| layers::check());
pub(crate) const PROSE: Step = Step::new("prose", prose::check);
pub(crate) const DENY: Step = Step::new("deny", |_| deny::check());
pub(crate) const CLIPPY: Step = Step::new("clippy", |_| clippy());
pub(crate) const FEATURES: Step = Step::new("features", features);
pub(crate) const DOCS: Step = Step::new("docs", |_| docs());
pub(crate) const TEST: Step = Step::new("test", test::check);
pub(crate) const CONFORMANCE: Step = Step::new("conformance", conformance::check);
pub(crate) const SIMULATE: Step = Step::new("simulate", simulate::check);
pub(crate) const CRASH: Step = Step::new("crash", crash);
pub(crate) const SECURITY: Step = Step::new("security", security);
/// Outside `ci`, because measurements depend on the load of the machine.
pub(crate) const BENCH: Step = Step::new("bench", bench);
pub(crate) const DEMO: Step = Step::new("demo", |_| demo());

/// Fails if a database is missing.
const TEST_ALL: Step = TEST.with(&[test::REQUIRE_ALL]);

/// The mutants alone, because the step `test` runs the suite itself.
const CONFORMANCE_MUTANTS: Step = CONFORMANCE.with(&[MUTANTS_OPTION]);

/// Some of the seeds that `simulate` plays by default.
const SIMULATE_SHORT: Step = SIMULATE.with(&["--seeds", "300"]);

/// Mutants of the store alone, because those of the core take minutes more.
const SIMULATION_MUTANTS: Step = SIMULATE.with(&[MUTANTS_OPTION, simulate::STORES_OPTION]);

/// A test of the measurements themselves, without a verdict on speed.
const BENCH_SHORT: Step = Step::new("bench", |_| bench_short());

/// Short rounds, one for each scenario.
const CRASH_SHORT: Step = CRASH.with(&["--short", "--rounds", "1", "--require-all"]);

pub(crate) const ALL: &[Step] = &[
    FMT,
    LAYERS,
    PROSE,
    DENY,
    CLIPPY,
    DOCS,
    FEATURES,
    TEST_ALL,
    SECURITY,
    CONFORMANCE_MUTANTS,
    SIMULATE_SHORT,
    SIMULATION_MUTANTS,
    CRASH_SHORT,
    BENCH_SHORT,
    DEMO,
];

/// Checks outside `ci`, because they take minutes more or measure the machine.
///
/// Run them before a larger piece of work is merged.
pub(crate) const OUTSIDE: &[&str] = &[
    "simulate                  1,000 seeds; `ci` plays 300",
    "simulate --mutants        mutants of the core too; `ci` plays those of the store",
    "crash                     full rounds; `ci` plays one short round of each scenario",
    "package                   packages as users get them: quick start, documentation of docs.rs",
    "features --each           each feature of each published package alone; `ci` checks small sets",
    "mutants                   every mutant of the policies in webhook-core",
    "fuzz                      new hostile bytes; `ci` replays the corpus",
    "coverage                  lines of webhook-core that its tests run",
    "bench all                 speed and memory, next to their limits",
];

fn fmt() -> Result<StepReport, Failure> {
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    // The fuzzers are a workspace of their own.
    run(&mut cargo(["fmt", "--manifest-path", fuzz::FUZZ_MANIFEST, "--check"]))?;
    Ok(StepReport::default())
}

fn clippy() -> Result<StepReport, Failure> {
    let what = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    run(&mut cargo(what))?;
    Ok(StepReport::default())
}

fn docs() -> Result<StepReport, Failure> {
    let what = ["doc", "--workspace", "--all-features", "--no-deps"];
    run(cargo(what).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(StepReport::default())
}

/// Feature sets of users that bring their own adapters.
///
/// Code that lacks a `cfg` compiles with all features, and fails with one of these.
const SMALL: [&[&str]; 3] = [
    &["--package", "webhook-http", "--no-default-features", "--features", "signer"],
    &["--package", "webhook-registry", "--no-default-features"],
    &["--package", "webhook-registry"],
];

fn features(args: &[&str]) -> Result<StepReport, Failure> {
    match args {
        [] => small_feature_sets(),
        [each_feature::EACH] => each_feature::check(),
        _ => Err(Failure::Found(format!("expected nothing or {}", each_feature::EACH))),
    }
}

fn small_feature_sets() -> Result<StepReport, Failure> {
    for set in SMALL {
        run(cargo(["clippy"]).args(set).args(["--", "-D", "warnings"]))?;
    }
    Ok(StepReport::new(format!("{} feature sets", SMALL.len())))
}

/// Kills real processes.
fn crash(args: &[&str]) -> Result<StepReport, Failure> {
    tool("crash", args)
}

/// Runs the security cases on sockets of this machine, one after the other.
fn security(args: &[&str]) -> Result<StepReport, Failure> {
    tool("security", args)
}

/// Runs a test target with a harness of its own, which shares the build of the tests.
///
/// The target prints `left out: ..` for each skipped case, and a summary after its name.
fn tool(name: &str, args: &[&str]) -> Result<StepReport, Failure> {
    let mut done = StepReport::default();
    let ended = watch(test_target(name).args(args), |line| {
        if let Some(text) = line.strip_prefix("left out: ") {
            done.left_out.push(text.to_owned());
        } else if let Some(text) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "))
        {
            text.clone_into(&mut done.summary);
        }
    });
    match ended {
        // The summary names the failed cases; the command is in the output of the step.
        Err(Failure::Ended { .. }) if !done.summary.is_empty() => Err(Failure::Found(done.summary)),
        ended => ended.map(|()| done),
    }
}

fn test_target(name: &str) -> Command {
    cargo(["test", "--workspace", "--all-features", "--test", name, "--"])
}

fn bench(args: &[&str]) -> Result<StepReport, Failure> {
    // A build during a measurement would be measured too.
    run(&mut cargo(["build", "--quiet", "--release", "--package", "xtask-bench", "--bins"]))?;
    if matches!(args.first(), Some(&("all" | "start"))) {
        let command = ["--package", "webhook-cli", "--bin", "webhook"];
        run(cargo(["build", "--quiet", "--release"]).args(command))?;
    }
    let what = ["run", "--quiet", "--release", "--package", "xtask-bench", "--"];
    run(cargo(what).args(args))?;
    Ok(StepReport::default())
}

fn bench_short() -> Result<StepReport, Failure> {
    run(test_target("bench").args(["all", "--short"]))?;
    Ok(StepReport::new("measuring works, without a verdict on speed"))
}

fn demo() -> Result<StepReport, Failure> {
    run(&mut cargo(["webhook", "demo"]))?;
    Ok(StepReport::default())
}
