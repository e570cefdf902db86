//! Order queues of deliveries, which are sent one after the other.

use webhook_core::store_state::{OrderQueue, leaves_queue};
use webhook_core::{DeliveryId, EndpointId, Event, OrderingKey, Timestamp};

use super::State;

impl State {
    /// Appends a pending delivery to its queue, if it is ordered.
    pub(super) fn append_to_line(&mut self, id: DeliveryId) {
        let Some(endpoint) = self.endpoint(id.endpoint).cloned() else { return };
        let Some(row) = self.deliveries.get_mut(&id) else { return };
        let key = row.event.ordering_key.clone().filter(|_| endpoint.keeps_order_of(&row.event));
        let Some(key) = key else { return };
        let queue = self.lines.entry((id.endpoint, key)).or_default();
        if queue.append(id) {
            row.state = row.state.blocked();
        }
    }

    /// Makes the next delivery due at `due_at`, if this one no longer blocks its queue.
    pub(super) fn unblock_line(&mut self, id: DeliveryId, due_at: Timestamp) {
        let policy = self.endpoint(id.endpoint).and_then(|endpoint| endpoint.order);
        let Some(row) = self.deliveries.get(&id) else { return };
        if leaves_queue(policy, row.state.status) {
            self.leave_line(id, due_at);
        }
    }

    /// Removes a delivery from its queue, and makes the first one left due at `due_at`.
    pub(super) fn leave_line(&mut self, id: DeliveryId, due_at: Timestamp) {
        let Some(name) = self.line_of(id) else { return };
        let Some(queue) = self.lines.get_mut(&name) else { return };
        match queue.remove(id) {
            Some(first) => self.unblock(first, due_at),
            None => drop(self.lines.remove(&name)),
        }
    }

    /// Applies changed settings of an endpoint to its queues.
    pub(super) fn reorder(&mut self, endpoint: EndpointId, now: Timestamp) {
        let policy = self.endpoint(endpoint).and_then(|endpoint| endpoint.order);
        let mut unblocked = Vec::new();
        for (_, queue) in self.lines.iter_mut().filter(|((of, _), _)| *of == endpoint) {
            let first = queue.first().and_then(|id| self.deliveries.get(&id));
            let Some(first) = first else { continue };
            unblocked.extend(queue.reorder(policy, first.state.status));
        }
        self.lines.retain(|_, queue| !queue.is_empty());
        unblocked.into_iter().for_each(|id| self.unblock(id, now));
    }

    /// First delivery of the queue that holds this one.
    pub(super) fn first_in_line(&self, id: DeliveryId) -> Option<DeliveryId> {
        self.queue_of(id).filter(|queue| queue.contains(id))?.first()
    }

    /// Returns true if the delivery has ended and still blocks its queue.
    pub(super) fn blocks(&self, id: DeliveryId) -> bool {
        let queue_and_row = self.queue_of(id).zip(self.deliveries.get(&id));
        queue_and_row.is_some_and(|(queue, row)| queue.is_blocked_by(id, row.state.status))
    }

    /// Whether an earlier event of its ordering key is not routed yet.
    pub(super) fn is_behind_unrouted(&self, event: &Event) -> bool {
        let same = |other: &Event| {
            event.tenant == other.tenant && event.ordering_key == other.ordering_key
        };
        let mut unrouted = self.events.values().filter(|row| row.unrouted_from.is_some());
        event.ordering_key.is_some() && unrouted.any(|row| same(&row.event))
    }

    fn line_of(&self, id: DeliveryId) -> Option<(EndpointId, OrderingKey)> {
        let key = self.deliveries.get(&id)?.event.ordering_key.clone()?;
        Some((id.endpoint, key))
    }

    fn queue_of(&self, id: DeliveryId) -> Option<&OrderQueue> {
        self.lines.get(&self.line_of(id)?)
    }

    fn unblock(&mut self, id: DeliveryId, due_at: Timestamp) {
        if let Some(row) = self.deliveries.get_mut(&id) {
            row.state = row.state.unblocked(due_at);
        }
    }
}
