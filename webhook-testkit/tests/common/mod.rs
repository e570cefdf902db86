//! Cases that have to fail.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic here is the failed assertion")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use webhook_testkit::conformance;

/// What is said of the case that fails; nothing, when it passes.
pub(crate) fn said(port: &str, case: &str, run: impl FnOnce()) -> Option<String> {
    let ended = catch_unwind(AssertUnwindSafe(|| conformance::prove(port, case, run)));
    let panic = ended.err()?;
    Some(*panic.downcast::<String>().expect("a failed case says why"))
}

/// Fails unless the case does, and says so by its sentence and by `because`.
pub(crate) fn assert_said(said: Option<String>, sentence: &str, because: &str) {
    let said = said.unwrap_or_else(|| panic!("nobody has noticed: {sentence}"));
    assert_eq!(said.lines().next(), Some(sentence), "{said}");
    assert!(said.contains(because), "{because:?} is not said:\n{said}");
}
