//! Every check of this workspace, as code: `cargo xtask <verb>`.
//!
//! A verb is a list of steps; `ci` is the list of all of them. What no step proves, the documents do
//! not claim.

mod ci;
mod conformance;
mod coverage;
mod deny;
mod fuzz;
mod layers;
mod mutant;
mod mutants;
mod run;
mod simulate;
mod step;
mod test;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use run::{Failure, cargo, read};
use step::Step;

/// Something to ask for on the command line.
struct Verb {
    name: &'static str,
    /// What may stand behind it; the step reads it.
    takes: &'static str,
    about: &'static str,
    steps: &'static [Step],
}

const VERBS: &[Verb] = &[
    Verb {
        name: "ci",
        takes: "",
        about: "everything below but measurements, in the order of its cost",
        steps: ci::ALL,
    },
    Verb { name: "fmt", takes: "", about: "is the code formatted?", steps: &[ci::FMT] },
    Verb {
        name: "layers",
        takes: "",
        about: "do crates keep to their walls?",
        steps: &[ci::LAYERS],
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
        takes: "",
        about: "does each small feature set compile?",
        steps: &[ci::FEATURES],
    },
    Verb { name: "docs", takes: "", about: "documentation, warnings denied", steps: &[ci::DOCS] },
    Verb {
        name: "test",
        takes: "[--require-all]",
        about: "all suites that can run on this machine",
        steps: &[ci::TEST],
    },
    Verb {
        name: "conformance",
        takes: "[--mutants]",
        about: "the suite for stores; with mutants: does each case catch its own?",
        steps: &[ci::CONFORMANCE],
    },
    Verb {
        name: "simulate",
        takes: "[--seeds N] [--mutants] [...]",
        about: "days of faults from each seed: do the invariants hold? with mutants: is each caught?",
        steps: &[ci::SIMULATE],
    },
    Verb {
        name: "crash",
        takes: "[...]",
        about: "whatever dies at the worst moment: is anything lost? `crash --help` names the rest",
        steps: &[ci::CRASH],
    },
    Verb {
        name: "security",
        takes: "[--write] [SECTION|ID...]",
        about: "hostile URLs, names, answers, certificates: does each come to what docs/security-cases.md says?",
        steps: &[ci::SECURITY],
    },
    Verb {
        name: "coverage",
        takes: "",
        about: "measurement: how much of webhook-core do its tests run? (installs cargo-llvm-cov)",
        steps: &[coverage::STEP],
    },
    Verb {
        name: "mutants",
        takes: "",
        about: "measurement: do they notice what is broken in it? (installs cargo-mutants)",
        steps: &[mutants::STEP],
    },
    Verb {
        name: "fuzz",
        takes: "[--seconds N] [--keep] [TARGET...]",
        about: "measurement: which hostile bytes break a promise? (needs a C++ compiler)",
        steps: &[fuzz::STEP],
    },
    Verb {
        name: "bench",
        takes: "all|send|durable|latency|fairness|fan-out|workers|growth|start|verify|flood [...]",
        about: "measurements: how fast it is beside its limits, how late, what some cost the others, what it takes",
        steps: &[ci::BENCH],
    },
    Verb { name: "demo", takes: "", about: "the main job, end to end", steps: &[ci::DEMO] },
];

/// 0: done. 1: a step failed. 2: asked for something that does not exist.
fn main() -> ExitCode {
    let asked: Vec<String> = env::args().skip(1).collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let Some((verb, rest)) = find(&asked) else {
        let wants_help = matches!(asked.as_slice(), ["--help" | "-h"]);
        if wants_help {
            print!("{}", usage());
            return ExitCode::SUCCESS;
        }
        eprint!("xtask: expected one verb, got `{}`\n\n{}", asked.join(" "), usage());
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

/// The verb, and what stands behind it.
fn find<'a>(asked: &'a [&'a str]) -> Option<(&'static Verb, &'a [&'a str])> {
    let (name, rest) = asked.split_first()?;
    let verb = VERBS.iter().find(|verb| verb.name == *name)?;
    (rest.is_empty() || !verb.takes.is_empty()).then_some((verb, rest))
}

/// Steps name files from the root, wherever they are started.
///
/// Cargo says where that is at run time. The folder known at compile time can be another one: clones
/// that share a target folder share this program.
fn enter_workspace() -> std::io::Result<()> {
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    match here.as_deref().and_then(Path::parent) {
        Some(root) => env::set_current_dir(root),
        None => Ok(()),
    }
}

/// Where cargo builds.
fn target_folder() -> Result<PathBuf, Failure> {
    let json = read(&mut cargo(["metadata", "--format-version", "1", "--no-deps"]))?;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
    let folder = json.get("target_directory").and_then(serde_json::Value::as_str);
    folder.map(Into::into).ok_or_else(|| Failure::Found("cargo names no target folder".to_owned()))
}

fn usage() -> String {
    let line = |verb: &Verb| {
        let asked = format!("{} {}", verb.name, verb.takes);
        format!("  {asked:<25}{}\n", verb.about)
    };
    format!("usage: cargo xtask <verb>\n\n{}", VERBS.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[&str]) -> Option<&'static str> {
        find(words).map(|(verb, _)| verb.name)
    }

    #[test]
    fn exactly_one_known_verb_is_asked_for() {
        assert_eq!(asked(&["layers"]), Some("layers"));
        assert_eq!(asked(&["test", "--require-all"]), Some("test"));
        for wrong in [&[][..], &["layer"], &["layers", "fmt"], &["--layers"], &[""]] {
            assert_eq!(asked(wrong), None, "{wrong:?}");
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
    fn ci_runs_the_steps_of_every_other_verb_but_measurements() {
        let measurements = ["bench", "coverage", "fuzz", "mutants"];
        for verb in VERBS.iter().filter(|verb| !measurements.contains(&verb.name)) {
            for step in verb.steps {
                assert!(ci::ALL.iter().any(|known| known.name == step.name), "{}", step.name);
            }
        }
    }
}
