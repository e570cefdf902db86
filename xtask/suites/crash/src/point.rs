//! The named points at which a process dies.

use std::{fmt, str::FromStr};

/// Nine moments in the life of a delivery.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Point {
    /// K1: the event is written and not committed.
    BeforeEnqueueCommit,
    /// K2: it is committed, and its publisher does not know.
    AfterEnqueueCommit,
    /// K3: the delivery is claimed, and nothing else.
    AfterClaimCommit,
    /// K4: the connection stands, and nothing was read from it.
    Connected,
    /// K5: a part of the body has come.
    MidBody,
    /// K6: the whole request has come, and was not answered.
    Sent,
    /// K7: the answer was read, and not recorded.
    Answered,
    /// K8: it is written and not committed.
    BeforeRecordCommit,
    /// K9: it is recorded.
    AfterRecordCommit,
}

/// Who dies, and by whose hand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Victim {
    /// The publisher aborts.
    Publisher,
    /// The worker aborts.
    Worker,
    /// The receiver kills the worker: it knows how far the request has come.
    WorkerByReceiver,
}

impl Point {
    pub(crate) const ALL: [Self; 9] = [
        Self::BeforeEnqueueCommit,
        Self::AfterEnqueueCommit,
        Self::AfterClaimCommit,
        Self::Connected,
        Self::MidBody,
        Self::Sent,
        Self::Answered,
        Self::BeforeRecordCommit,
        Self::AfterRecordCommit,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BeforeEnqueueCommit => "K1",
            Self::AfterEnqueueCommit => "K2",
            Self::AfterClaimCommit => "K3",
            Self::Connected => "K4",
            Self::MidBody => "K5",
            Self::Sent => "K6",
            Self::Answered => "K7",
            Self::BeforeRecordCommit => "K8",
            Self::AfterRecordCommit => "K9",
        }
    }

    pub(crate) const fn victim(self) -> Victim {
        match self {
            Self::BeforeEnqueueCommit | Self::AfterEnqueueCommit => Victim::Publisher,
            Self::Connected | Self::MidBody | Self::Sent => Victim::WorkerByReceiver,
            _ => Victim::Worker,
        }
    }

    /// Whether the receiver gets the event once more: it had it whole, and nothing says so.
    pub(crate) const fn repeats(self) -> bool {
        matches!(self, Self::Sent | Self::Answered | Self::BeforeRecordCommit)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|point| point.name() == text);
        found.ok_or_else(|| format!("`{text}` is no crash point"))
    }
}
