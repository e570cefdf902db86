//! Would the tests of webhook-core notice if what it decides were wrong?
//!
//! cargo-mutants breaks one thing after the other in the files that decide, in a copy of the workspace,
//! and runs the unit tests. Each mutant has to be noticed, or be on the list of those that no test can
//! tell from the code, with the reason.

use std::path::Path;

use serde_json::Value;

use crate::{
    coverage::{have, text},
    run::{Failure, cargo, run},
    step::{Step, StepReport},
};

/// Not among all the steps: it takes an hour on two cores.
pub(crate) const STEP: Step = Step::new("mutants", |_| check());

const FILES: [&str; 11] = [
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

/// The list: a mutant, ` # `, why no test can notice it.
const ACCEPTED: &str = "webhook-core/mutants.txt";

const OUTPUT: &str = "target/mutants";

/// Some mutants have survived, or timed out: it ran to its end.
const ENDED: [Option<i32>; 2] = [Some(2), Some(3)];

fn check() -> Result<StepReport, Failure> {
    have("mutants")?;
    let accepted = accepted(&text(Path::new(ACCEPTED))?)?;
    let mut command = cargo(["mutants", "--package", "webhook-core", "--output", OUTPUT]);
    command.args(FILES.map(|file| format!("--file=webhook-core/src/{file}.rs")));
    // Tests take seconds; on a busy machine, one that takes longer has not noticed anything by that.
    command.args(["--cargo-test-arg=--lib", "--jobs=2", "--no-shuffle", "--timeout=120"]);
    // A mutant changes a line of one crate.
    command.env("CARGO_INCREMENTAL", "1");
    match run(&mut command) {
        Err(Failure::Ended { status, .. }) if ENDED.contains(&status.code()) => {}
        ended => ended?,
    }
    let outcomes = text(&Path::new(OUTPUT).join("mutants.out/outcomes.json"))?;
    judge(&serde_json::from_str(&outcomes).unwrap_or_default(), accepted)
}

/// The mutants on the list.
fn accepted(list: &str) -> Result<Vec<String>, Failure> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_once(" # ") {
            Some((mutant, _)) => Ok(mutant.to_owned()),
            None => Err(Failure::Found(format!("{ACCEPTED}: no reason stands behind `{line}`"))),
        })
        .collect()
}

/// Compares those that survived with those on the list. Each line of it stands for one.
fn judge(outcomes: &Value, mut accepted: Vec<String>) -> Result<StepReport, Failure> {
    let count = |what: &str| outcomes.get(what).and_then(Value::as_u64).unwrap_or(0);
    let tested = count("total_mutants") - count("unviable");
    let listed = accepted.len();
    let mut wrong = Vec::new();
    for survivor in survivors(outcomes) {
        match accepted.iter().position(|known| *known == survivor) {
            Some(at) => drop(accepted.swap_remove(at)),
            None => wrong.push(format!("survived: {survivor}")),
        }
    }
    wrong.extend(accepted.iter().map(|known| format!("on the list, and noticed now: {known}")));
    let noticed = count("caught") + count("timeout");
    let said = format!("{tested} mutants, {noticed} noticed, {listed} accepted");
    match wrong.len() {
        0 if tested > 0 => Ok(StepReport::new(said)),
        wrongs => Err(Failure::Found(format!("{said}, {wrongs} wrong\n  {}", wrong.join("\n  ")))),
    }
}

/// Those that no test noticed, without the place in their file: it changes with each edit.
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
    fn a_survivor_has_to_be_on_the_list_and_the_list_has_to_be_true() {
        let line = "a.rs: replace == with != in x::y # y is a constant\n";
        let numbers = "4 mutants, 3 noticed";
        assert_eq!(of(&format!("# why\n\n{line}")), format!("{numbers}, 1 accepted"));
        let survived = "survived: a.rs: replace == with != in x::y";
        assert_eq!(of(""), format!("{numbers}, 0 accepted, 1 wrong\n  {survived}"));
        let twice = of(&line.repeat(2));
        assert!(twice.contains("1 wrong\n  on the list, and noticed now: a.rs"), "{twice}");
    }

    #[test]
    fn what_is_accepted_has_a_reason() {
        let failure = accepted("a.rs: replace x with y\n").unwrap_err();
        assert!(failure.headline().contains("no reason"), "{failure}");
    }

    #[test]
    fn nothing_tested_is_nothing_proven() {
        assert!(judge(&Value::Null, Vec::new()).is_err());
    }
}
