//! Release: claims that are not going to be tried here go back to the store.

use std::time::Duration;

use super::{Run, Step, say_failed};
use crate::{
    model::delivery::Lease,
    port::{StoreError, store::deliveries::Finished},
};

impl Run<'_> {
    /// Gives a batch of claims back.
    pub(super) fn start_releasing(&mut self, now: Duration) {
        if let Some(leases) = self.desk.begin_releasing(now) {
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
        self.desk.released();
        match answer {
            Ok(answers) => {
                let given_back = answers.iter().filter(|answer| **answer == Finished::Recorded);
                self.report.released += given_back.count();
                leases.into_iter().for_each(|lease| self.desk.let_go(lease));
            }
            Err(error) => {
                say_failed("release", &error);
                self.desk.store_failed(now);
                leases.into_iter().for_each(|lease| self.desk.release_later(lease, now));
            }
        }
    }
}
