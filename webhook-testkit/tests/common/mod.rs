//! Cases that have to fail.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic here is the failed assertion")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use webhook_testkit::conformance;

/// Message of a case that fails; None if it passes.
pub(crate) fn failure_message(port: &str, case: &str, run: impl FnOnce()) -> Option<String> {
    let ended = catch_unwind(AssertUnwindSafe(|| conformance::prove(port, case, run)));
    let panic = ended.err()?;
    Some(*panic.downcast::<String>().expect("a failed case has a message"))
}

/// Asserts that the case failed with this sentence and a message that contains `because`.
pub(crate) fn assert_caught(message: Option<String>, sentence: &str, because: &str) {
    let message = message.unwrap_or_else(|| panic!("not caught: {sentence}"));
    assert_eq!(message.lines().next(), Some(sentence), "{message}");
    assert!(message.contains(because), "{because:?} is missing:\n{message}");
}
