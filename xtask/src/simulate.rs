//! Plays the simulator; and asks whether its laws would notice anything.
//!
//! Each law names lines of the engine, or of the store in memory, to break. Copies of both, each broken in
//! one place, are built in the target folder and played until the law that names it says so.

mod mutants;
mod stage;

use std::{path::Path, process::Command};

use mutants::Mutant;

use crate::{
    run::{Failure, cargo, read, run, watch},
    step::Done,
    target_folder,
};

pub(crate) const MUTANTS: &str = "--mutants";

/// Mutants of the store alone: all of them are one program, and quickly built.
pub(crate) const STORES: &str = "--stores";

/// Fast enough for thousands of runs, with the checks of development.
const PROFILE: &str = "simulation";

/// So many seeds must do.
const SEEDS: &str = "1000";

pub(crate) fn check(args: &[&str]) -> Result<Done, Failure> {
    match args {
        [MUTANTS, STORES] => check_the_checkers(|mutant| !mutant.is_of_core()),
        [MUTANTS, words @ ..] => check_the_checkers(|mutant| {
            words.is_empty() || words.iter().any(|word| mutant.name.contains(word))
        }),
        _ => play(args),
    }
}

fn play(args: &[&str]) -> Result<Done, Failure> {
    let what = ["run", "--quiet", "--profile", PROFILE, "--package", "xtask-simulate", "--"];
    let mut done = Done::default();
    watch(cargo(what).args(args), |line| {
        if let Some(text) = line.strip_prefix("simulate: ") {
            text.clone_into(&mut done.summary);
        }
    })?;
    Ok(done)
}

/// Builds each mutant that is wanted, and plays it until its law is broken.
fn check_the_checkers(wanted: impl Fn(&Mutant) -> bool) -> Result<Done, Failure> {
    let all = mutants::look(Path::new("webhook-testkit/src/simulation/invariants"))?;
    // Also those that are not played: whoever moves a line has to hear of it.
    all.iter().try_for_each(|mutant| mutant.apply().map(drop))?;
    let mutants: Vec<_> = all.into_iter().filter(wanted).collect();
    let target = target_folder()?;
    let folder = target.join("simulation-mutants");
    let players = stage::write(&folder, &mutants)?;
    let mut build = cargo(["build", "--quiet", "--manifest-path"]);
    build.arg(folder.join("Cargo.toml")).arg("--target-dir").arg(&target);
    run(&mut build)?;
    let missed = mutants.iter().zip(&players).filter(|(mutant, player)| {
        let mut command = Command::new(target.join("debug").join(&player.program));
        command.args(["--seeds", SEEDS, "--until-broken", &mutant.law]).args(&player.args);
        let told = read(&mut command);
        match &told {
            Ok(text) => println!("{:<48} seed {}", mutant.name, text.trim()),
            Err(_) => println!("{:<48} NOT noticed by `{}`", mutant.name, mutant.law),
        }
        told.is_err()
    });
    let missed: Vec<_> = missed.map(|(mutant, _)| mutant.name.as_str()).collect();
    if missed.is_empty() {
        return Ok(Done::saying(format!("{} mutants, each caught by its law", mutants.len())));
    }
    Err(Failure::Found(format!("{} mutants were not noticed: {}", missed.len(), missed.join(", "))))
}
