//! Remembers the attempts that were written down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use webhook_core::{Clock, Delivery, Finish, Finished, Timestamp};

use crate::{
    ManualClock,
    observed::{Effect, Observer},
};

/// Sees what is finished in a store.
#[derive(Debug)]
pub(super) struct Witness {
    clock: ManualClock,
    finished: Mutex<Vec<Seen>>,
}

/// A finish, and what the store knew then.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) at: Timestamp,
    pub(super) finish: Finish,
    pub(super) delivery: Delivery,
}

impl Witness {
    pub(super) fn new(clock: ManualClock) -> Arc<Self> {
        Arc::new(Self { clock, finished: Mutex::default() })
    }

    pub(super) fn finished(&self) -> Vec<Seen> {
        self.seen().clone()
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Witness {
    fn see(&self, effect: Effect) {
        let Effect::Finished { finish, answer: Finished::Recorded, change } = effect else {
            return;
        };
        if let Some(delivery) = change.after {
            self.seen().push(Seen { at: self.clock.now(), finish, delivery });
        }
    }
}
