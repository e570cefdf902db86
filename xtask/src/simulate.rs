//! Plays the simulator; and asks whether its laws would notice anything.
//!
//! Each law names lines of the engine, or of the store in memory, to break. Copies of both, each broken in
//! one place, are built in the target folder and played until the law that names it says so.

mod mutants;
mod stage;

use std::{path::Path, process::Command};

use crate::{
    run::{Failure, cargo, read, run, watch},
    step::Done,
    target_folder,
};

pub(crate) const MUTANTS: &str = "--mutants";

/// Fast enough for thousands of runs, with the checks of development.
const PROFILE: &str = "simulation";

/// So many seeds must do.
const SEEDS: &str = "1000";

pub(crate) fn check(args: &[&str]) -> Result<Done, Failure> {
    match args {
        [MUTANTS, only @ ..] => check_the_checkers(only),
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

/// Builds each mutant, or those whose names hold one of the words, and plays it until its law is broken.
fn check_the_checkers(only: &[&str]) -> Result<Done, Failure> {
    let all = mutants::look(Path::new("webhook-testkit/src/simulation/laws"))?;
    let wanted = |name: &str| only.is_empty() || only.iter().any(|word| name.contains(word));
    let mutants: Vec<_> = all.into_iter().filter(|mutant| wanted(&mutant.name)).collect();
    let target = target_folder()?;
    let folder = target.join("mutants");
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
