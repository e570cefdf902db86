//! Allocations of this process, where its program counts them.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// How often memory was asked for since the process began, and for how many bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Allocations {
    pub(crate) count: f64,
    pub(crate) bytes: f64,
}

/// What answers both; a program sets it that can.
pub(crate) type Counter = fn() -> (f64, f64);

static COUNTER: OnceLock<Counter> = OnceLock::new();

pub(crate) fn count_with(counter: Counter) {
    // A second one would be the same.
    let _ = COUNTER.set(counter);
}

impl Allocations {
    /// So far; nothing, in a program that does not count.
    pub(crate) fn so_far() -> Self {
        let (count, bytes) = COUNTER.get().map_or((0.0, 0.0), |counter| counter());
        Self { count, bytes }
    }

    /// What has come since.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { count: self.count - earlier.count, bytes: self.bytes - earlier.bytes }
    }
}
