//! State of a delivery.

use std::{sync::Arc, time::Duration};

use crate::{
    model::{
        attempt::Attempt,
        delivery::{Delivery, DeliveryStatus, Lease, Progress},
        endpoint::Endpoint,
        event::Event,
        id::{DeliveryId, LeaseEpoch},
        time::Timestamp,
        trigger::Trigger,
        url::EndpointUrl,
        worker::WorkerName,
    },
    port::store::{intake::NewDelivery, work::Claim},
};

/// State of a stored delivery. All times are those of the store's clock.
///
/// The fields are public, so that a store can keep each in a column. To read a row, a store sets
/// the fields of [`pending`](Self::pending).
///
/// ```
/// use std::time::Duration;
/// use webhook_core::{DeliveryStatus, Timestamp, store_state::DeliveryState};
///
/// let now = Timestamp::from_unix_secs(0);
/// let claimed = DeliveryState::pending(now).claimed(Duration::from_secs(45), None, now);
/// assert_eq!(claimed.status, DeliveryStatus::InFlight);
/// assert_eq!(claimed.claimable_at(), Some(Timestamp::from_unix_secs(45)));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DeliveryState {
    /// Current status.
    pub status: DeliveryStatus,
    /// True for a delivery that its publisher sends within a call. It is never claimed.
    pub tracked: bool,
    /// Number of claims and redeliveries. A write under an earlier epoch is rejected.
    pub epoch: LeaseEpoch,
    /// True while the claim of this epoch is neither finished nor released.
    pub held: bool,
    /// Due time while pending, end of the lease while in flight.
    pub due_at: Timestamp,
    /// True while an earlier delivery of the same order queue must end first.
    pub blocked: bool,
    /// Number of attempts, including one in flight.
    pub attempts: u32,
    /// Number of attempts before the present budget.
    pub budget_from: u32,
    /// Attempts of the present budget that do not count.
    pub forgiven: u32,
    /// Trigger of the present budget.
    pub cause: Trigger,
    /// Time of the last claim.
    pub claimed_at: Option<Timestamp>,
    /// Time of the claim before the last one. It is restored if the last one leads to no attempt.
    pub previous_claim_at: Option<Timestamp>,
    /// Name of the worker of the last claim.
    pub claimed_by: Option<WorkerName>,
    /// Failure of the last attempt.
    pub last_error: Option<String>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time at which the status became final.
    pub finished_at: Option<Timestamp>,
}

impl DeliveryState {
    /// Creates the state of a delivery that is due at `now`.
    pub const fn pending(now: Timestamp) -> Self {
        Self {
            status: DeliveryStatus::Pending,
            tracked: false,
            epoch: LeaseEpoch::from_u64(0),
            held: false,
            due_at: now,
            blocked: false,
            attempts: 0,
            budget_from: 0,
            forgiven: 0,
            cause: Trigger::First,
            claimed_at: None,
            previous_claim_at: None,
            claimed_by: None,
            last_error: None,
            created_at: now,
            finished_at: None,
        }
    }

    /// Creates the state of a new delivery: pending, leased or missed.
    ///
    /// A pending one may have to wait in an [`OrderQueue`](super::OrderQueue).
    pub fn enqueued(new: &NewDelivery, now: Timestamp) -> Self {
        let mut state = Self::pending(now);
        state.cause = new.cause;
        if new.missed {
            state.status = DeliveryStatus::Missed;
            state.finished_at = Some(now);
        }
        if let Some(lease) = new.lease {
            state = state.claimed(lease, new.claimed_by(), now);
        }
        state
    }

    /// Creates the state of a delivery that its publisher sends within a call.
    pub fn tracked(created_at: Timestamp) -> Self {
        Self { tracked: true, ..Self::pending(created_at) }
    }

    /// Returns true if workers have to send the delivery, now or later.
    pub const fn is_open(&self) -> bool {
        !self.tracked && !self.status.is_final()
    }

    /// Time from which a worker may claim the delivery: its due time, or the end of its lease.
    ///
    /// `None` if no worker may claim it, or if it waits for another one of its order queue.
    pub fn claimable_at(&self) -> Option<Timestamp> {
        (self.is_open() && !self.blocked).then_some(self.due_at)
    }

    /// Returns true if a worker may claim the delivery at `now`.
    pub fn is_claimable(&self, now: Timestamp) -> bool {
        self.claimable_at().is_some_and(|at| at <= now)
    }

    /// Returns true if a worker has a lease that has not ended.
    pub fn is_leased(&self, now: Timestamp) -> bool {
        self.status == DeliveryStatus::InFlight && self.due_at > now
    }

    /// Returns true if the lease has ended without a result.
    ///
    /// The state stays as it is until another worker claims the delivery. Until then the late
    /// worker may still finish it.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.status == DeliveryStatus::InFlight && self.due_at <= now
    }

    /// Returns true if the delivery was created and became final before `cutoff`: it may be pruned,
    /// unless it [blocks](super::OrderQueue::is_blocked_by) its order queue.
    pub fn ended_before(&self, cutoff: Timestamp) -> bool {
        self.created_at < cutoff && self.finished_at.is_some_and(|at| at < cutoff)
    }

    /// Claims the delivery for its next attempt, under the next epoch.
    #[must_use]
    pub fn claimed(&self, lease: Duration, worker: Option<&WorkerName>, now: Timestamp) -> Self {
        Self {
            status: DeliveryStatus::InFlight,
            epoch: self.epoch.next(),
            held: true,
            due_at: now.after(lease),
            attempts: self.attempts.saturating_add(1),
            claimed_at: Some(now),
            previous_claim_at: self.claimed_at,
            claimed_by: worker.cloned(),
            ..self.clone()
        }
    }

    /// Makes the delivery wait for an earlier one of its order queue.
    #[must_use]
    pub fn blocked(&self) -> Self {
        Self { blocked: true, ..self.clone() }
    }

    /// Makes the delivery due at `due_at` if it waited for an earlier one of its order queue.
    #[must_use]
    pub fn unblocked(&self, due_at: Timestamp) -> Self {
        if self.blocked {
            return Self { blocked: false, due_at, ..self.clone() };
        }
        self.clone()
    }

    /// Opens the record of a delivery that its publisher sends within a call, once more.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self { status: DeliveryStatus::Pending, finished_at: None, ..self.clone() }
    }

    /// Records an attempt of a delivery that its publisher sends within a call.
    #[must_use]
    pub fn recorded(&self, attempt: &Attempt, status: DeliveryStatus, now: Timestamp) -> Self {
        Self {
            status,
            attempts: self.attempts.max(attempt.number),
            claimed_at: Some(now),
            last_error: error_of(attempt),
            finished_at: status.is_final().then_some(now),
            ..self.clone()
        }
    }

    /// Returns the record of the delivery of `event` that goes to `url`.
    pub fn to_delivery(&self, id: DeliveryId, event: &Event, url: EndpointUrl) -> Delivery {
        let (tenant, event_type) = (event.tenant.clone(), event.event_type.clone());
        let mut delivery = Delivery::new(id, tenant, event_type, url, self.created_at);
        delivery.status = self.status;
        delivery.attempts = self.attempts;
        let is_pending = self.status == DeliveryStatus::Pending;
        delivery.due_at = self.claimable_at().filter(|_| is_pending);
        delivery.last_attempt_at = self.claimed_at;
        delivery.claimed_by.clone_from(&self.claimed_by);
        delivery.leased_until =
            Some(self.due_at).filter(|_| self.status == DeliveryStatus::InFlight);
        (delivery.budget_from, delivery.forgiven) = (self.budget_from, self.forgiven);
        delivery.last_error.clone_from(&self.last_error);
        delivery
    }

    /// Returns the claim of a delivery that [`claimed`](Self::claimed) has leased.
    ///
    /// `recorded` is the number of its recorded attempts.
    pub fn to_claim(
        &self,
        id: DeliveryId,
        event: Arc<Event>,
        endpoint: &Endpoint,
        recorded: u32,
    ) -> Claim {
        let progress = Progress::of_attempt(self.attempts)
            .with_budget_from(self.budget_from)
            .with_forgiven(self.forgiven);
        Claim::new(Lease { delivery: id, epoch: self.epoch }, event, endpoint.revision)
            .with_progress(progress, recorded)
            .with_cause(self.cause)
            .with_previous_claim_at(self.previous_claim_at)
            .with_unhealthy(!endpoint.health.is_healthy())
    }
}

/// Text of the failure of an attempt.
pub(super) fn error_of(attempt: &Attempt) -> Option<String> {
    attempt.failure.as_ref().map(ToString::to_string)
}

#[cfg(test)]
mod tests;
