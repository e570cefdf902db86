//! What may go wrong, by name.

use std::{fmt, str::FromStr};

macro_rules! fault_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal,)+) => {
        /// What may go wrong in a [`Simulation`](crate::Simulation).
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl FaultKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// Its name in reports.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

fault_kinds! {
    /// A worker process dies at some await.
    Crash = "crash",
    /// A worker process stands still at some await, and goes on later, perhaps after its leases.
    Stall = "stall",
    /// A worker process is told to stop, and stops in its own time.
    Shutdown = "shutdown",
    /// The wall clock of a worker jumps.
    ClockJump = "clock-jump",
    /// A store call fails, and has no effect.
    FailedCall = "failed-call",
    /// A store call has its effect, and its answer is lost.
    LostCommit = "lost-commit",
    /// The store says that something about this one call is wrong.
    OddCall = "odd-call",
    /// A store call takes its time, before its effect or after it.
    SlowCall = "slow-call",
    /// A worker does not reach the store for a while.
    Partition = "partition",
    /// Nobody reaches the store for a while.
    Outage = "outage",
    /// A transaction that an event was published in is rolled back.
    Rollback = "rollback",
    /// A receiver answers another failure, such as 400 or 500.
    ErrorStatus = "error-status",
    /// A receiver answers with a redirect.
    Redirect = "redirect",
    /// A receiver answers `410 Gone`.
    Gone = "gone",
    /// A receiver answers 429 or 503, without saying for how long.
    Busy = "busy",
    /// A receiver answers 429 or 503 with `Retry-After`.
    BusyFor = "busy-for",
    /// The connection is lost before an answer came.
    Reset = "reset",
    /// A receiver accepts the event, and its answer is lost.
    LostAnswer = "lost-answer",
    /// A kept connection was stale.
    Stale = "stale-connection",
    /// A receiver never answers, and the transport notices its own deadline.
    Silence = "silence",
    /// A transport does not keep its deadline.
    DeafTransport = "deaf-transport",
    /// A receiver takes its time.
    SlowAnswer = "slow-answer",
    /// A receiver fails for a long time, whatever it is sent.
    Down = "receiver-down",
    /// The sender itself cannot send.
    OwnFault = "own-fault",
    /// The address is refused.
    Refused = "refused-address",
    /// The transport panics.
    Panic = "panic",
    /// An event kills the worker that sends it, each time.
    Poison = "poison",
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FaultKind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name).ok_or(())
    }
}
