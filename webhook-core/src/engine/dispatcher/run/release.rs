//! Release: returns claims without an attempt to the store.

use std::time::Duration;

use super::{Run, Step, log_failed};
use crate::{
    model::delivery::Lease,
    port::{StoreError, store::work::Finished},
};

impl Run<'_> {
    /// Releases a batch of claims, if there is one.
    pub(super) fn start_releasing(&mut self, now: Duration) {
        if let Some(leases) = self.schedule.begin_releasing(now) {
            self.start(|store| async move {
                let answer = store.release(leases.clone()).await;
                Step::Released { leases, answer }
            });
        }
    }

    pub(super) fn take_released(
        &mut self,
        leases: Vec<Lease>,
        answer: Result<Vec<Finished>, StoreError>,
    ) {
        let now = self.now();
        self.schedule.released();
        match answer {
            Ok(answers) => {
                let released = answers.iter().filter(|answer| **answer == Finished::Recorded);
                self.report.released += released.count();
                leases.into_iter().for_each(|lease| self.schedule.free_slot(lease));
            }
            Err(error) => {
                log_failed("release", &error);
                self.schedule.store_failed(now);
                leases.into_iter().for_each(|lease| self.schedule.release_later(lease, now));
            }
        }
    }
}
