//! A test program ends when a secret is in its log, and says where.

#![allow(clippy::unwrap_used, reason = "a panic is the failed test")]

use std::{env, process::Command};

use webhook_testkit::{FORBIDDEN_IN_LOG, TestReceiver};

/// What the other process is.
const LOGS: &str = "logs_what_it_should_not";

/// Does what [`LOGS`] says when it is asked for by its name, as only the test below does.
#[tokio::test]
#[ignore = "is run by the test below"]
async fn logs_what_it_should_not() {
    let _receiver = TestReceiver::answering([200]).await;
    tracing::trace!(header = "Bearer c4nary", "sending");
}

/// Whether a program that logs `c4nary` comes to its end, and what it prints.
fn run(forbidden: &str) -> (bool, String) {
    let mut program = Command::new(env::current_exe().unwrap());
    program.args(["--exact", LOGS, "--ignored"]).env(FORBIDDEN_IN_LOG, forbidden);
    let ended = program.output().unwrap();
    (ended.status.success(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn a_program_that_logs_a_secret_ends_and_says_where() {
    let (ends_well, told) = run("other,c4nary");
    assert!(!ends_well, "{told}");
    assert!(told.contains("forbidden in the log (forbidden): c4nary"), "{told}");
    for harmless in ["other", ""] {
        assert!(run(harmless).0, "{harmless}");
    }
}
