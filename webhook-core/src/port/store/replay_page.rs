//! A page of a replay: what to ask for, and what is answered.

use crate::model::{
    replay::{Replay, ReplayCursor, ReplayState},
    time::Timestamp,
};

/// Which part of a replay to do.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ReplayPage {
    /// The replay.
    pub replay: Replay,
    /// When the replay began; now, when absent.
    pub began_at: Option<Timestamp>,
    /// Where to begin.
    pub cursor: ReplayCursor,
    /// Looks at so many deliveries at most; at most [`MAX_LIMIT`](Self::MAX_LIMIT).
    pub limit: usize,
    /// Counts, and changes nothing.
    pub dry_run: bool,
}

impl ReplayPage {
    /// The most deliveries in one page.
    pub const MAX_LIMIT: usize = 1000;

    /// The first page of a replay that begins now.
    pub fn first(replay: Replay) -> Self {
        let cursor = ReplayCursor::first(replay.include);
        Self { replay, began_at: None, cursor, limit: 100, dry_run: false }
    }

    /// The page that comes next; none, at the end.
    pub fn next(state: &ReplayState) -> Option<Self> {
        let (replay, began_at) = (state.replay.clone(), Some(state.began_at));
        state.next.map(|cursor| Self { replay, began_at, cursor, limit: 100, dry_run: false })
    }

    /// Counts, and changes nothing.
    #[must_use]
    pub const fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Looks at so many deliveries at most, cut to between 1 and [`MAX_LIMIT`](Self::MAX_LIMIT).
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, Self::MAX_LIMIT);
        self
    }
}

/// Result of one page of a replay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Replayed {
    /// When the replay began, by the store's clock.
    pub began_at: Timestamp,
    /// Deliveries made due again, or that would be.
    pub count: u64,
    /// Where the next page begins; absent when this was the last.
    pub next: Option<ReplayCursor>,
    /// The endpoint is gone: there is nowhere to send to, and nothing was done.
    pub endpoint_gone: bool,
}

impl Replayed {
    /// So many of a replay that began then, and where to go on.
    pub const fn new(began_at: Timestamp, count: u64, next: Option<ReplayCursor>) -> Self {
        Self { began_at, count, next, endpoint_gone: false }
    }

    /// There is no such endpoint.
    pub const fn gone(began_at: Timestamp) -> Self {
        Self { began_at, count: 0, next: None, endpoint_gone: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{id::EndpointId, replay::Include};

    #[test]
    fn the_next_page_is_of_the_same_replay_and_counts_from_when_it_began() {
        let replay = Replay::new(EndpointId::from_uuid(uuid::Uuid::nil()), Include::Failed);
        let first = ReplayPage::first(replay.clone());
        assert_eq!((first.began_at, first.dry_run), (None, false));
        assert!(first.clone().dry_run().dry_run);
        let limits = [0, 1, 7, 1000, 1001].map(|limit| first.clone().limit(limit).limit);
        assert_eq!(limits, [1, 1, 7, 1000, 1000]);

        let began = Timestamp::from_unix_secs(7);
        let mut state = ReplayState::new(replay, began);
        let next = ReplayPage::next(&state);
        assert_eq!(next, Some(ReplayPage { began_at: Some(began), ..first }));
        state.next = None;
        assert_eq!(ReplayPage::next(&state), None, "that was the end");
    }
}
