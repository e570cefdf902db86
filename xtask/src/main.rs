//! Every check of this workspace, as code: `cargo xtask <verb>`.
//!
//! A verb is a list of steps; `ci` is the list of all of them. What no step proves, the documents do
//! not claim.

mod ci;
mod deny;
mod layers;
mod run;
mod step;
mod test;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use step::Step;

/// Something to ask for on the command line.
struct Verb {
    name: &'static str,
    about: &'static str,
    steps: &'static [Step],
}

const VERBS: &[Verb] = &[
    Verb { name: "ci", about: "everything below, in the order of its cost", steps: ci::ALL },
    Verb { name: "fmt", about: "is the code formatted?", steps: &[ci::FMT] },
    Verb { name: "layers", about: "do crates keep to their walls?", steps: &[ci::LAYERS] },
    Verb {
        name: "deny",
        about: "licences, banned and vulnerable dependencies (needs cargo-deny)",
        steps: &[ci::DENY],
    },
    Verb { name: "clippy", about: "lints, warnings denied", steps: &[ci::CLIPPY] },
    Verb {
        name: "features",
        about: "does each small feature set compile?",
        steps: &[ci::FEATURES],
    },
    Verb { name: "docs", about: "documentation, warnings denied", steps: &[ci::DOCS] },
    Verb { name: "test", about: "all suites that can run on this machine", steps: &[ci::TEST] },
    Verb {
        name: "crash",
        about: "a worker killed half-way: is anything lost? (one minute)",
        steps: &[ci::CRASH],
    },
    Verb { name: "demo", about: "the main job, end to end", steps: &[ci::DEMO] },
];

/// 0: done. 1: a step failed. 2: asked for something that does not exist.
fn main() -> ExitCode {
    let asked: Vec<String> = env::args().skip(1).collect();
    let Some(verb) = find(&asked) else {
        let wants_help = matches!(asked.as_slice(), [word] if word == "--help" || word == "-h");
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
    if step::run_all(verb.steps) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn find(asked: &[String]) -> Option<&'static Verb> {
    let [name] = asked else { return None };
    VERBS.iter().find(|verb| verb.name == name)
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

fn usage() -> String {
    let lines: String =
        VERBS.iter().map(|verb| format!("  {:<10}{}\n", verb.name, verb.about)).collect();
    format!("usage: cargo xtask <verb>\n\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[&str]) -> Option<&'static str> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        find(&words).map(|verb| verb.name)
    }

    #[test]
    fn exactly_one_known_verb_is_asked_for() {
        assert_eq!(asked(&["layers"]), Some("layers"));
        for wrong in [&[][..], &["layer"], &["layers", "fmt"], &["--layers"], &[""]] {
            assert_eq!(asked(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn ci_runs_the_steps_of_every_other_verb() {
        for verb in VERBS {
            for step in verb.steps {
                assert!(ci::ALL.iter().any(|known| known.name == step.name), "{}", step.name);
            }
        }
    }
}
