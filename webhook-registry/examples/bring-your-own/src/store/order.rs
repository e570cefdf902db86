//! Deliveries that go one after the other: only the first of a line may be claimed.

use webhook_registry::{DeliveryId, EndpointId, Event, OrderingKey, Timestamp};

use super::state::State;

impl State {
    fn line_of(&self, id: DeliveryId) -> Option<(EndpointId, OrderingKey)> {
        Some((id.endpoint, self.events.get(&id.event)?.ordering_key.clone()?))
    }

    /// Puts a pending delivery at the end of its line, if its endpoint keeps order of its event.
    pub(super) fn line_up(&mut self, id: DeliveryId) {
        let (Some(event), Some(endpoint)) =
            (self.events.get(&id.event), self.endpoints.get(&id.endpoint))
        else {
            return;
        };
        let Some(name) = self.line_of(id).filter(|_| endpoint.keeps_order_of(event)) else {
            return;
        };
        let line = self.lines.entry(name).or_default();
        if !line.contains(&id) {
            line.push(id);
        }
        let is_first = line.first() == Some(&id);
        if let Some(row) = self.deliveries.get_mut(&id).filter(|_| !is_first) {
            row.park();
        }
    }

    /// The delivery has ended. If it leaves its line, the next one may go from `at` on.
    pub(super) fn move_up(&mut self, id: DeliveryId, at: Timestamp) {
        let policy = self.endpoints.get(&id.endpoint).and_then(|endpoint| endpoint.order);
        let status = self.deliveries.get(&id).map(|row| row.delivery.status);
        if policy.zip(status).is_some_and(|(policy, status)| policy.leaves_line(status)) {
            self.leave_line(id, at);
        }
    }

    pub(super) fn leave_line(&mut self, id: DeliveryId, at: Timestamp) {
        let Some(name) = self.line_of(id) else { return };
        let Some(line) = self.lines.get_mut(&name) else { return };
        line.retain(|it| *it != id);
        let first = line.first().copied();
        if let Some(row) = first.and_then(|first| self.deliveries.get_mut(&first)) {
            row.let_go(at);
        }
    }

    pub(super) fn first_in_line(&self, id: DeliveryId) -> Option<DeliveryId> {
        let line = self.lines.get(&self.line_of(id)?).filter(|line| line.contains(&id))?;
        line.first().copied()
    }

    /// Whether it is over and stands in its line all the same.
    pub(super) fn blocks(&self, id: DeliveryId) -> bool {
        let row = self.deliveries.get(&id);
        let is_over = row.is_some_and(|row| row.delivery.status.is_final());
        is_over && self.first_in_line(id) == Some(id)
    }

    /// What the endpoint asks for has changed.
    pub(super) fn reorder(&mut self, id: EndpointId, now: Timestamp) {
        let keeps_order = self.endpoints.get(&id).is_some_and(|endpoint| endpoint.order.is_some());
        let lines = self.lines.iter().filter(|((endpoint, _), _)| *endpoint == id);
        let all: Vec<_> = lines.flat_map(|(_, line)| line.clone()).collect();
        for id in all {
            if keeps_order {
                self.move_up(id, now);
            } else if let Some(row) = self.deliveries.get_mut(&id) {
                row.let_go(now);
            }
        }
        if !keeps_order {
            self.lines.retain(|(endpoint, _), _| *endpoint != id);
        }
    }

    /// Whether an earlier event of its ordering key is not routed yet.
    pub(super) fn is_behind_unrouted(&self, event: &Event) -> bool {
        let same = |it: &Event| it.tenant == event.tenant && it.ordering_key == event.ordering_key;
        let mut unrouted = self.unrouted.keys().filter_map(|id| self.events.get(id));
        event.ordering_key.is_some() && unrouted.any(|it| same(it))
    }
}
