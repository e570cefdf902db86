//! The whole test suite, and a plain word on what came of it.

mod secrets;

use std::process::Command;

use xtask_servers::{Database, find};

use crate::{
    run::{Failure, cargo, watch},
    step::StepReport,
};

/// A database that is nowhere is a failure, not a word at the end.
pub(crate) const REQUIRE_ALL: &str = "--require-all";

/// What is the same for every call: all crates, all features, and on after a suite has failed.
const TEST: [&str; 4] = ["test", "--workspace", "--all-features", "--no-fail-fast"];

/// What tests print is shown when they pass as well: it is looked through for secrets.
const SHOW_ALL: [&str; 2] = ["--", "--show-output"];

pub(crate) fn check(args: &[&str]) -> Result<StepReport, Failure> {
    let require_all = requires_all(args)?;
    // `--all-targets` leaves documentation out.
    run_all(&[&["--all-targets"], &["--doc"]], require_all)
}

/// The suite for stores alone, on every store that can run on this machine.
pub(crate) fn conformance() -> Result<StepReport, Failure> {
    run_all(&[&["--test", "memory", "--test", "conformance", "--test", "store"]], false)
}

/// Runs these tests, then those that wait for a server.
fn run_all(calls: &[&[&str]], require_all: bool) -> Result<StepReport, Failure> {
    let mut seen = Seen::default();
    let mut ended = Vec::new();
    for what in calls {
        ended.push(run_watched(cargo(TEST).args(*what).args(SHOW_ALL), &mut seen));
    }
    let mut left_out = Vec::new();
    for database in Database::ALL {
        match run_suites_of(database, &mut seen) {
            Ok(end) => ended.push(end),
            Err(missing) => left_out.push(missing),
        }
    }
    let command = ended.into_iter().find_map(Result::err);
    if command.is_some() || seen.suites_failed > 0 || seen.suites_passed == 0 {
        return Err(Failure::Found(seen.and_why(command)));
    }
    if let Some(complaint) = seen.secrets.complaint() {
        return Err(Failure::Found(complaint));
    }
    if require_all && !left_out.is_empty() {
        return Err(Failure::Found(format!("left out: {}", left_out.join("; "))));
    }
    Ok(StepReport { summary: seen.to_string(), left_out })
}

/// Runs tests that look into their own log for secrets, and does the same with what they print.
fn run_watched(tests: &mut Command, seen: &mut Seen) -> Result<(), Failure> {
    tests.env(secrets::FORBIDDEN, secrets::CANARIES.join(","));
    watch(tests, |line| {
        seen.take(line);
        seen.secrets.look(line);
    })
}

fn requires_all(args: &[&str]) -> Result<bool, Failure> {
    match args.iter().find(|arg| **arg != REQUIRE_ALL) {
        None => Ok(!args.is_empty()),
        Some(unknown) => {
            Err(Failure::Found(format!("`{unknown}` is unknown; `test` takes {REQUIRE_ALL}")))
        }
    }
}

/// Runs the tests that wait for this server, ignored so far; or says that there is none.
fn run_suites_of(database: Database, seen: &mut Seen) -> Result<Result<(), Failure>, String> {
    let server = find(database).map_err(|missing| missing.to_string())?;
    println!("{database}: {server}");
    let before = seen.tests();
    let mut suites = cargo(TEST);
    suites.args(["--test", database.suite()]).args(SHOW_ALL).arg("--ignored");
    let end = run_watched(suites.env(database.variable(), server.url()), seen);
    seen.ignored = seen.ignored.saturating_sub(seen.tests() - before);
    Ok(end)
}

/// What the test harness has reported so far.
#[derive(Debug, Default)]
struct Seen {
    secrets: secrets::Found,
    suites_passed: u32,
    suites_failed: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Seen {
    /// Reads the line that ends a suite; any other line says nothing.
    ///
    /// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; ...`
    fn take(&mut self, line: &str) {
        let Some((verdict, counts)) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        let before = (self.passed, self.failed);
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else { continue };
            let number: u32 = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
        match verdict {
            // A program or a crate without tests is no suite.
            "ok" if before == (self.passed, self.failed) => {}
            "ok" => self.suites_passed += 1,
            _ => self.suites_failed += 1,
        }
    }

    /// Those that have run.
    const fn tests(&self) -> u32 {
        self.passed + self.failed
    }

    /// A suite that does not compile, or is killed, reports nothing: then the command tells.
    fn and_why(&self, command: Option<Failure>) -> String {
        let why = command.map(|failure| format!("; {}", failure.headline()));
        format!("{self}{}", why.unwrap_or_default())
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { suites_passed, suites_failed, passed, failed, ignored, secrets: _ } = self;
        write!(
            f,
            "{suites_passed} suites passed, {suites_failed} failed \
             (tests: {passed} passed, {failed} failed, {ignored} ignored)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_and_tests_are_counted_from_the_harness_own_words() {
        let mut seen = Seen::default();
        for line in [
            "running 0 tests",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "running 12 tests",
            "test a_test ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "my log says: test result: ok. 99 passed",
        ] {
            seen.take(line);
        }
        assert_eq!(
            seen.to_string(),
            "1 suites passed, 1 failed (tests: 15 passed, 2 failed, 1 ignored)"
        );
    }

    #[test]
    fn what_nobody_understands_is_refused() {
        assert!(!requires_all(&[]).unwrap());
        assert!(requires_all(&[REQUIRE_ALL]).unwrap());
        let failure = requires_all(&["--require"]).unwrap_err();
        assert_eq!(failure.headline(), "`--require` is unknown; `test` takes --require-all");
    }
}
