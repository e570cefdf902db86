//! Finish: records the outcomes of attempts in batches.

use std::{sync::Arc, time::Duration};

use super::{Run, Step, log_failed};
use crate::{
    engine::dispatcher::{
        Report,
        batch::{Recorded, record},
    },
    model::{
        endpoint::Endpoint, endpoint_state::EndpointState, health::HealthSignal, id::EndpointId,
    },
    port::store::work::{Finish, Finished, Settle},
};

impl Run<'_> {
    pub(super) fn finish_later(&mut self, finish: Finish, signal: HealthSignal) {
        let id = finish.lease.delivery.endpoint;
        if let (Some(reason), Some(endpoint)) =
            (finish.disable_endpoint, self.endpoints.get_mut(&id))
        {
            // Its receiver wants nothing more, from now on and not only once that is written down.
            let disabled = EndpointState::Disabled(reason);
            *endpoint = Arc::new(Endpoint::clone(endpoint).with_state(disabled));
        }
        let was_full = self.is_full(id);
        self.schedule.finish_later(finish, signal, was_full, self.now());
    }

    /// Whether an endpoint has all the attempts in flight that it may have.
    fn is_full(&self, id: EndpointId) -> bool {
        let held = self.endpoints.get(&id);
        held.is_some_and(|endpoint| self.admission.with_slots(|slots| slots.is_full(endpoint)))
    }

    /// Records a batch of outcomes, if there is one.
    pub(super) fn start_recording(&mut self, now: Duration) {
        if let Some(finishes) = self.schedule.begin_recording(now) {
            self.start(|store| async move { Step::Recorded(record(&*store, finishes).await) });
        }
    }

    /// A batch that the store did not take is written again: the fence makes that safe.
    pub(super) fn take_recorded(&mut self, recorded: Recorded) {
        let now = self.now();
        recorded.answered.iter().for_each(|(finish, answer)| self.report.count(finish, *answer));
        let over = recorded.answered.iter().map(|(finish, _)| finish);
        let over = over.chain(recorded.refused.iter().map(|(finish, _)| finish));
        for finish in over.filter(|finish| finish.disable_endpoint.is_some()) {
            // From now on the store says how it is with the endpoint.
            self.endpoints.remove(&finish.lease.delivery.endpoint);
        }
        self.schedule.recorded(recorded.answered.iter().map(|(finish, _)| finish), now);
        for (finish, error) in recorded.refused {
            let delivery = finish.lease.delivery;
            tracing::error!(%delivery, error = error.cause(), "an attempt cannot be recorded");
            self.schedule.free_slot(finish.lease);
        }
        if let Some(error) = recorded.failure {
            log_failed("finish", &error);
            self.schedule.store_failed(now);
        }
        self.schedule.finish_again(recorded.retry);
    }
}

impl Report {
    fn count(&mut self, finish: &Finish, answer: Finished) {
        let counter = match (answer, finish.settle) {
            (Finished::LeaseLost, _) => &mut self.leases_lost,
            (Finished::Recorded, Settle::Success) => &mut self.delivered,
            (Finished::Recorded, Settle::Retry(_)) => &mut self.retried,
            (Finished::Recorded, Settle::Failed) => &mut self.failed,
        };
        *counter += 1;
        if answer == Finished::LeaseLost {
            tracing::warn!(delivery = %finish.lease.delivery, epoch = %finish.lease.epoch, "lease lost: another worker has taken over");
        }
    }
}
