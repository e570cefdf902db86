//! Replies of a receiver, one after the other.

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
use webhook_registry::transport::ReceiverResponse;

/// One reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reply {
    /// With this status.
    Status(StatusCode),
    /// No reply: the sender waits until its deadline.
    Never,
}

impl From<Reply> for ReceiverResponse {
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

/// Replies in order; the last one repeats.
#[derive(Clone, Debug)]
pub(super) struct Replies {
    replies: Arc<[(Reply, usize)]>,
    sent: Arc<AtomicUsize>,
}

impl Replies {
    /// Returns the reply to the next request.
    pub(super) fn next(&self) -> Reply {
        let mut number = self.sent.fetch_add(1, Ordering::Relaxed);
        for &(reply, times) in &*self.replies {
            if number < times {
                return reply;
            }
            number -= times;
        }
        self.replies.last().map_or(Reply::Status(StatusCode::OK), |(reply, _)| *reply)
    }
}

impl FromStr for Replies {
    type Err = InvalidReplies;

    fn from_str(text: &str) -> Result<Self, InvalidReplies> {
        let replies: Option<Arc<[_]>> = text.split(',').map(parse).collect();
        Ok(Self { replies: replies.ok_or(InvalidReplies)?, sent: Arc::default() })
    }
}

/// `503`, `503x2` or `never`.
fn parse(text: &str) -> Option<(Reply, usize)> {
    let (reply, times) = text.trim().split_once('x').unwrap_or((text.trim(), "1"));
    let times = times.parse().ok().filter(|&times| times > 0)?;
    if reply == "never" {
        return Some((Reply::Never, times));
    }
    // A status below 200 is an interim response, which the receiver cannot send.
    let status = StatusCode::from_bytes(reply.as_bytes()).ok()?;
    (200..=599).contains(&status.as_u16()).then_some((Reply::Status(status), times))
}

/// The text is not a list of replies.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid list of answers; expected statuses from 200 to 599 such as 503x2,200, or never"
)]
pub(super) struct InvalidReplies;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_given_in_turn_and_the_last_one_repeats() {
        let replies: Replies = "503x2, never,200".parse().unwrap();
        let sent: Vec<_> = (0..6).map(|_| replies.next().to_string()).collect();
        assert_eq!(sent, ["503", "503", "never", "200", "200", "200"]);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bad in ["", "20", "100", "600", "200x", "200x0", "200,,200", "x2", "ok"] {
            assert_eq!(bad.parse::<Replies>().map(|_| ()), Err(InvalidReplies), "{bad:?}");
        }
    }
}
