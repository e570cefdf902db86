//! Send: makes the attempts of claims concurrently. [`make_attempt`] signs, sends and decides.

use std::time::Duration;

use futures_util::FutureExt;

use super::{Run, Step};
use crate::{
    engine::dispatcher::make_attempt::{Worked, make_attempt},
    model::endpoint::Timeout,
    port::store::work::Claim,
};

impl Run<'_> {
    pub(super) fn start_attempt(&self, claim: Claim, requested_at: Duration) {
        let endpoint = self.endpoints.get(&claim.lease.delivery.endpoint).cloned();
        let timeout = endpoint.as_ref().map_or(Timeout::MAX, |endpoint| endpoint.timeout);
        let start_by = self.schedule.start_by(requested_at, timeout.as_duration());
        let exchanger = &self.dispatcher.exchanger;
        let attempt = make_attempt(exchanger.clone(), claim, endpoint, start_by);
        self.steps.push(attempt.map(Step::Worked).boxed());
    }

    /// Takes the result of working on a claim.
    pub(super) fn take_worked(&mut self, worked: Worked) {
        match worked {
            Worked::Finished(finish, signal) => self.finish_later(*finish, signal),
            Worked::NotStarted(lease) => self.schedule.release_later(lease, self.now()),
        }
    }
}
