//! The whole test suite, and a plain word on what came of it.

use std::env;

use crate::{
    run::{Failure, cargo, watch},
    step::Done,
};

/// A suite that needs a server, and the variable that says where it is.
struct NeedsServer {
    suite: &'static str,
    variable: &'static str,
    how: &'static str,
}

/// Suites that pass over their cases when their server is not there.
const NEED_SERVER: &[NeedsServer] = &[];

pub(crate) fn check() -> Result<Done, Failure> {
    let mut seen = Seen::default();
    // `--all-targets` leaves documentation out. Both calls go on after a suite has failed.
    let all = ["test", "--workspace", "--all-features", "--no-fail-fast", "--all-targets"];
    let docs = ["test", "--workspace", "--all-features", "--no-fail-fast", "--doc"];
    let all = watch(&mut cargo(all), |line| seen.take(line));
    let docs = watch(&mut cargo(docs), |line| seen.take(line));
    match (all, docs) {
        (Ok(()), Ok(())) if seen.suites_failed == 0 && seen.suites_passed > 0 => {
            Ok(Done { summary: seen.to_string(), left_out: left_out(NEED_SERVER, is_set) })
        }
        (all, docs) => Err(Failure::Found(seen.and_why(all.err().or(docs.err())))),
    }
}

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Which suites did not run, and how to run them.
fn left_out(suites: &[NeedsServer], is_set: impl Fn(&str) -> bool) -> Vec<String> {
    suites
        .iter()
        .filter(|needs| !is_set(needs.variable))
        .map(|needs| format!("{} ({} is not set): {}", needs.suite, needs.variable, needs.how))
        .collect()
}

/// What the test harness has reported so far.
#[derive(Debug, Default, Eq, PartialEq)]
struct Seen {
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

    /// A suite that does not compile, or is killed, reports nothing: then the command tells.
    fn and_why(&self, command: Option<Failure>) -> String {
        let why = command.map(|failure| format!("; {}", failure.headline()));
        format!("{self}{}", why.unwrap_or_default())
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { suites_passed, suites_failed, passed, failed, ignored } = self;
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
    fn a_suite_without_its_server_is_named_with_the_way_to_run_it() {
        let suites = [
            NeedsServer { suite: "PostgreSQL", variable: "PG", how: "start one and set PG" },
            NeedsServer { suite: "MariaDB", variable: "MARIA", how: "start one and set MARIA" },
        ];
        assert_eq!(
            left_out(&suites, |variable| variable == "MARIA"),
            ["PostgreSQL (PG is not set): start one and set PG"]
        );
    }
}
