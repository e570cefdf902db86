//! Transitions by a call: finish, release, cancel, redeliver.

use std::time::Duration;

use crate::{
    model::{
        delivery::{DeliveryStatus, Lease},
        notice::Notice,
        time::Timestamp,
    },
    port::store::{
        operations::{Cancelled, Redeliver, Redelivered},
        work::{Finish, Finished, Settle},
    },
};

use super::delivery_state::{DeliveryState, error_of};

/// Result of a call for one delivery, and the change that a store makes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub struct Transition<R> {
    /// Result that the store returns.
    pub result: R,
    /// Change to store. `None` if the call changes nothing: then attempts are not stored either,
    /// and the endpoint is not affected.
    pub change: Option<DeliveryChange>,
}

/// New state of a delivery, and its consequences.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DeliveryChange {
    /// State to store.
    pub state: DeliveryState,
    /// Due time of the next delivery of the order queue, if this one
    /// [leaves](super::leaves_queue) the queue.
    pub next_due_at: Timestamp,
    /// Notice to store.
    pub notice: Option<Notice>,
}

impl<R> Transition<R> {
    const fn none(result: R) -> Self {
        Self { result, change: None }
    }

    const fn to(result: R, state: DeliveryState, next_due_at: Timestamp) -> Self {
        Self { result, change: Some(DeliveryChange { state, next_due_at, notice: None }) }
    }
}

impl DeliveryState {
    /// Finishes the claim of a lease.
    ///
    /// A store records [`Finish::attempts`] with the change, and applies
    /// [`endpoint_change`](super::endpoint_change). A lease that has ended still holds until
    /// another worker claims the delivery. Attempts of a cancelled delivery are recorded, and the
    /// delivery stays cancelled.
    pub fn finished(&self, item: &Finish, now: Timestamp) -> Transition<Finished> {
        if self.epoch != item.lease.epoch {
            return Transition::none(Finished::LeaseLost);
        }
        if !self.held {
            // A repeat, because the first result was lost.
            return Transition::none(Finished::Recorded);
        }
        let mut state = self.ended(item.attempts_made);
        state.forgiven = item.forgiven;
        if let Some(attempt) = item.attempts.last() {
            state.last_error = error_of(attempt);
        }
        let settles = self.status == DeliveryStatus::InFlight;
        if settles {
            state = state.settled(item.settle, now);
        }
        let notice = item.notice.clone().filter(|_| settles);
        let notice = notice.map(|(tenant, kind)| Notice::new(item.lease, now, tenant, kind));
        let change = DeliveryChange { state, next_due_at: now, notice };
        Transition { result: Finished::Recorded, change: Some(change) }
    }

    /// Releases a claim that led to no attempt: the delivery is due at `now`.
    ///
    /// A store applies [`endpoint_change`](super::endpoint_change) of [`Finish::void`].
    pub fn released(&self, lease: Lease, now: Timestamp) -> Transition<Finished> {
        if self.epoch != lease.epoch || !self.held {
            return Transition::none(Finished::LeaseLost);
        }
        let mut state = self.ended(self.attempts.saturating_sub(1));
        if self.status == DeliveryStatus::InFlight {
            state = state.settled(Settle::Retry(Duration::ZERO), now);
        }
        Transition::to(Finished::Recorded, state, now)
    }

    /// Cancels the delivery.
    ///
    /// The claim of an attempt in flight stays open, so that the attempt is recorded. Nothing
    /// reports its end, so the next delivery of the order queue waits for the end of the lease.
    pub fn cancelled(&self, now: Timestamp) -> Transition<Cancelled> {
        if self.tracked {
            return Transition::none(Cancelled::Tracked);
        }
        if self.status.is_final() {
            return Transition::none(Cancelled::Unchanged(self.status));
        }
        let state =
            Self { status: DeliveryStatus::Cancelled, finished_at: Some(now), ..self.clone() };
        if self.status == DeliveryStatus::InFlight {
            return Transition::to(Cancelled::InFlight, state, self.due_at.max(now));
        }
        Transition::to(Cancelled::Done, state, now)
    }

    /// Makes a final delivery due at `now`, with a new budget of attempts.
    ///
    /// The epoch is raised, so a worker with an attempt in flight loses its lease. A store then
    /// appends the delivery to its [`OrderQueue`](super::OrderQueue), if its endpoint asks for
    /// order.
    pub fn redelivered(
        &self,
        item: Redeliver,
        has_endpoint: bool,
        now: Timestamp,
    ) -> Transition<Redelivered> {
        if self.tracked {
            return Transition::none(Redelivered::Tracked);
        }
        if !self.status.is_final() || item.only.is_some_and(|only| only != self.status) {
            return Transition::none(Redelivered::Unchanged(self.status));
        }
        if !has_endpoint {
            return Transition::none(Redelivered::EndpointGone);
        }
        let state = Self {
            status: DeliveryStatus::Pending,
            epoch: self.epoch.next(),
            held: false,
            due_at: now,
            blocked: false,
            budget_from: self.attempts,
            forgiven: 0,
            cause: item.cause,
            finished_at: None,
            ..self.clone()
        };
        Transition::to(Redelivered::Done, state, now)
    }

    /// Ends the claim and corrects the number of attempts. Time and worker of a claim without an
    /// attempt are dropped.
    fn ended(&self, made: u32) -> Self {
        let mut state = Self { held: false, ..self.clone() };
        if made < state.attempts {
            state.claimed_at = state.previous_claim_at;
            state.claimed_by = None;
        }
        state.attempts = made;
        state
    }

    fn settled(mut self, settle: Settle, now: Timestamp) -> Self {
        self.status = match settle {
            Settle::Success => DeliveryStatus::Success,
            Settle::Failed => DeliveryStatus::Failed,
            Settle::Retry(wait) => {
                self.due_at = now.after(wait);
                DeliveryStatus::Pending
            }
        };
        self.finished_at = self.status.is_final().then_some(now);
        self
    }
}

#[cfg(test)]
mod tests;
