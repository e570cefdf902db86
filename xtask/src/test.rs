//! Runs the whole test suite and counts the results.

mod secrets;

use std::process::Command;

use xtask_servers::{Database, find};

use crate::{
    run::{Failure, cargo, watch},
    step::StepReport,
};

/// Makes a missing database a failure instead of a skipped suite.
pub(crate) const REQUIRE_ALL: &str = "--require-all";

/// Common arguments: all crates, all features, and no stop after a failed suite.
const TEST_COMMAND: [&str; 4] = ["test", "--workspace", "--all-features", "--no-fail-fast"];

/// Shows the output of passed tests too, because it is searched for secrets.
const SHOW_OUTPUT: [&str; 2] = ["--", "--show-output"];

pub(crate) fn check(args: &[&str]) -> Result<StepReport, Failure> {
    let require_all = requires_all(args)?;
    // `--all-targets` does not include examples of the documentation.
    run_all(&[&["--all-targets"], &["--doc"]], require_all)
}

/// Runs the suite for stores, on every store that can run on this machine.
pub(crate) fn conformance() -> Result<StepReport, Failure> {
    run_all(&[&["--test", "memory", "--test", "conformance", "--test", "store"]], false)
}

/// Runs these tests, then those that need a server.
fn run_all(calls: &[&[&str]], require_all: bool) -> Result<StepReport, Failure> {
    let mut counts = TestCounts::default();
    let mut ended = Vec::new();
    for what in calls {
        ended.push(run_watched(cargo(TEST_COMMAND).args(*what).args(SHOW_OUTPUT), &mut counts));
    }
    let mut left_out = Vec::new();
    for database in Database::ALL {
        match run_suites_of(database, &mut counts) {
            Ok(end) => ended.push(end),
            Err(missing) => left_out.push(missing),
        }
    }
    let command = ended.into_iter().find_map(Result::err);
    if command.is_some() || counts.suites_failed > 0 || counts.suites_passed == 0 {
        return Err(Failure::Found(counts.and_why(command)));
    }
    if let Some(complaint) = counts.secrets.complaint() {
        return Err(Failure::Found(complaint));
    }
    if require_all && !left_out.is_empty() {
        return Err(Failure::Found(format!("left out: {}", left_out.join("; "))));
    }
    Ok(StepReport { summary: counts.to_string(), left_out })
}

/// Runs tests that search their log for secrets, and searches their output.
fn run_watched(tests: &mut Command, counts: &mut TestCounts) -> Result<(), Failure> {
    tests.env(secrets::FORBIDDEN_VARIABLE, secrets::CANARIES.join(","));
    watch(tests, |line| {
        counts.take(line);
        counts.secrets.check(line);
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

/// Runs the tests that need this server, or returns the reason for which it is missing.
fn run_suites_of(
    database: Database,
    counts: &mut TestCounts,
) -> Result<Result<(), Failure>, String> {
    let server = find(database).map_err(|missing| missing.to_string())?;
    println!("{database}: {server}");
    let before = counts.tests();
    let mut suites = cargo(TEST_COMMAND);
    suites.args(["--test", database.suite()]).args(SHOW_OUTPUT).arg("--ignored");
    let end = run_watched(suites.env(database.variable(), server.url()), counts);
    counts.ignored = counts.ignored.saturating_sub(counts.tests() - before);
    Ok(end)
}

/// Results that the test harness has reported.
#[derive(Debug, Default)]
struct TestCounts {
    secrets: secrets::Leaks,
    suites_passed: u32,
    suites_failed: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl TestCounts {
    /// Reads the line that ends a suite, and ignores any other line.
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
            // A program or a crate without tests is not a suite.
            "ok" if before == (self.passed, self.failed) => {}
            "ok" => self.suites_passed += 1,
            _ => self.suites_failed += 1,
        }
    }

    /// Number of tests that have run.
    const fn tests(&self) -> u32 {
        self.passed + self.failed
    }

    /// Counts, with the error of the command: a suite that was killed reports nothing itself.
    fn and_why(&self, command: Option<Failure>) -> String {
        let why = command.map(|failure| format!("; {}", failure.headline()));
        format!("{self}{}", why.unwrap_or_default())
    }
}

impl std::fmt::Display for TestCounts {
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
    fn suites_and_tests_are_counted_from_the_output() {
        let mut counts = TestCounts::default();
        for line in [
            "running 0 tests",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "running 12 tests",
            "test a_test ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "my log: test result: ok. 99 passed",
        ] {
            counts.take(line);
        }
        assert_eq!(
            counts.to_string(),
            "1 suites passed, 1 failed (tests: 15 passed, 2 failed, 1 ignored)"
        );
    }

    #[test]
    fn an_unknown_argument_is_refused() {
        assert!(!requires_all(&[]).unwrap());
        assert!(requires_all(&[REQUIRE_ALL]).unwrap());
        let failure = requires_all(&["--require"]).unwrap_err();
        assert_eq!(failure.headline(), "`--require` is unknown; `test` takes --require-all");
    }
}
