//! The steps, and the order of their cost.
//!
//! Every distinct profile or feature set rebuilds the dependencies, so there are two big builds
//! and no more: one checked (`clippy` and `docs` share it), and one for tests, of which `demo` takes what it can.
//! `layers` builds nothing, `features` checks small ones, `simulate` has a small one of its own.

use std::process::Command;

use crate::{
    conformance, deny, fuzz, layers,
    mutant::MUTANTS_OPTION,
    run::{Failure, cargo, run, watch},
    simulate,
    step::{Done, Step},
    test,
};

pub(crate) const FMT: Step = Step::new("fmt", |_| fmt());
pub(crate) const LAYERS: Step = Step::new("layers", |_| layers::check());
pub(crate) const DENY: Step = Step::new("deny", |_| deny::check());
pub(crate) const CLIPPY: Step = Step::new("clippy", |_| clippy());
pub(crate) const FEATURES: Step = Step::new("features", |_| features());
pub(crate) const DOCS: Step = Step::new("docs", |_| docs());
pub(crate) const TEST: Step = Step::new("test", test::check);
pub(crate) const CONFORMANCE: Step = Step::new("conformance", conformance::check);
pub(crate) const SIMULATE: Step = Step::new("simulate", simulate::check);
pub(crate) const CRASH: Step = Step::new("crash", crash);
pub(crate) const SECURITY: Step = Step::new("security", security);
/// Not among all the steps: what is measured depends on what else the machine does.
pub(crate) const BENCH: Step = Step::new("bench", bench);
pub(crate) const DEMO: Step = Step::new("demo", |_| demo());

/// Nothing may be missing here.
const TEST_ALL: Step = TEST.with(&[test::REQUIRE_ALL]);

/// The step `test` runs the suite itself.
const CONFORMANCE_MUTANTS: Step = CONFORMANCE.with(&[MUTANTS_OPTION]);

/// A part of the default seeds.
const SIMULATE_SHORT: Step = SIMULATE.with(&["--seeds", "300"]);

/// Mutants of the store. Those of the core take minutes more.
const SIMULATE_MUTANTS: Step = SIMULATE.with(&[MUTANTS_OPTION, simulate::STORES_OPTION]);

/// Only whether measuring works: what is measured beside other work says nothing.
const BENCH_SHORT: Step = Step::new("bench", |_| bench_short());

/// Everything once, within minutes.
const CRASH_SHORT: Step = CRASH.with(&["--short", "--rounds", "1", "--require-all"]);

pub(crate) const ALL: &[Step] = &[
    FMT,
    LAYERS,
    DENY,
    CLIPPY,
    DOCS,
    FEATURES,
    TEST_ALL,
    SECURITY,
    CONFORMANCE_MUTANTS,
    SIMULATE_SHORT,
    SIMULATE_MUTANTS,
    CRASH_SHORT,
    BENCH_SHORT,
    DEMO,
];

/// Checks outside `ci`, because they take minutes more or measure the machine. They are run before a
/// larger piece of work is finished.
pub(crate) const OUTSIDE: &[&str] = &[
    "simulate                  1,000 seeds; `ci` plays 300",
    "simulate --mutants        mutants of the core too; `ci` plays those of the store",
    "crash                     full rounds; `ci` plays one short round of each scenario",
    "mutants                   every mutant of the decisions in webhook-core",
    "fuzz                      new hostile bytes; `ci` replays the corpus",
    "coverage                  lines of webhook-core that its tests run",
    "bench all                 the goals of speed and memory",
];

fn fmt() -> Result<Done, Failure> {
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    // A workspace of its own.
    run(&mut cargo(["fmt", "--manifest-path", fuzz::MANIFEST, "--check"]))?;
    Ok(Done::default())
}

fn clippy() -> Result<Done, Failure> {
    let what = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    run(&mut cargo(what))?;
    Ok(Done::default())
}

fn docs() -> Result<Done, Failure> {
    let what = ["doc", "--workspace", "--all-features", "--no-deps"];
    run(cargo(what).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Done::default())
}

/// What users pick when they bring their own adapters. With all features on, code that lacks a
/// `cfg` compiles as well; only here it does not.
const SMALL: [&[&str]; 3] = [
    &["--package", "webhook-http", "--no-default-features", "--features", "signer"],
    &["--package", "webhook-registry", "--no-default-features"],
    &["--package", "webhook-registry"],
];

fn features() -> Result<Done, Failure> {
    for set in SMALL {
        run(cargo(["clippy"]).args(set).args(["--", "-D", "warnings"]))?;
    }
    Ok(Done::saying(format!("{} feature sets", SMALL.len())))
}

/// Real processes, killed.
fn crash(args: &[&str]) -> Result<Done, Failure> {
    tool("crash", args)
}

/// On sockets of this machine, one case after the other.
fn security(args: &[&str]) -> Result<Done, Failure> {
    tool("security", args)
}

/// A test target with a harness of its own, so that it is the same build as the tests. It says what it left
/// out, and sums up in a line that begins with its name.
fn tool(name: &str, args: &[&str]) -> Result<Done, Failure> {
    let mut done = Done::default();
    watch(test_target(name).args(args), |line| {
        if let Some(text) = line.strip_prefix("left out: ") {
            done.left_out.push(text.to_owned());
        } else if let Some(text) = line.strip_prefix(name).and_then(|it| it.strip_prefix(": ")) {
            text.clone_into(&mut done.summary);
        }
    })?;
    Ok(done)
}

fn test_target(name: &str) -> Command {
    cargo(["test", "--workspace", "--all-features", "--test", name, "--"])
}

fn bench(args: &[&str]) -> Result<Done, Failure> {
    // Beforehand: a build beside a measurement would be measured.
    run(&mut cargo(["build", "--quiet", "--release", "--package", "xtask-bench", "--bins"]))?;
    if matches!(args.first(), Some(&("all" | "start"))) {
        let command = ["--package", "webhook-cli", "--bin", "webhook"];
        run(cargo(["build", "--quiet", "--release"]).args(command))?;
    }
    let what = ["run", "--quiet", "--release", "--package", "xtask-bench", "--"];
    run(cargo(what).args(args))?;
    Ok(Done::default())
}

fn bench_short() -> Result<Done, Failure> {
    run(test_target("bench").args(["all", "--short"]))?;
    Ok(Done::saying("measuring works; nothing is judged"))
}

fn demo() -> Result<Done, Failure> {
    run(&mut cargo(["webhook", "demo"]))?;
    Ok(Done::default())
}
