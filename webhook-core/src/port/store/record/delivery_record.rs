//! Record of a delivery.

use serde::{Deserialize, Serialize};

use crate::{
    model::{
        delivery::DeliveryStatus,
        id::{DeliveryId, LeaseEpoch},
        time::Timestamp,
        trigger::Trigger,
        url::EndpointUrl,
        worker::WorkerName,
    },
    port::store::state::DeliveryState,
};

use super::{
    record_error::RecordError,
    record_fields::{RecordVersion, whole_url},
};

/// Record of a delivery: its id, URL and state. `Debug` does not show the query of the URL.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DeliveryRecord {
    v: RecordVersion,
    id: DeliveryId,
    #[serde(with = "whole_url")]
    url: EndpointUrl,
    status: DeliveryStatus,
    tracked: bool,
    epoch: LeaseEpoch,
    held: bool,
    due_at: Timestamp,
    blocked: bool,
    attempts: u32,
    budget_from: u32,
    forgiven: u32,
    cause: Trigger,
    claimed_at: Option<Timestamp>,
    previous_claim_at: Option<Timestamp>,
    claimed_by: Option<WorkerName>,
    last_error: Option<String>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl DeliveryRecord {
    /// Creates the record of the delivery `id` that goes to `url`.
    pub fn of(id: DeliveryId, url: &EndpointUrl, state: &DeliveryState) -> Self {
        // Each field by name: one that is added later cannot be forgotten here.
        let DeliveryState {
            status,
            tracked,
            epoch,
            held,
            due_at,
            blocked,
            attempts,
            budget_from,
            forgiven,
            cause,
            claimed_at,
            previous_claim_at,
            claimed_by,
            last_error,
            created_at,
            finished_at,
        } = state.clone();
        Self {
            v: RecordVersion,
            id,
            url: url.clone(),
            status,
            tracked,
            epoch,
            held,
            due_at,
            blocked,
            attempts,
            budget_from,
            forgiven,
            cause,
            claimed_at,
            previous_claim_at,
            claimed_by,
            last_error,
            created_at,
            finished_at,
        }
    }

    /// Returns id, URL and state of the delivery.
    ///
    /// # Errors
    ///
    /// [`RecordError::Unreadable`] if the delivery has an end and no final status, or the reverse:
    /// it would be pruned too early, or never.
    pub fn into_parts(self) -> Result<(DeliveryId, EndpointUrl, DeliveryState), RecordError> {
        if self.status.is_final() != self.finished_at.is_some() {
            return Err(RecordError::Unreadable("finished_at"));
        }
        let state = DeliveryState {
            status: self.status,
            tracked: self.tracked,
            epoch: self.epoch,
            held: self.held,
            due_at: self.due_at,
            blocked: self.blocked,
            attempts: self.attempts,
            budget_from: self.budget_from,
            forgiven: self.forgiven,
            cause: self.cause,
            claimed_at: self.claimed_at,
            previous_claim_at: self.previous_claim_at,
            claimed_by: self.claimed_by,
            last_error: self.last_error,
            created_at: self.created_at,
            finished_at: self.finished_at,
        };
        Ok((self.id, self.url, state))
    }
}
