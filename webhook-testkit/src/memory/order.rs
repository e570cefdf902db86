//! Lines of ordered deliveries, which are sent one after the other.

use webhook_core::{DeliveryId, EndpointId, Event, OrderingKey, Timestamp};

use super::State;

impl State {
    /// Appends a pending delivery to its line, if it is ordered.
    pub(super) fn append_to_line(&mut self, id: DeliveryId) {
        let Some(endpoint) = self.endpoint(id.endpoint).cloned() else { return };
        let Some(row) = self.deliveries.get_mut(&id) else { return };
        let key = row.event.ordering_key.clone().filter(|_| endpoint.keeps_order_of(&row.event));
        let Some(key) = key else { return };
        let line = self.lines.entry((id.endpoint, key)).or_default();
        if !line.contains(&id) {
            line.push_back(id);
        }
        row.parked = line.front() != Some(&id);
    }

    /// Makes the next delivery due at `due_at`, if this one no longer blocks its line.
    pub(super) fn unblock_line(&mut self, id: DeliveryId, due_at: Timestamp) {
        let policy = self.endpoint(id.endpoint).and_then(|endpoint| endpoint.order);
        let status = self.deliveries.get(&id).map(|row| row.status);
        let (Some(policy), Some(status)) = (policy, status) else { return };
        if policy.leaves_line(status) {
            self.leave_line(id, due_at);
        }
    }

    /// Takes a delivery out of its line, if it stands in one, and lets the first one go.
    pub(super) fn leave_line(&mut self, id: DeliveryId, due_at: Timestamp) {
        let Some(name) = self.line_of(id) else { return };
        let Some(line) = self.lines.get_mut(&name) else { return };
        line.retain(|it| *it != id);
        match line.front().copied() {
            Some(first) => self.unpark(first, due_at),
            None => drop(self.lines.remove(&name)),
        }
    }

    /// The endpoint's settings have changed: lines that it does not want any more are dissolved, and
    /// those go on that nothing blocks any more.
    pub(super) fn reorder(&mut self, endpoint: EndpointId, now: Timestamp) {
        let wants = self.endpoint(endpoint).and_then(|endpoint| endpoint.order).is_some();
        let lines = self.lines.iter().filter(|((of, _), _)| *of == endpoint);
        let lines: Vec<_> = lines.map(|(name, ids)| (name.clone(), ids.clone())).collect();
        for (name, ids) in lines {
            if wants {
                ids.into_iter().take(1).for_each(|id| self.unblock_line(id, now));
            } else {
                self.lines.remove(&name);
                ids.into_iter().for_each(|id| self.unpark(id, now));
            }
        }
    }

    /// The first one of the line in which this one stands.
    pub(super) fn first_in_line(&self, id: DeliveryId) -> Option<DeliveryId> {
        let line = self.lines.get(&self.line_of(id)?)?;
        line.front().copied().filter(|_| line.contains(&id))
    }

    /// Whether it is over and stands in a line all the same.
    pub(super) fn blocks(&self, id: DeliveryId) -> bool {
        let is_over = self.deliveries.get(&id).is_some_and(|row| row.status.is_final());
        is_over && self.first_in_line(id) == Some(id)
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

    fn unpark(&mut self, id: DeliveryId, due_at: Timestamp) {
        if let Some(row) = self.deliveries.get_mut(&id).filter(|row| row.parked) {
            (row.parked, row.due_at) = (false, due_at);
        }
    }
}
