//! Health of endpoints, derived from their attempts, and the notices about it.

use webhook_core::{
    DisabledReason, Endpoint, EndpointState, Finish, Health, Notice, NoticeKind, Timestamp,
};

use super::State;

impl State {
    /// Applies the outcome of an attempt to the health of its endpoint. Disabled endpoints are
    /// skipped.
    pub(super) fn apply_health(&mut self, item: &Finish, now: Timestamp) {
        let id = item.lease.delivery.endpoint;
        let Some(endpoint) = self.endpoint(id).filter(|it| it.state.is_routed()).cloned() else {
            return;
        };
        let error = item.last_error();
        if let Some(reason) = item.disable_endpoint {
            let state = EndpointState::Disabled(reason);
            self.disable(&endpoint, state);
            let kind = NoticeKind::disabled(state, error);
            return self.add_notice(Notice::new(item.lease, now, endpoint.tenant.clone(), kind));
        }
        let (signal, policy) = &item.health_signal;
        let change = endpoint.health.after(*signal, error, now, policy, endpoint.max_in_flight);
        if let Some(row) = self.endpoints.get_mut(&id) {
            let allowance = row.allowance().with_health(change.health);
            row.set_allowance(allowance);
        }
        if change.disables {
            self.disable(&endpoint, EndpointState::Disabled(DisabledReason::Failing));
        }
        if let Some(kind) = change.notice {
            self.add_notice(Notice::new(item.lease, now, endpoint.tenant.clone(), kind));
        }
    }

    fn disable(&mut self, endpoint: &Endpoint, state: EndpointState) {
        self.edit(endpoint.clone().with_state(state).with_health(Health::HEALTHY));
    }

    /// Stores a notice once.
    pub(super) fn add_notice(&mut self, notice: Notice) {
        self.notices.insert((notice.at, notice.id.clone()), notice);
    }
}
