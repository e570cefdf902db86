//! What a receiver answers, in turn.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::StatusCode;
use serde::{Serialize, Serializer};
use webhook_registry::Answer;

/// One answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reply {
    /// With this status.
    Status(StatusCode),
    /// None: the sender waits until its deadline.
    Never,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Status(status) => Self::status(status),
            Reply::Never => Self::never(),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => f.write_str(status.as_str()),
            Self::Never => f.write_str("never"),
        }
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Answers in turn; the last one repeats.
#[derive(Clone, Debug)]
pub(super) struct Script {
    replies: Arc<[(Reply, usize)]>,
    given: Arc<AtomicUsize>,
}

impl Script {
    /// The answer to the next request.
    pub(super) fn next(&self) -> Reply {
        let mut number = self.given.fetch_add(1, Ordering::Relaxed);
        for &(reply, times) in &*self.replies {
            if number < times {
                return reply;
            }
            number -= times;
        }
        self.replies.last().map_or(Reply::Status(StatusCode::OK), |(reply, _)| *reply)
    }
}

impl FromStr for Script {
    type Err = InvalidScript;

    fn from_str(text: &str) -> Result<Self, InvalidScript> {
        let replies: Option<Arc<[_]>> = text.split(',').map(parse).collect();
        Ok(Self { replies: replies.ok_or(InvalidScript)?, given: Arc::default() })
    }
}

/// `503`, `503x2` or `never`.
fn parse(text: &str) -> Option<(Reply, usize)> {
    let (reply, times) = text.trim().split_once('x').unwrap_or((text.trim(), "1"));
    let times = times.parse().ok().filter(|&times| times > 0)?;
    if reply == "never" {
        return Some((Reply::Never, times));
    }
    // What is below 200 is no answer yet, and takes another road.
    let status = StatusCode::from_bytes(reply.as_bytes()).ok()?;
    (200..=599).contains(&status.as_u16()).then_some((Reply::Status(status), times))
}

/// The text is no list of answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid list of answers; expected statuses from 200 to 599 such as 503x2,200, or never"
)]
pub(super) struct InvalidScript;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_given_in_turn_and_the_last_one_repeats() {
        let script: Script = "503x2, never,200".parse().unwrap();
        let given: Vec<_> = (0..6).map(|_| script.next().to_string()).collect();
        assert_eq!(given, ["503", "503", "never", "200", "200", "200"]);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bad in ["", "20", "100", "600", "200x", "200x0", "200,,200", "x2", "ok"] {
            assert_eq!(bad.parse::<Script>().map(|_| ()), Err(InvalidScript), "{bad:?}");
        }
    }
}
