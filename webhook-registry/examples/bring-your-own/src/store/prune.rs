use webhook_registry::{DeliveryId, EndpointId, EventId, Prune, PruneCursor, Pruned, Timestamp};

use super::state::{State, as_u64};

impl State {
    pub(super) fn prune(&mut self, prune: &Prune, cut: Timestamp) -> Pruned {
        let most = if prune.dry_run { usize::MAX } else { prune.limit };
        let old = self.deliveries.iter().filter(|(_, row)| row.state.ended_before(cut));
        let old = old.filter(|(id, _)| !self.blocks(**id)).take(most);
        let (ids, attempts): (Vec<_>, Vec<_>) =
            old.map(|(id, row)| (*id, row.attempts.len())).unzip();
        let pruned =
            Pruned::default().with_deliveries(as_u64(ids.len()), as_u64(attempts.iter().sum()));
        if !prune.dry_run {
            self.deliveries.retain(|id, _| !ids.contains(id));
        }
        if !prune.dry_run && !ids.is_empty() {
            return pruned.with_next(Some(PruneCursor::default()));
        }
        let events = self.unused_events(cut, most, &ids);
        let endpoints = self.unused_endpoints(cut, most, &ids);
        if !prune.dry_run {
            self.events.retain(|id, _| !events.contains(id));
            self.removed.retain(|id, _| !endpoints.contains(id));
        }
        let old = self.notices.keys().take_while(|(at, _)| *at < cut).take(most);
        let notices: Vec<_> = old.cloned().collect();
        if !prune.dry_run {
            self.notices.retain(|key, _| !notices.contains(key));
        }
        let full = [events.len(), endpoints.len(), notices.len()].contains(&most);
        let next = (full && !prune.dry_run).then_some(PruneCursor::Events(None));
        pruned
            .with_events(as_u64(events.len()))
            .with_endpoints(as_u64(endpoints.len()))
            .with_notices(as_u64(notices.len()))
            .with_next(next)
    }

    fn unused_events(&self, cut: Timestamp, most: usize, but: &[DeliveryId]) -> Vec<EventId> {
        let old = self.stored_at.iter().filter(|(id, at)| {
            **at < cut && self.events.contains_key(id) && !self.unrouted.contains_key(id)
        });
        let is_used = |id| self.deliveries.keys().any(|it| it.event == id && !but.contains(it));
        old.map(|(id, _)| *id).filter(|id| !is_used(*id)).take(most).collect()
    }

    fn unused_endpoints(&self, cut: Timestamp, most: usize, but: &[DeliveryId]) -> Vec<EndpointId> {
        let old = self.removed.iter().filter(|(_, at)| **at < cut);
        let is_used = |id| self.deliveries.keys().any(|it| it.endpoint == id && !but.contains(it));
        old.map(|(id, _)| *id).filter(|id| !is_used(*id)).take(most).collect()
    }
}
