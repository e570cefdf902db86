//! Attempts: one HTTP exchange each, what happened, and the record of it.

use std::{error::Error, fmt, str::FromStr, time::Duration};

use bytes::Bytes;

use crate::model::{
    exchange::{Response, SignerError, TransportError, TransportErrorKind},
    text::{serde_as_text, truncate},
    time::Timestamp,
    trigger::Trigger,
};

/// What happened in one attempt.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// A complete response head arrived.
    Answered(Response),
    /// None arrived.
    NotAnswered(TransportError),
    /// Nothing was sent: the request could not be signed.
    NotSigned(SignerError),
    /// The worker was lost during the attempt: whether the receiver got it is unknown.
    Unknown,
}

/// The record of one attempt, kept until its retention ends.
#[derive(Clone, Eq, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Attempt {
    /// Counted from 1, without gaps.
    pub number: u32,
    /// Why it was made.
    pub trigger: Trigger,
    /// When it began, by the worker's clock.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The status, when a response head arrived.
    pub status: Option<u16>,
    /// What went wrong; absent after a 2xx.
    pub failure: Option<Failure>,
    /// The beginning of the answer's body.
    #[serde(skip)]
    pub response_body: Bytes,
}

impl Attempt {
    /// Writes down `outcome` of an attempt that was made because the event was published, as the
    /// first or one more.
    pub fn record(
        number: u32,
        started_at: Timestamp,
        duration: Duration,
        outcome: &Outcome,
    ) -> Self {
        let (status, response_body) = match outcome {
            Outcome::Answered(response) => (Some(response.status.as_u16()), response.body.clone()),
            _ => (None, Bytes::new()),
        };
        let failure = Failure::of(outcome);
        Self::from_parts(number, started_at, duration, status, failure, response_body)
    }

    /// An attempt from its stored parts.
    pub const fn from_parts(
        number: u32,
        started_at: Timestamp,
        duration: Duration,
        status: Option<u16>,
        failure: Option<Failure>,
        response_body: Bytes,
    ) -> Self {
        let trigger = Trigger::First.of_attempt(number, 0);
        Self { number, trigger, started_at, duration, status, failure, response_body }
    }

    /// Sets why it was made.
    #[must_use]
    pub const fn with_trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = trigger;
        self
    }
}

impl fmt::Debug for Attempt {
    /// Not the answer's body: it is the receiver's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("trigger", &self.trigger)
            .field("started_at", &self.started_at)
            .field("duration", &self.duration)
            .field("status", &self.status)
            .field("failure", &self.failure)
            .field("response_bytes", &self.response_body.len())
            .finish()
    }
}

/// What went wrong in an attempt.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The class, stable, for statistics and alarms.
    pub kind: FailureKind,
    /// The text, for people, at most [`MAX_TEXT`](Self::MAX_TEXT) bytes; for operators, as it may
    /// name internal addresses.
    pub text: String,
}

impl Failure {
    /// The longest text, in bytes.
    pub const MAX_TEXT: usize = 2 * 1024;

    /// How many bytes of an answer's body go into the text.
    pub const MAX_RESPONSE_TEXT: usize = 1024;

    /// A failure from its stored parts; a text that is too long is cut.
    pub fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        let mut text = text.into();
        truncate(&mut text, Self::MAX_TEXT);
        Self { kind, text }
    }

    /// What is wrong with `outcome`; nothing, when it is a 2xx.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        Some(match outcome {
            Outcome::Answered(response) if response.status.is_success() => return None,
            Outcome::Answered(response) => Self::new(FailureKind::Status, status_text(response)),
            Outcome::NotAnswered(error) => Self::new(error.kind().into(), error_text(error)),
            Outcome::NotSigned(error) => Self::new(FailureKind::Local, error_text(error)),
            Outcome::Unknown => {
                Self::new(FailureKind::Unknown, "the worker was lost during this attempt")
            }
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `status 503: <text>`, the text cut and its control characters made harmless.
fn status_text(response: &Response) -> String {
    let body = response.body.get(..Failure::MAX_RESPONSE_TEXT).unwrap_or(&response.body);
    let clean = harmless(&String::from_utf8_lossy(body));
    match clean.trim() {
        "" => format!("status {}", response.status.as_u16()),
        text => format!("status {}: {text}", response.status.as_u16()),
    }
}

/// An error and what caused it, each said once.
fn error_text(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Some libraries repeat what their cause says.
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    harmless(&text)
}

/// The text without control characters: it is shown on terminals, and parts of it come from others.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The class of a failure.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum FailureKind {
    /// A status outside 200 to 299.
    Status,
    /// An address that the policy refuses.
    Blocked,
    /// The name could not be resolved.
    Resolve,
    /// No connection.
    Connect,
    /// No secure connection.
    Tls,
    /// The time was used up.
    Timeout,
    /// A kept connection had been closed by the receiver.
    StaleConnection,
    /// The connection ended during the exchange.
    Interrupted,
    /// The answer is not HTTP/1.1, or too much of it.
    Protocol,
    /// Our own fault: could not sign, or out of resources.
    Local,
    /// The worker was lost.
    Unknown,
    /// Anything else.
    Other,
}

impl FailureKind {
    const ALL: [(Self, &str); 12] = [
        (Self::Status, "status"),
        (Self::Blocked, "blocked"),
        (Self::Resolve, "resolve"),
        (Self::Connect, "connect"),
        (Self::Tls, "tls"),
        (Self::Timeout, "timeout"),
        (Self::StaleConnection, "stale-connection"),
        (Self::Interrupted, "interrupted"),
        (Self::Protocol, "protocol"),
        (Self::Local, "local"),
        (Self::Unknown, "unknown"),
        (Self::Other, "other"),
    ];

    /// Its name in records.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("other", |(_, name)| name)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FailureKind {
    type Err = std::convert::Infallible;

    /// A name that this version does not know is `Other`: a newer worker may have written it.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map_or(Self::Other, |(kind, _)| *kind))
    }
}

serde_as_text!(FailureKind);

impl From<TransportErrorKind> for FailureKind {
    fn from(kind: TransportErrorKind) -> Self {
        match kind {
            TransportErrorKind::BlockedLiteral | TransportErrorKind::BlockedName => Self::Blocked,
            TransportErrorKind::Resolve => Self::Resolve,
            TransportErrorKind::Connect => Self::Connect,
            TransportErrorKind::Tls(_) => Self::Tls,
            TransportErrorKind::Timeout(_) => Self::Timeout,
            TransportErrorKind::StaleConnection => Self::StaleConnection,
            TransportErrorKind::Interrupted(_) => Self::Interrupted,
            TransportErrorKind::Protocol => Self::Protocol,
            TransportErrorKind::Local => Self::Local,
            TransportErrorKind::Other => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exchange::{Phase, TlsFailure};
    use http::StatusCode;
    use proptest::prelude::*;

    fn text_of(status: u16, body: impl Into<Bytes>) -> String {
        let response = Response::new(StatusCode::from_u16(status).unwrap()).with_body(body);
        Failure::of(&Outcome::Answered(response)).unwrap().text
    }

    #[test]
    fn a_status_is_told_with_the_beginning_of_its_text() {
        assert_eq!(text_of(503, "try later"), "status 503: try later");
        assert_eq!(text_of(302, ""), "status 302");
        assert_eq!(text_of(500, "a\u{1b}[31m\r\nb"), "status 500: a [31m  b");
        assert_eq!(text_of(500, vec![b'x'; 5000]).len(), "status 500: ".len() + 1024);
        assert!(text_of(500, vec![0xff; 5000]).len() <= Failure::MAX_TEXT);
    }

    #[test]
    fn an_error_says_each_cause_once() {
        let error = TransportError::because(TransportErrorKind::Connect, "connection refused");
        let failure = Failure::of(&Outcome::NotAnswered(error)).unwrap();
        assert_eq!(failure.text, "could not connect: connection refused");
        assert_eq!(failure.kind, FailureKind::Connect);
    }

    #[test]
    fn kinds_have_stable_names() {
        for (kind, name) in FailureKind::ALL {
            assert_eq!(kind.as_str(), name);
            assert_eq!(name.parse(), Ok(kind));
        }
        assert_eq!("from-the-future".parse(), Ok(FailureKind::Other));
    }

    #[test]
    fn each_outcome_but_a_2xx_is_a_failure_of_its_kind() {
        use TransportErrorKind as Kind;
        let not_answered = |kind| Outcome::NotAnswered(TransportError::new(kind));
        let table = [
            (not_answered(Kind::BlockedLiteral), FailureKind::Blocked),
            (not_answered(Kind::BlockedName), FailureKind::Blocked),
            (not_answered(Kind::Resolve), FailureKind::Resolve),
            (not_answered(Kind::Connect), FailureKind::Connect),
            (not_answered(Kind::Tls(TlsFailure::Expired)), FailureKind::Tls),
            (not_answered(Kind::Timeout(Phase::Head)), FailureKind::Timeout),
            (not_answered(Kind::StaleConnection), FailureKind::StaleConnection),
            (not_answered(Kind::Interrupted(Phase::Write)), FailureKind::Interrupted),
            (not_answered(Kind::Protocol), FailureKind::Protocol),
            (not_answered(Kind::Local), FailureKind::Local),
            (not_answered(Kind::Other), FailureKind::Other),
            (Outcome::NotSigned(SignerError::new("no key")), FailureKind::Local),
            (Outcome::Unknown, FailureKind::Unknown),
        ];
        for (outcome, kind) in table {
            assert_eq!(
                Failure::of(&outcome).map(|failure| failure.kind),
                Some(kind),
                "{outcome:?}"
            );
        }
        assert_eq!(Failure::of(&Outcome::Answered(Response::new(StatusCode::OK))), None);
    }

    proptest! {
        #[test]
        fn whatever_a_receiver_says_its_text_is_short_and_harmless(
            status in 100u16..1000, body in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..3000),
                ".{0,900}".prop_map(String::into_bytes),
                "[\u{1b}\u{9b}\r\n\u{85}\u{1f600}]{0,900}".prop_map(String::into_bytes),
            ],
        ) {
            let response = Response::new(StatusCode::from_u16(status).unwrap()).with_body(body);
            let Some(failure) = Failure::of(&Outcome::Answered(response)) else {
                prop_assert!((200..300).contains(&status));
                return Ok(());
            };
            prop_assert!(failure.text.len() <= Failure::MAX_TEXT);
            prop_assert!(!failure.text.chars().any(char::is_control), "{:?}", failure.text);
        }

        #[test]
        fn whatever_an_error_says_its_text_is_short_and_harmless(message in "(?s).{0,3000}") {
            for outcome in [
                Outcome::NotAnswered(TransportError::because(TransportErrorKind::Other, message.clone())),
                Outcome::NotSigned(SignerError::new(message.clone())),
            ] {
                let text = Failure::of(&outcome).unwrap().text;
                prop_assert!(text.len() <= Failure::MAX_TEXT);
                prop_assert!(!text.chars().any(char::is_control), "{text:?}");
            }
        }
    }
}
