//! Replaying what an endpoint did not take, or missed.

use webhook_core::{
    DeliveryId, EventId, Timestamp, Trigger,
    store::{Redeliver, Redelivered, ReplayCandidate, ReplayPage, Replayed},
};

use super::{State, row::DeliveryRow};

impl State {
    pub(super) fn replay(&mut self, page: &ReplayPage, now: Timestamp) -> Replayed {
        let began_at = page.began_at.unwrap_or(now);
        if self.endpoint(page.replay.endpoint).is_none() {
            return Replayed::gone(began_at);
        }
        let most = page.limit.clamp(1, ReplayPage::MAX_LIMIT);
        let mut places = self.replay_positions(page, began_at);
        places.truncate(most);
        let last = places.last().copied().filter(|_| places.len() == most);
        let ids = places.iter().map(|(_, event)| DeliveryId::new(*event, page.replay.endpoint));
        let taken: Vec<_> = ids.filter(|id| self.is_taken(page, *id, began_at)).collect();
        let item = |id: &DeliveryId| Redeliver::new(*id).with_cause(Trigger::Replay);
        let count = if page.dry_run {
            taken.len()
        } else {
            let batch: Vec<_> = taken.iter().map(item).collect();
            let answers = self.redeliver_all(&batch, now);
            answers.iter().filter(|answer| **answer == Redelivered::Done).count()
        };
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Replayed::new(began_at, count, page.cursor.next(page.replay.include, last))
    }

    /// Positions of the deliveries of a page, the oldest first.
    fn replay_positions(
        &self,
        page: &ReplayPage,
        began_at: Timestamp,
    ) -> Vec<(Timestamp, EventId)> {
        let of_endpoint =
            self.deliveries.iter().filter(|(id, _)| id.endpoint == page.replay.endpoint);
        let in_status = of_endpoint.filter(|(_, row)| row.state.status == page.cursor.status);
        let places = in_status.map(|(id, row)| (row.state.created_at, id.event));
        let mut places: Vec<_> = places
            .filter(|place| page.cursor.after.is_none_or(|after| *place > after))
            .filter(|(at, _)| {
                page.replay.since.is_none_or(|since| *at >= since)
                    && *at < page.replay.end(began_at)
            })
            .collect();
        places.sort_unstable();
        places
    }

    fn is_taken(&self, page: &ReplayPage, id: DeliveryId, began_at: Timestamp) -> bool {
        let row = self.deliveries.get(&id);
        row.is_some_and(|row| page.replay.takes(&candidate(row), began_at))
    }
}

fn candidate(row: &DeliveryRow) -> ReplayCandidate {
    ReplayCandidate {
        status: row.state.status,
        event_type: row.event.event_type.clone(),
        created_at: row.state.created_at,
        finished_at: row.state.finished_at,
        tracked: row.state.tracked,
    }
}
