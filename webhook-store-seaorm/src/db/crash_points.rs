//! Where tests of crashes look in: right before and right after a commit. Never on in production.

use std::{any::Any, sync::OnceLock};

/// On which side of the commit a unit of work is.
///
/// Closed: a commit has two sides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// Everything is said, nothing is committed.
    BeforeCommit,
    /// Committed, and nobody has heard of it yet.
    AfterCommit,
}

/// Gets the moment and what the unit is about to answer, which tells what kind of unit it is.
pub type Hook = fn(Moment, &dyn Any);

static HOOK: OnceLock<Hook> = OnceLock::new();

/// Has `hook` called at each commit of this process, from now on. The first one set stays.
pub fn on_commit(hook: Hook) {
    let _ = HOOK.set(hook);
}

pub(crate) fn reach(moment: Moment, answers: &[&dyn Any]) {
    if let Some(hook) = HOOK.get() {
        answers.iter().for_each(|answer| hook(moment, *answer));
    }
}
