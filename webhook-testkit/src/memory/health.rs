//! Health of endpoints, derived from their attempts, and the notices about it.

use std::sync::Arc;

use webhook_core::store_state::endpoint_change;
use webhook_core::{Notice, Timestamp, store::Finish};

use super::State;

impl State {
    /// Applies the outcome of an attempt to the health of its endpoint. Disabled endpoints are
    /// skipped.
    pub(super) fn apply_health(&mut self, item: &Finish, now: Timestamp) {
        let id = item.lease.delivery.endpoint;
        let Some(endpoint) = self.endpoint(id).cloned() else { return };
        let Some(change) = endpoint_change(&endpoint, item, now) else { return };
        if let Some(row) = self.endpoints.get_mut(&id) {
            row.endpoint = Arc::new(change.apply_to((*endpoint).clone()));
        }
        if change.disabled.is_some() {
            self.raise_version(&endpoint.tenant);
        }
        if let Some(notice) = change.notice {
            self.add_notice(notice);
        }
    }

    /// Stores a notice once.
    pub(super) fn add_notice(&mut self, notice: Notice) {
        self.notices.insert((notice.at, notice.id.clone()), notice);
    }
}
