//! Writing down what followed from an attempt, fenced by the lease epoch.

use webhook_core::{
    DeliveryStatus, DisabledReason, EndpointId, EndpointState, Finish, Finished, Lease, Settle,
    Timestamp,
};

use super::{State, row::DeliveryRow};

impl State {
    pub(super) fn finish(&mut self, item: Finish, now: Timestamp) -> Finished {
        let Some(row) = self.held(item.lease) else { return Finished::LeaseLost };
        row.attempts = item.attempts_made;
        row.forgiven = item.forgiven;
        item.attempts.into_iter().for_each(|attempt| row.record(attempt));
        if row.status == DeliveryStatus::InFlight {
            settle(row, item.settle, now);
        }
        if let Some(reason) = item.disable_endpoint {
            self.disable(item.lease.delivery.endpoint, reason);
        }
        Finished::Recorded
    }

    pub(super) fn release(&mut self, lease: Lease, now: Timestamp) -> Finished {
        let Some(row) = self.held(lease) else { return Finished::LeaseLost };
        row.attempts = row.attempts.saturating_sub(1);
        if row.status == DeliveryStatus::InFlight {
            settle(row, Settle::Retry(std::time::Duration::ZERO), now);
        }
        Finished::Recorded
    }

    /// The delivery that this lease holds. A cancelled one is held by the last lease given out for
    /// it, so that its attempt in flight gets recorded.
    fn held(&mut self, lease: Lease) -> Option<&mut DeliveryRow> {
        let row = self.deliveries.get_mut(&lease.delivery)?;
        let open = matches!(row.status, DeliveryStatus::InFlight | DeliveryStatus::Cancelled);
        (open && row.epoch == lease.epoch).then_some(row)
    }

    fn disable(&mut self, endpoint: EndpointId, reason: DisabledReason) {
        let Some(endpoint) = self.endpoint(endpoint) else { return };
        if endpoint.state.is_routed() {
            let disabled = EndpointState::Disabled(reason);
            self.edit((**endpoint).clone().with_state(disabled));
        }
    }
}

fn settle(row: &mut DeliveryRow, settle: Settle, now: Timestamp) {
    row.status = match settle {
        Settle::Success => DeliveryStatus::Success,
        Settle::Failed => DeliveryStatus::Failed,
        Settle::Retry(wait) => {
            row.due_at = now.after(wait);
            DeliveryStatus::Pending
        }
    };
}
