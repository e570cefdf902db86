//! Replays: sending again what an endpoint did not take, or missed.
//!
//! A replay goes page by page over an endpoint's deliveries, the oldest first, and makes those due
//! again that [`Replay::takes`]. It may be given up and repeated anywhere: what has changed since it
//! began, by itself or by anybody else, it leaves alone. So a page that is done twice sends nothing
//! twice, and what was not reached is still there to be found.

use std::{fmt, str::FromStr, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::model::{
    delivery::DeliveryStatus,
    event::EventType,
    filter::EventFilter,
    id::{EndpointId, EventId},
    text::serde_as_text,
    time::Timestamp,
};

/// Which deliveries of an endpoint to send again.
///
/// ```
/// use webhook_core::{EndpointId, Include, Replay, Timestamp};
///
/// let endpoint = EndpointId::from_uuid(uuid::Uuid::nil());
/// let monday = Replay::new(endpoint, Include::Failed)
///     .since(Timestamp::from_unix_secs(1_700_000_000))
///     .until(Timestamp::from_unix_secs(1_700_086_400))
///     .types(["invoice.*".parse()?]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Replay {
    /// Whose.
    pub endpoint: EndpointId,
    /// Only those that came about then or later, by the store's clock.
    pub since: Option<Timestamp>,
    /// Only those that came about before.
    pub until: Option<Timestamp>,
    /// Only events of these types; all, when there is none.
    pub types: Vec<EventFilter>,
    /// In which state they have to be.
    pub include: Include,
}

impl Replay {
    /// All of an endpoint's deliveries in this state.
    pub const fn new(endpoint: EndpointId, include: Include) -> Self {
        Self { endpoint, since: None, until: None, types: Vec::new(), include }
    }

    /// Only those that came about then or later, by the store's clock.
    #[must_use]
    pub const fn since(mut self, at: Timestamp) -> Self {
        self.since = Some(at);
        self
    }

    /// Only those that came about before, by the store's clock.
    #[must_use]
    pub const fn until(mut self, at: Timestamp) -> Self {
        self.until = Some(at);
        self
    }

    /// Only events whose type one of these matches.
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = EventFilter>) -> Self {
        self.types = types.into_iter().collect();
        self
    }

    /// Whether a replay that began then sends this delivery again.
    ///
    /// One that came to its end in the very millisecond the replay began is left alone: it might be
    /// the replay's own doing. What is missed is nobody's doing: it was never sent.
    pub fn takes(&self, candidate: &ReplayCandidate, began_at: Timestamp) -> bool {
        let ReplayCandidate { status, event_type, created_at, finished_at, tracked } = candidate;
        let untouched = *status == DeliveryStatus::Missed
            || finished_at.is_some_and(|finished_at| finished_at < began_at);
        let in_time =
            self.since.is_none_or(|since| *created_at >= since) && *created_at < self.end(began_at);
        !tracked
            && untouched
            && in_time
            && self.include.statuses().contains(status)
            && (self.types.is_empty() || self.types.iter().any(|it| it.matches(event_type)))
    }

    /// What came about then or later is none of the business of a replay that began then.
    pub fn end(&self, began_at: Timestamp) -> Timestamp {
        let later = began_at.after(Duration::from_millis(1));
        self.until.map_or(later, |until| until.min(later))
    }
}

/// Which states a replay includes. What is still open is delivered anyway, and what was called off
/// stays so.
///
/// Closed: a store that does not know a state would leave it out of a replay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Include {
    /// What was given up.
    Failed,
    /// What came while the endpoint was disabled.
    Missed,
    /// Both, and what was delivered: the receiver has lost it.
    All,
}

impl Include {
    const NAMES: [(Self, &str); 3] =
        [(Self::Failed, "failed"), (Self::Missed, "missed"), (Self::All, "all")];

    /// The statuses, in the order in which they are replayed.
    pub const fn statuses(self) -> &'static [DeliveryStatus] {
        match self {
            Self::Failed => &[DeliveryStatus::Failed],
            Self::Missed => &[DeliveryStatus::Missed],
            Self::All => &[DeliveryStatus::Failed, DeliveryStatus::Missed, DeliveryStatus::Success],
        }
    }
}

impl fmt::Display for Include {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(it, _)| it == self).map_or("all", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Include {
    type Err = InvalidInclude;

    fn from_str(text: &str) -> Result<Self, InvalidInclude> {
        let known = Self::NAMES.iter().find(|(_, name)| *name == text);
        known.map(|(it, _)| *it).ok_or(InvalidInclude)
    }
}

serde_as_text!(Include);

/// The text names nothing that a replay includes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not something to include; expected failed, missed or all")]
pub struct InvalidInclude;

/// What a replay looks at in a delivery.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplayCandidate {
    /// Its status.
    pub status: DeliveryStatus,
    /// The type of its event.
    pub event_type: EventType,
    /// When it came about.
    pub created_at: Timestamp,
    /// When it came into its final status.
    pub finished_at: Option<Timestamp>,
    /// Whether it is the record of sending within a call.
    pub tracked: bool,
}

/// A place in a replay: among the deliveries in one status, the oldest first, just after one of them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ReplayCursor {
    /// The status.
    pub status: DeliveryStatus,
    /// When the last one looked at came about, and its event; absent at the beginning.
    pub after: Option<(Timestamp, EventId)>,
}

impl ReplayCursor {
    /// Where such a replay begins.
    pub fn first(include: Include) -> Self {
        let status = include.statuses().first().copied().unwrap_or(DeliveryStatus::Failed);
        Self { status, after: None }
    }

    /// Where to go on after a page that ended with `last`; with the next status, when there was
    /// nothing behind it. Absent at the end.
    pub fn next(self, include: Include, last: Option<(Timestamp, EventId)>) -> Option<Self> {
        if last.is_some() {
            return Some(Self { status: self.status, after: last });
        }
        let mut later = include.statuses().iter().skip_while(|status| **status != self.status);
        later.nth(1).map(|status| Self { status: *status, after: None })
    }
}

/// How far a replay has come: all that is needed to go on with it, in another process if need be. Its
/// text is one token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReplayState {
    /// What is replayed.
    pub replay: Replay,
    /// When it began, by the store's clock.
    pub began_at: Timestamp,
    /// Where to go on; absent at the end.
    pub next: Option<ReplayCursor>,
    /// Deliveries made due again so far.
    pub done: u64,
}

impl ReplayState {
    /// A replay that began then and has done nothing yet.
    pub fn new(replay: Replay, began_at: Timestamp) -> Self {
        let next = Some(ReplayCursor::first(replay.include));
        Self { replay, began_at, next, done: 0 }
    }
}

impl fmt::Display for ReplayState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for ReplayState {
    type Err = InvalidReplayState;

    fn from_str(text: &str) -> Result<Self, InvalidReplayState> {
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidReplayState)?;
        serde_json::from_slice(&json).map_err(|_| InvalidReplayState)
    }
}

/// The text is no state of a replay.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the state of a replay; expected the one that an earlier replay has told")]
pub struct InvalidReplayState;

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const BEGAN_AT: Timestamp = Timestamp::from_unix_secs(1000);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    fn replay(include: Include) -> Replay {
        Replay::new(EndpointId::from_uuid(Uuid::from_u128(1)), include)
    }

    fn candidate(status: DeliveryStatus, created: i64, finished: i64) -> ReplayCandidate {
        ReplayCandidate {
            status,
            event_type: "invoice.paid".parse().unwrap(),
            created_at: at(created),
            finished_at: Some(at(finished)),
            tracked: false,
        }
    }

    #[test]
    fn what_is_included_is_taken_by_its_status() {
        use DeliveryStatus::{Cancelled, Failed, InFlight, Missed, Pending, Success};
        let taken = |include| {
            let all = DeliveryStatus::ALL.into_iter();
            all.filter(|it| replay(include).takes(&candidate(*it, 1, 2), BEGAN_AT))
                .collect::<Vec<_>>()
        };
        assert_eq!(taken(Include::Failed), [Failed]);
        assert_eq!(taken(Include::Missed), [Missed]);
        assert_eq!(taken(Include::All), [Success, Failed, Missed]);
        let never = [Pending, InFlight, Cancelled];
        assert!(never.iter().all(|it| !Include::All.statuses().contains(it)));
    }

    #[test]
    fn what_has_changed_since_it_began_is_left_alone() {
        let takes = |created, finished| {
            replay(Include::Failed)
                .takes(&candidate(DeliveryStatus::Failed, created, finished), BEGAN_AT)
        };
        assert!(takes(1, 999));
        assert!(!takes(1, 1000), "in the very moment");
        assert!(!takes(1, 1001), "it failed once more");
        assert!(!takes(1000, 1000), "it came about at the same time");
        let missed = |at| candidate(DeliveryStatus::Missed, at, at);
        assert!(replay(Include::Missed).takes(&missed(1000), BEGAN_AT), "nobody has sent it");
        assert!(!replay(Include::Missed).takes(&missed(1001), BEGAN_AT), "it came later");
        let mut open = candidate(DeliveryStatus::Failed, 1, 1);
        open.finished_at = None;
        assert!(!replay(Include::Failed).takes(&open, BEGAN_AT));
        let mut tracked = candidate(DeliveryStatus::Failed, 1, 1);
        tracked.tracked = true;
        assert!(!replay(Include::Failed).takes(&tracked, BEGAN_AT));
    }

    #[test]
    fn a_window_and_types_narrow_it_down() {
        let window = replay(Include::Failed).since(at(10)).until(at(20));
        let takes = |replay: &Replay, created| {
            replay.takes(&candidate(DeliveryStatus::Failed, created, 30), BEGAN_AT)
        };
        let taken: Vec<_> = [9, 10, 19, 20].into_iter().filter(|it| takes(&window, *it)).collect();
        assert_eq!(taken, [10, 19]);
        let end = replay(Include::Failed).until(at(5000)).end(BEGAN_AT);
        assert_eq!(end.since(BEGAN_AT), Duration::from_millis(1));
        let of_type = |filter: &str| replay(Include::Failed).types([filter.parse().unwrap()]);
        assert!(takes(&of_type("invoice.*"), 1));
        assert!(!takes(&of_type("order.*"), 1));
    }

    #[test]
    fn pages_go_through_each_status_to_the_end() {
        let last = Some((at(7), EventId::from_uuid(Uuid::from_u128(7))));
        let first = ReplayCursor::first(Include::All);
        let more = first.next(Include::All, last).unwrap();
        assert_eq!((more.status, more.after), (DeliveryStatus::Failed, last));
        let missed = more.next(Include::All, None).unwrap();
        assert_eq!((missed.status, missed.after), (DeliveryStatus::Missed, None));
        let success = missed.next(Include::All, None).unwrap();
        assert_eq!(success.status, DeliveryStatus::Success);
        assert_eq!(success.next(Include::All, None), None);
        assert_eq!(ReplayCursor::first(Include::Missed).next(Include::Missed, None), None);
    }

    #[test]
    fn a_state_is_one_token_that_parses_back() {
        let replay = replay(Include::Missed).since(at(1)).types(["a.*".parse().unwrap()]);
        let mut state = ReplayState::new(replay, BEGAN_AT);
        state.next = state
            .next
            .unwrap()
            .next(Include::Missed, Some((at(3), EventId::from_uuid(Uuid::nil()))));
        state.done = 77;
        let token = state.to_string();
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(token.parse(), Ok(state));
        for bad in ["", "x", "e30", "%%%"] {
            assert_eq!(bad.parse::<ReplayState>(), Err(InvalidReplayState), "{bad:?}");
        }
    }
}
