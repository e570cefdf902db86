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
        let (sign, policy) = &item.sign;
        let turn = endpoint.health.after(*sign, error, now, policy, endpoint.max_in_flight);
        if let Some(row) = self.endpoints.get_mut(&id) {
            let pace = row.pace().with_health(turn.health);
            row.set_pace(pace);
        }
        if turn.gives_up {
            self.disable(&endpoint, EndpointState::Disabled(DisabledReason::Failing));
        }
        if let Some(kind) = turn.notice {
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
