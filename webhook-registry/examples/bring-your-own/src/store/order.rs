//! Deliveries that go one after the other: only the first of a queue may be claimed.

use webhook_registry::{
    DeliveryId, EndpointId, Event, Timestamp,
    store_state::{OrderQueue, leaves_queue},
};

use super::state::State;

impl State {
    fn queue_of(&self, id: DeliveryId) -> Option<&OrderQueue> {
        let key = self.deliveries.get(&id)?.event.ordering_key.clone()?;
        self.queues.get(&(id.endpoint, key)).filter(|queue| queue.contains(id))
    }

    pub(super) fn first_in_line(&self, id: DeliveryId) -> Option<DeliveryId> {
        self.queue_of(id)?.first()
    }

    /// Returns true if the delivery has ended and the rest of its queue waits for it.
    pub(super) fn blocks(&self, id: DeliveryId) -> bool {
        let found = self.queue_of(id).zip(self.deliveries.get(&id));
        found.is_some_and(|(queue, row)| queue.is_blocked_by(id, row.state.status))
    }

    /// Appends a pending delivery to its queue, if its endpoint keeps order of its event.
    pub(super) fn append_to_queue(&mut self, id: DeliveryId) {
        let endpoint = self.endpoints.get(&id.endpoint);
        let (Some(row), Some(endpoint)) = (self.deliveries.get_mut(&id), endpoint) else { return };
        let key = row.event.ordering_key.clone().filter(|_| endpoint.keeps_order_of(&row.event));
        let Some(key) = key else { return };
        if self.queues.entry((id.endpoint, key)).or_default().append(id) {
            row.state = row.state.blocked();
        }
    }

    /// Makes the next delivery of the queue due at `at`, if this one leaves it.
    pub(super) fn move_up(&mut self, id: DeliveryId, at: Timestamp) {
        let policy = self.endpoints.get(&id.endpoint).and_then(|endpoint| endpoint.order);
        if self.deliveries.get(&id).is_some_and(|row| leaves_queue(policy, row.state.status)) {
            self.leave_queue(id, at);
        }
    }

    pub(super) fn leave_queue(&mut self, id: DeliveryId, at: Timestamp) {
        let key = self.deliveries.get(&id).and_then(|row| row.event.ordering_key.clone());
        let queue = key.and_then(|key| self.queues.get_mut(&(id.endpoint, key)));
        let first = queue.and_then(|queue| queue.remove(id));
        self.unblock(first, at);
    }

    /// Applies changed settings of an endpoint to its queues.
    pub(super) fn reorder(&mut self, id: EndpointId, now: Timestamp) {
        let policy = self.endpoints.get(&id).and_then(|endpoint| endpoint.order);
        let mut unblocked = Vec::new();
        for (_, queue) in self.queues.iter_mut().filter(|((endpoint, _), _)| *endpoint == id) {
            let first = queue.first().and_then(|first| self.deliveries.get(&first));
            unblocked.extend(first.map(|row| queue.reorder(policy, row.state.status)));
        }
        self.unblock(unblocked.into_iter().flatten(), now);
    }

    fn unblock(&mut self, ids: impl IntoIterator<Item = DeliveryId>, at: Timestamp) {
        for id in ids {
            if let Some(row) = self.deliveries.get_mut(&id) {
                row.state = row.state.unblocked(at);
            }
        }
    }

    /// Returns true if an earlier event of the same ordering key is unrouted.
    pub(super) fn is_behind_unrouted(&self, event: &Event) -> bool {
        let is_same = |other: &Event| {
            other.tenant == event.tenant && other.ordering_key == event.ordering_key
        };
        let mut unrouted = self.unrouted.keys().filter_map(|id| self.events.get(id));
        event.ordering_key.is_some() && unrouted.any(|other| is_same(other))
    }
}
