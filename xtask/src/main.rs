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

const VERBS: &[Verb] = &[
    Verb {
        name: "ci",
        takes: "",
        about: "every check below except measurements and `package`, cheapest first",
        steps: ci::ALL,
    },
    Verb { name: "fmt", takes: "", about: "check the format of the code", steps: &[ci::FMT] },
    Verb {
        name: "layers",
        takes: "",
        about: "check dependencies, imports and features between crates",
        steps: &[ci::LAYERS],
    },
    Verb {
        name: "prose",
        takes: "[--all] [PATH...]",
        about: "check names and wording; --all lists all matches, PATH those of files",
        steps: &[ci::PROSE],
    },
    Verb {
        name: "deny",
        takes: "",
        about: "licences, banned and vulnerable dependencies (needs cargo-deny)",
        steps: &[ci::DENY],
    },
    Verb { name: "clippy", takes: "", about: "lints, warnings denied", steps: &[ci::CLIPPY] },
    Verb {
        name: "features",
        takes: "[--each]",
        about: "compile each small feature set, or each feature alone and none",
        steps: &[ci::FEATURES],
    },
    Verb {
        name: "docs",
        takes: "",
        about: "build the documentation, warnings denied",
        steps: &[ci::DOCS],
    },
    Verb {
        name: "test",
        takes: "[--require-all]",
        about: "run all suites that this machine can run",
        steps: &[ci::TEST],
    },
    Verb {
        name: "conformance",
        takes: "[--mutants]",
        about: "run the suite for stores; with --mutants, check that it catches broken stores",
        steps: &[ci::CONFORMANCE],
    },
    Verb {
        name: "simulate",
        takes: "[--seeds N] [--mutants] [...]",
        about: "simulate days of faults from each seed and check every invariant",
        steps: &[ci::SIMULATE],
    },
    Verb {
        name: "crash",
        takes: "[...]",
        about: "kill processes at the worst moments and check that no event is lost",
        steps: &[ci::CRASH],
    },
    Verb {
        name: "security",
        takes: "[--write] [SECTION|ID...]",
        about: "run hostile URLs, names, responses and certificates against docs/security-cases.md",
        steps: &[ci::SECURITY],
    },
    Verb {
        name: "package",
        takes: "",
        about: "packages as users get them: complete, quick start runs, docs.rs documents them",
        steps: &[package::STEP],
    },
    Verb {
        name: "coverage",
        takes: "",
        about: "measure the lines of webhook-core that its tests run (installs cargo-llvm-cov)",
        steps: &[coverage::COVERAGE_STEP],
    },
    Verb {
        name: "mutants",
        takes: "",
        about: "measure which mutants of webhook-core its tests catch (installs cargo-mutants)",
        steps: &[mutants::MUTANTS_STEP],
    },
    Verb {
        name: "fuzz",
        takes: "[--seconds N] [--keep] [TARGET...]",
        about: "search for hostile bytes that break a promise (needs a C++ compiler)",
        steps: &[fuzz::FUZZ_STEP],
    },
    Verb {
        name: "bench",
        takes: "all|send|durable|latency|fairness|fan-out|workers|growth|start|verify|flood [...]",
        about: "measure speed, lateness, fairness and resources, each next to its limit",
        steps: &[ci::BENCH],
    },
    Verb { name: "demo", takes: "", about: "deliver an event end to end", steps: &[ci::DEMO] },
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
    if verb.name == "ci" {
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
