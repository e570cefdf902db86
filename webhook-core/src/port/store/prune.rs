//! Removing what is over and old: what to ask for, and what is answered.

use std::time::Duration;

use crate::{
    model::{
        delivery::DeliveryStatus,
        id::{EndpointId, EventId},
        time::Timestamp,
    },
    port::store::query::Cursor,
};

/// Rows to remove, and their number at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Prune {
    /// Minimum age of final rows, by the store's clock.
    pub older_than: Duration,
    /// Counts what would be removed, and removes nothing.
    pub dry_run: bool,
    /// At most so many rows of a kind in one call; at most [`MAX_LIMIT`](Self::MAX_LIMIT).
    pub limit: usize,
    /// Where an earlier call ended; from the beginning, when absent.
    pub cursor: Option<PruneCursor>,
}

impl Prune {
    /// The most rows of a kind in one call.
    pub const MAX_LIMIT: usize = 1000;

    /// Removes what was over for longer than this, 500 rows of a kind at a time.
    pub const fn older_than(older_than: Duration) -> Self {
        Self { older_than, dry_run: false, limit: 500, cursor: None }
    }

    /// Counts, and removes nothing.
    #[must_use]
    pub const fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// At most so many rows of a kind in one call, cut to between 1 and
    /// [`MAX_LIMIT`](Self::MAX_LIMIT).
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, Self::MAX_LIMIT);
        self
    }

    /// Goes on where an earlier call ended.
    #[must_use]
    pub const fn after(mut self, cursor: PruneCursor) -> Self {
        self.cursor = Some(cursor);
        self
    }
}

/// Numbers of rows that were removed, or would be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pruned {
    /// Deliveries.
    pub deliveries: u64,
    /// Their attempts.
    pub attempts: u64,
    /// Events.
    pub events: u64,
    /// Endpoints that had been removed before.
    pub endpoints: u64,
    /// Unacknowledged notices.
    pub notices: u64,
    /// Where to go on; absent when this was the end.
    pub next: Option<PruneCursor>,
}

impl Pruned {
    /// Sets how many deliveries, with how many attempts.
    #[must_use]
    pub const fn with_deliveries(mut self, deliveries: u64, attempts: u64) -> Self {
        (self.deliveries, self.attempts) = (deliveries, attempts);
        self
    }

    /// Sets how many events.
    #[must_use]
    pub const fn with_events(mut self, events: u64) -> Self {
        self.events = events;
        self
    }

    /// Sets how many endpoints.
    #[must_use]
    pub const fn with_endpoints(mut self, endpoints: u64) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Sets how many notices.
    #[must_use]
    pub const fn with_notices(mut self, notices: u64) -> Self {
        self.notices = notices;
        self
    }

    /// Sets the cursor of the next page.
    #[must_use]
    pub const fn with_next(mut self, next: Option<PruneCursor>) -> Self {
        self.next = next;
        self
    }

    /// This, and what came after it.
    #[must_use]
    pub const fn and(self, later: Self) -> Self {
        Self {
            deliveries: self.deliveries + later.deliveries,
            attempts: self.attempts + later.attempts,
            events: self.events + later.events,
            endpoints: self.endpoints + later.endpoints,
            notices: self.notices + later.notices,
            next: later.next,
        }
    }
}

/// How far a prune has come. A store that needs no such place may give out any.
///
/// Closed: a store goes on from each place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PruneCursor {
    /// Among the deliveries in this final status, the oldest first.
    Deliveries(DeliveryStatus, Option<Cursor>),
    /// Among the events, by when they were stored.
    Events(Option<(Timestamp, EventId)>),
    /// Among the endpoints, by their ids.
    Endpoints(Option<EndpointId>),
    /// Among the notices, the oldest first.
    Notices,
}

impl Default for PruneCursor {
    /// The beginning.
    fn default() -> Self {
        Self::Deliveries(DeliveryStatus::Success, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_field_by_field_and_go_on_where_the_later_one_ended() {
        let part = |unit| {
            let part = Pruned::default().with_deliveries(unit, 2 * unit).with_events(3 * unit);
            part.with_endpoints(4 * unit).with_notices(5 * unit)
        };
        let cursor = Some(PruneCursor::Notices);
        assert_eq!(part(1).and(part(10).with_next(cursor)), part(11).with_next(cursor));
        assert_eq!(part(1).with_next(cursor).and(part(10)), part(11), "that was the end");
    }

    #[test]
    fn a_prune_removes_from_the_beginning_unless_told_otherwise() {
        let day = Duration::from_secs(24 * 3600);
        let prune = Prune::older_than(day);
        assert_eq!((prune.older_than, prune.dry_run, prune.cursor), (day, false, None));
        assert!(prune.dry_run().dry_run);
        let cursor = PruneCursor::default();
        assert_eq!(cursor, PruneCursor::Deliveries(DeliveryStatus::Success, None));
        assert_eq!(prune.after(cursor).cursor, Some(cursor));
        let limits = [0, 1, 7, 1000, 1001].map(|limit| prune.limit(limit).limit);
        assert_eq!(limits, [1, 1, 7, 1000, 1000]);
    }
}
