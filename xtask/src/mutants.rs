//! Mutants of the policies of webhook-core.
//!
//! cargo-mutants changes one place after the other, in a copy of the workspace, and runs the unit
//! tests. A mutant must fail a test, or be listed with the reason why no test can catch it.

use std::path::Path;

use serde_json::Value;

use crate::{
    coverage::{have, text},
    run::{Failure, cargo, run},
    step::{Step, StepReport},
};

/// Outside `ci`, because it takes an hour on two cores.
pub(crate) const MUTANTS_STEP: Step = Step::new("mutants", |_| check());

const MUTATED_FILES: [&str; 11] = [
    "model/filter",
    "model/health",
    "model/order",
    "model/rate",
    "model/retry",
    "policy/allowance",
    "policy/classify",
    "policy/decide",
    "policy/fan_out",
    "policy/retry_after",
    "policy/tenant_share",
];

/// List of accepted mutants: in each line a mutant, ` # ` and a reason.
const ACCEPTED_FILE: &str = "webhook-core/mutants.txt";

const MUTANTS_FOLDER: &str = "target/mutants";

/// Exit codes of a complete run in which mutants survived or timed out.
const COMPLETED_CODES: [Option<i32>; 2] = [Some(2), Some(3)];

fn check() -> Result<StepReport, Failure> {
    have("mutants")?;
    let accepted = accepted(&text(Path::new(ACCEPTED_FILE))?)?;
    let mut command = cargo(["mutants", "--package", "webhook-core", "--output", MUTANTS_FOLDER]);
    command.args(MUTATED_FILES.map(|file| format!("--file=webhook-core/src/{file}.rs")));
    // Tests take seconds. On a busy machine a slow test is not a caught mutant.
    command.args(["--cargo-test-arg=--lib", "--jobs=2", "--no-shuffle", "--timeout=120"]);
    // A mutant changes a line of one crate.
    command.env("CARGO_INCREMENTAL", "1");
    match run(&mut command) {
        Err(Failure::Ended { status, .. }) if COMPLETED_CODES.contains(&status.code()) => {}
        ended => ended?,
    }
    let outcomes = text(&Path::new(MUTANTS_FOLDER).join("mutants.out/outcomes.json"))?;
    judge(&serde_json::from_str(&outcomes).unwrap_or_default(), accepted)
}

/// Mutants of the list.
fn accepted(list: &str) -> Result<Vec<String>, Failure> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_once(" # ") {
            Some((mutant, _)) => Ok(mutant.to_owned()),
            None => Err(Failure::Found(format!("{ACCEPTED_FILE}: no reason for `{line}`"))),
        })
        .collect()
}

/// Compares surviving mutants with the list, in which each line stands for one mutant.
fn judge(outcomes: &Value, mut accepted: Vec<String>) -> Result<StepReport, Failure> {
    let count = |key: &str| outcomes.get(key).and_then(Value::as_u64).unwrap_or(0);
    let tested = count("total_mutants") - count("unviable");
    let listed = accepted.len();
    let mut wrong = Vec::new();
    for survivor in survivors(outcomes) {
        match accepted.iter().position(|known| *known == survivor) {
            Some(at) => drop(accepted.swap_remove(at)),
            None => wrong.push(format!("survived: {survivor}")),
        }
    }
    wrong.extend(accepted.iter().map(|known| format!("listed, but caught: {known}")));
    let caught = count("caught") + count("timeout");
    let summary = format!("{tested} mutants, {caught} caught, {listed} accepted");
    match wrong.len() {
        0 if tested > 0 => Ok(StepReport::new(summary)),
        wrongs => {
            Err(Failure::Found(format!("{summary}, {wrongs} wrong\n  {}", wrong.join("\n  "))))
        }
    }
}

/// Mutants that no test caught, without their line numbers, which change with each edit.
fn survivors(outcomes: &Value) -> Vec<String> {
    let all = outcomes.get("outcomes").and_then(Value::as_array);
    let missed = all
        .into_iter()
        .flatten()
        .filter(|outcome| outcome.get("summary").and_then(Value::as_str) == Some("MissedMutant"));
    let name = |outcome: &Value| outcome.pointer("/scenario/Mutant/name")?.as_str().map(unplaced);
    missed.filter_map(name).collect()
}

/// `file.rs:12:5: replace ..` without the numbers.
fn unplaced(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match (parts.next(), parts.nth(2)) {
        (Some(file), Some(change)) => format!("{file}:{change}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcomes() -> Value {
        let mutant = |summary: &str, name: &str| json!({ "summary": summary, "scenario": { "Mutant": { "name": name } } });
        json!({
            "total_mutants": 5, "caught": 2, "timeout": 1, "unviable": 1, "missed": 1,
            "outcomes": [
                { "summary": "Success", "scenario": "Baseline" },
                mutant("CaughtMutant", "a.rs:1:2: replace x::y with ()"),
                mutant("MissedMutant", "a.rs:3:4: replace == with != in x::y"),
            ],
        })
    }

    fn of(list: &str) -> String {
        match judge(&outcomes(), accepted(list).unwrap()) {
            Ok(done) => done.summary,
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn survivors_and_the_list_must_agree() {
        let line = "a.rs: replace == with != in x::y # y is a constant\n";
        let numbers = "4 mutants, 3 caught";
        assert_eq!(of(&format!("# why\n\n{line}")), format!("{numbers}, 1 accepted"));
        let survived = "survived: a.rs: replace == with != in x::y";
        assert_eq!(of(""), format!("{numbers}, 0 accepted, 1 wrong\n  {survived}"));
        let twice = of(&line.repeat(2));
        assert!(twice.contains("1 wrong\n  listed, but caught: a.rs"), "{twice}");
    }

    #[test]
    fn an_accepted_mutant_has_a_reason() {
        let failure = accepted("a.rs: replace x with y\n").unwrap_err();
        assert!(failure.headline().contains("no reason"), "{failure}");
    }

    #[test]
    fn a_run_without_mutants_fails() {
        assert!(judge(&Value::Null, Vec::new()).is_err());
    }
}
