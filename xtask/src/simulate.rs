//! Runs the simulator, and proves that its invariants catch faults.
//!
//! Each invariant names mutants of the engine or of the store in memory. Copies of both, each with
//! one mutant, are built in the target folder and run until the invariant reports a violation.

mod invariants;
mod workspace;

use std::{path::Path, process::Command};

use invariants::InvariantMutant;

use crate::{
    mutant::MUTANTS_OPTION,
    run::{Failure, cargo, read, run, watch},
    step::StepReport,
    target_folder,
};

/// Option for the mutants of the store alone. They are one program, which builds quickly.
pub(crate) const STORES_OPTION: &str = "--stores";

/// Optimized profile with the checks of development.
const SIMULATION_PROFILE: &str = "simulation";

/// Number of seeds in which a mutant must be caught.
const SEEDS_FOR_MUTANT: &str = "1000";

pub(crate) fn check(args: &[&str]) -> Result<StepReport, Failure> {
    match args {
        [MUTANTS_OPTION, STORES_OPTION] => check_mutants(|mutant| !mutant.is_of_core()),
        [MUTANTS_OPTION, words @ ..] => check_mutants(|mutant| {
            words.is_empty() || words.iter().any(|word| mutant.name().contains(word))
        }),
        _ => simulate(args),
    }
}

fn simulate(args: &[&str]) -> Result<StepReport, Failure> {
    let profile = ["run", "--quiet", "--profile", SIMULATION_PROFILE];
    let mut done = StepReport::default();
    let mut command = cargo(profile);
    command.args(["--package", "xtask-simulate", "--"]).args(args);
    watch(&mut command, |line| {
        if let Some(text) = line.strip_prefix("simulate: ") {
            text.clone_into(&mut done.summary);
        }
    })?;
    Ok(done)
}

/// Builds the wanted mutants, and runs each until its invariant is violated.
fn check_mutants(wanted: impl Fn(&InvariantMutant) -> bool) -> Result<StepReport, Failure> {
    let all = invariants::read_mutants(Path::new("webhook-testkit/src/simulation/invariants"))?;
    // Mutants that are not run must also match the present code.
    all.iter().try_for_each(|mutant| mutant.apply().map(drop))?;
    let mutants: Vec<_> = all.into_iter().filter(wanted).collect();
    let target = target_folder()?;
    let folder = target.join("simulation-mutants");
    let runners = workspace::write(&folder, &mutants)?;
    let mut build = cargo(["build", "--quiet", "--manifest-path"]);
    build.arg(folder.join("Cargo.toml")).arg("--target-dir").arg(&target);
    run(&mut build)?;
    let missed = mutants.iter().zip(&runners).filter(|(mutant, runner)| {
        let (name, invariant) = (mutant.name(), &mutant.invariant);
        let mut command = Command::new(target.join("debug").join(&runner.program));
        command.args(["--seeds", SEEDS_FOR_MUTANT, "--until-broken", invariant]);
        let output = read(command.args(&runner.args));
        match &output {
            Ok(text) => println!("{name:<48} seed {}", text.trim()),
            Err(_) => println!("{name:<48} NOT caught by `{invariant}`"),
        }
        output.is_err()
    });
    let missed: Vec<_> = missed.map(|(mutant, _)| mutant.name()).collect();
    if missed.is_empty() {
        return Ok(StepReport::new(format!(
            "{} mutants, each caught by its invariant",
            mutants.len()
        )));
    }
    Err(Failure::Found(format!("{} mutants were not caught: {}", missed.len(), missed.join(", "))))
}
