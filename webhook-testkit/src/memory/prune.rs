//! Removing what is over and old.

use webhook_core::{
    DeliveryId, EndpointId, EventId, NoticeId, Timestamp,
    store::{Prune, PruneCursor, Pruned},
};

use super::State;

impl State {
    /// A dry run looks at everything at once. Otherwise one kind is removed at a time, and what is
    /// removed is not found again: no place has to be remembered.
    pub(super) fn prune(&mut self, prune: &Prune, cut: Timestamp) -> Pruned {
        let most = if prune.dry_run { usize::MAX } else { prune.limit };
        let deliveries = self.old_deliveries(cut, most);
        let attempts = deliveries.iter().filter_map(|id| self.deliveries.get(id));
        let attempts = attempts.map(|row| row.records.len()).sum();
        let pruned = Pruned::default().with_deliveries(count(deliveries.len()), count(attempts));
        if prune.dry_run {
            return pruned
                .with_events(count(self.unused_events(cut, most, &deliveries).len()))
                .with_endpoints(count(self.unused_endpoints(cut, most, &deliveries).len()))
                .with_notices(count(self.old_notices(cut, most).len()));
        }
        if !deliveries.is_empty() {
            deliveries.iter().for_each(|id| drop(self.deliveries.remove(id)));
            return pruned.with_next(Some(PruneCursor::default()));
        }
        let events = self.unused_events(cut, most, &[]);
        if !events.is_empty() {
            self.remove_events(&events);
            return pruned
                .with_events(count(events.len()))
                .with_next(Some(PruneCursor::Events(None)));
        }
        let endpoints = self.unused_endpoints(cut, most, &[]);
        endpoints.iter().for_each(|id| drop(self.endpoints.remove(id)));
        if !endpoints.is_empty() {
            let endpoints = count(endpoints.len());
            return pruned.with_endpoints(endpoints).with_next(Some(PruneCursor::Endpoints(None)));
        }
        let notices = self.old_notices(cut, most);
        notices.iter().for_each(|key| drop(self.notices.remove(key)));
        let more = Some(PruneCursor::Notices).filter(|_| notices.len() == most);
        pruned.with_notices(count(notices.len())).with_next(more)
    }

    fn old_deliveries(&self, cut: Timestamp, most: usize) -> Vec<DeliveryId> {
        let old = self.deliveries.iter().filter(|(_, row)| row.state.ended_before(cut));
        let old = old.filter(|(id, _)| !self.blocks(**id));
        old.map(|(id, _)| *id).take(most).collect()
    }

    /// Events that have no other deliveries than these.
    fn unused_events(&self, cut: Timestamp, most: usize, except: &[DeliveryId]) -> Vec<EventId> {
        let is_used =
            |event| self.deliveries.keys().any(|id| id.event == event && !except.contains(id));
        let routed = self.events.values().filter(|row| row.unrouted_from.is_none());
        let old = routed.map(|row| row.event.id).filter(|id| self.stored_at.get(id) < Some(&cut));
        old.filter(|id| !is_used(*id)).take(most).collect()
    }

    /// Removed endpoints that have no other deliveries than these.
    fn unused_endpoints(
        &self,
        cut: Timestamp,
        most: usize,
        except: &[DeliveryId],
    ) -> Vec<EndpointId> {
        let is_used = |id: EndpointId| {
            self.deliveries.keys().any(|it| it.endpoint == id && !except.contains(it))
        };
        let removed =
            self.endpoints.iter().filter(|(_, row)| row.removed_at.is_some_and(|at| at < cut));
        removed.map(|(id, _)| *id).filter(|id| !is_used(*id)).take(most).collect()
    }

    /// Notices that nobody has acknowledged.
    fn old_notices(&self, cut: Timestamp, most: usize) -> Vec<(Timestamp, NoticeId)> {
        self.notices.keys().take_while(|(at, _)| *at < cut).take(most).cloned().collect()
    }

    fn remove_events(&mut self, ids: &[EventId]) {
        self.events.retain(|id, _| !ids.contains(id));
        self.stored_at.retain(|id, _| !ids.contains(id));
        self.keys.retain(|_, id| !ids.contains(id));
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
