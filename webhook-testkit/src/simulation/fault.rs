//! Kinds of faults, by name.

use std::{fmt, str::FromStr};

macro_rules! fault_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal,)+) => {
        /// Kind of a fault in a [`Simulation`](crate::Simulation).
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl FaultKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// Name of this kind in reports.
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
    /// A worker process stalls at some await, and continues later, possibly after its leases.
    Stall = "stall",
    /// A worker process is asked to stop, and drains.
    Shutdown = "shutdown",
    /// The wall clock of a worker jumps.
    ClockJump = "clock-jump",
    /// A store call fails, and has no effect.
    FailedCall = "failed-call",
    /// A store call takes effect, and its result is lost.
    LostCommit = "lost-commit",
    /// A store call fails with an error that concerns this call alone.
    OddCall = "odd-call",
    /// A store call is slow, before or after its effect.
    SlowCall = "slow-call",
    /// A worker does not reach the store for a while.
    Partition = "partition",
    /// No actor reaches the store for a while.
    Outage = "outage",
    /// A transaction that an event was published in is rolled back.
    Rollback = "rollback",
    /// A receiver responds with another failure, such as 400 or 500.
    ErrorStatus = "error-status",
    /// A receiver responds with a redirect.
    Redirect = "redirect",
    /// A receiver responds with `410 Gone`.
    Gone = "gone",
    /// A receiver responds with 429 or 503, without `Retry-After`.
    Busy = "busy",
    /// A receiver responds with 429 or 503 and `Retry-After`.
    BusyFor = "busy-for",
    /// The connection is lost before a response arrives.
    Reset = "reset",
    /// A receiver accepts the event, and its response is lost.
    LostAnswer = "lost-answer",
    /// A pooled connection was stale.
    Stale = "stale-connection",
    /// A receiver never responds, and the transport times out.
    Silence = "silence",
    /// A transport does not enforce the timeout of a request.
    DeafTransport = "deaf-transport",
    /// A receiver is slow.
    SlowAnswer = "slow-answer",
    /// A receiver fails all requests for a long time.
    Down = "receiver-down",
    /// The sender fails for a local reason.
    OwnFault = "own-fault",
    /// The address is refused.
    Refused = "refused-address",
    /// The transport panics.
    Panic = "panic",
    /// An event kills each worker that sends it.
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
