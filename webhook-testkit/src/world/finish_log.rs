//! A log of the recorded outcomes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use webhook_core::{
    Clock, Delivery, Timestamp,
    store::{Finish, Finished},
};

use crate::{
    ManualClock,
    observed::{Effect, Observer},
};

/// Log of the outcomes recorded in a store.
#[derive(Debug)]
pub(super) struct FinishLog {
    clock: ManualClock,
    finished: Mutex<Vec<LoggedFinish>>,
}

/// A recorded outcome, with the delivery after it.
#[derive(Clone, Debug)]
pub(super) struct LoggedFinish {
    pub(super) at: Timestamp,
    pub(super) finish: Finish,
    pub(super) delivery: Delivery,
}

impl FinishLog {
    pub(super) fn new(clock: ManualClock) -> Arc<Self> {
        Arc::new(Self { clock, finished: Mutex::default() })
    }

    pub(super) fn finished(&self) -> Vec<LoggedFinish> {
        self.entries().clone()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<LoggedFinish>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for FinishLog {
    fn observe(&self, effect: Effect) {
        let Effect::Finished { finish, answer: Finished::Recorded, change } = effect else {
            return;
        };
        if let Some(delivery) = change.after {
            self.entries().push(LoggedFinish { at: self.clock.now(), finish, delivery });
        }
    }
}
