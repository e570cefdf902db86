use webhook_core::{DeliveryId, Timestamp, store::Backlog};

use super::{MemoryStore, State};

impl MemoryStore {
    /// Does the same for each item of a batch, and answers in its order.
    pub(super) fn each<T, A>(
        &self,
        batch: Vec<T>,
        one: impl Fn(&mut State, T, Timestamp) -> A,
    ) -> Vec<A> {
        let now = self.now();
        let mut state = self.state();
        batch.into_iter().map(|item| one(&mut state, item, now)).collect()
    }
}

impl State {
    /// Time at which a delivery is due and its endpoint has cooled down.
    pub(super) fn due_or_cooled_at(&self, id: DeliveryId, due_at: Timestamp) -> Timestamp {
        let cools_down_until =
            self.endpoint(id.endpoint).and_then(|it| it.health.cools_down_until());
        cools_down_until.map_or(due_at, |until| until.max(due_at))
    }

    pub(super) fn backlog(&self, now: Timestamp) -> Backlog {
        let mut left = Backlog::default();
        left.unrouted = capped(self.events.values().filter(|row| row.unrouted_from.is_some()));
        let open = || self.deliveries.iter().filter(|(_, row)| row.state.is_open());
        left.in_flight = capped(open().filter(|(_, row)| row.state.is_leased(now)));
        let free = open().filter(|(_, row)| !row.state.is_leased(now));
        let (active, waiting): (Vec<_>, Vec<_>) =
            free.partition(|(id, _)| self.is_active(id.endpoint));
        left.waiting = capped(waiting.iter());
        left.pending = capped(active.iter());
        let due = active.iter().filter_map(|(id, row)| Some((**id, row.state.claimable_at()?)));
        let due = due.map(|(id, at)| self.due_or_cooled_at(id, at));
        left.next_due = due.map(|at| at.since(now)).min();
        left
    }
}

fn capped<T>(items: impl Iterator<Item = T>) -> u64 {
    items.map(|_| 1).sum::<u64>().min(Backlog::CAP)
}
