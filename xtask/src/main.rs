//! Checks of this workspace as code: `cargo xtask <verb>`.
//!
//! A verb is a list of steps, and `ci` runs all of them. The documents claim only facts that a step
//! proves.

mod ci;
mod conformance;
mod coverage;
mod deny;
mod each_feature;
mod fuzz;
mod layers;
mod lexer;
mod mutant;
mod mutants;
mod package;
mod prose;
mod published;
mod run;
mod simulate;
mod sources;
mod step;
mod test;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use run::{Failure, cargo, read};
use step::Step;

/// Command of this program.
struct Verb {
    name: &'static str,
    /// Arguments of the verb, for its usage line; empty if it takes none.
    takes: &'static str,
    about: &'static str,
    steps: &'static [Step],
}

const fn verb(
    name: &'static str,
    takes: &'static str,
    about: &'static str,
    steps: &'static [Step],
) -> Verb {
    Verb { name, takes, about, steps }
}

const VERBS: &[Verb] = &[
    verb("ci", "", "every check below except measurements and `package`, cheapest first", ci::ALL),
    verb("fmt", "", "check the format of the code", &[ci::FMT]),
    verb("layers", "", "check dependencies, imports and features between crates", &[ci::LAYERS]),
    verb(
        "prose",
        "[--all] [PATH...]",
        "check names and wording; --all lists all matches, PATH those of files",
        &[ci::PROSE],
    ),
    verb(
        "deny",
        "",
        "licences, banned and vulnerable dependencies (needs cargo-deny)",
        &[ci::DENY],
    ),
    verb("clippy", "", "lints, warnings denied", &[ci::CLIPPY]),
    verb(
        "features",
        "[--each]",
        "compile each small feature set, or each feature alone and none",
        &[ci::FEATURES],
    ),
    verb("docs", "", "build the documentation, warnings denied", &[ci::DOCS]),
    verb("test", "[--require-all]", "run all suites that this machine can run", &[ci::TEST]),
    verb(
        "conformance",
        "[--mutants]",
        "run the suite for stores; with --mutants, check that it catches broken stores",
        &[ci::CONFORMANCE],
    ),
    verb(
        "simulate",
        "[--seeds N] [--mutants] [...]",
        "simulate days of faults from each seed and check every invariant",
        &[ci::SIMULATE],
    ),
    verb(
        "crash",
        "[...]",
        "kill processes at the worst moments and check that no event is lost",
        &[ci::CRASH],
    ),
    verb(
        "security",
        "[--write] [SECTION|ID...]",
        "run hostile URLs, names, responses and certificates against docs/security-cases.md",
        &[ci::SECURITY],
    ),
    verb(
        "package",
        "",
        "packages as users get them: complete, quick start runs, docs.rs documents them",
        &[package::STEP],
    ),
    verb(
        "coverage",
        "",
        "measure the lines of webhook-core that its tests run (installs cargo-llvm-cov)",
        &[coverage::COVERAGE_STEP],
    ),
    verb(
        "mutants",
        "",
        "measure which mutants of webhook-core its tests catch (installs cargo-mutants)",
        &[mutants::MUTANTS_STEP],
    ),
    verb(
        "fuzz",
        "[--seconds N] [--keep] [TARGET...]",
        "search for hostile bytes that break a promise (needs a C++ compiler)",
        &[fuzz::FUZZ_STEP],
    ),
    verb(
        "bench",
        "all|send|durable|latency|fairness|fan-out|workers|growth|start|verify|flood [...]",
        "measure speed, lateness, fairness and resources, each next to its limit",
        &[ci::BENCH],
    ),
    verb("demo", "", "deliver an event end to end", &[ci::DEMO]),
];

/// Exits with 0 if all steps passed, with 1 if a step failed, and with 2 for an unknown verb.
fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some((verb, rest)) = find(&arguments) else {
        let wants_help = matches!(arguments.as_slice(), ["--help" | "-h"]);
        if wants_help {
            print!("{}", usage());
            return ExitCode::SUCCESS;
        }
        eprint!("xtask: expected one verb, got `{}`\n\n{}", arguments.join(" "), usage());
        return ExitCode::from(2);
    };
    if let Err(error) = enter_workspace() {
        eprintln!("xtask: cannot enter the workspace's folder: {error}");
        return ExitCode::FAILURE;
    }
    let passed = step::run_all(verb.steps, rest);
    // A failure stays at the end of the output.
    if verb.name == "ci" && passed {
        println!("\nnot in ci, by `cargo xtask`:\n  {}", ci::OUTSIDE.join("\n  "));
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the verb and its arguments.
fn find<'a>(arguments: &'a [&'a str]) -> Option<(&'static Verb, &'a [&'a str])> {
    let (name, rest) = arguments.split_first()?;
    let verb = VERBS.iter().find(|verb| verb.name == *name)?;
    (rest.is_empty() || !verb.takes.is_empty()).then_some((verb, rest))
}

/// Makes the root of the workspace the current folder, because steps name files from there.
///
/// Cargo passes the folder at run time. The folder known at compile time may belong to another
/// clone that shares the target folder, and so this program.
fn enter_workspace() -> std::io::Result<()> {
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    match here.as_deref().and_then(Path::parent) {
        Some(root) => env::set_current_dir(root),
        None => Ok(()),
    }
}

/// Folder in which cargo builds.
fn target_folder() -> Result<PathBuf, Failure> {
    let json = read(&mut cargo(["metadata", "--format-version", "1", "--no-deps"]))?;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
    let folder = json.get("target_directory").and_then(serde_json::Value::as_str);
    folder
        .map(Into::into)
        .ok_or_else(|| Failure::Found("`cargo metadata` contains no target folder".to_owned()))
}

fn usage() -> String {
    let line = |verb: &Verb| {
        let command = format!("{} {}", verb.name, verb.takes);
        format!("  {command:<24} {}\n", verb.about)
    };
    format!("usage: cargo xtask <verb>\n\n{}", VERBS.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb_of(words: &[&str]) -> Option<&'static str> {
        find(words).map(|(verb, _)| verb.name)
    }

    #[test]
    fn exactly_one_known_verb_is_accepted() {
        assert_eq!(verb_of(&["layers"]), Some("layers"));
        assert_eq!(verb_of(&["test", "--require-all"]), Some("test"));
        for wrong in [&[][..], &["layer"], &["layers", "fmt"], &["--layers"], &[""]] {
            assert_eq!(verb_of(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn checks_outside_ci_are_verbs() {
        for check in ci::OUTSIDE {
            let name = check.split_whitespace().next().unwrap_or_default();
            assert!(VERBS.iter().any(|verb| verb.name == name), "{check}");
        }
    }

    #[test]
    fn ci_runs_the_steps_of_every_verb_that_is_not_outside() {
        let outside = ["bench", "coverage", "fuzz", "mutants", "package"];
        for verb in VERBS.iter().filter(|verb| !outside.contains(&verb.name)) {
            for step in verb.steps {
                assert!(ci::ALL.iter().any(|known| known.name == step.name), "{}", step.name);
            }
        }
    }
}
