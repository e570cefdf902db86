//! Responses of a scripted transport.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{self},
};
use webhook_core::transport::{Phase, Response, TransportError, TransportErrorKind};

/// Response of a [`ScriptedTransport`](crate::ScriptedTransport) to one request, or its failure.
///
/// Its text is the one in a [`Timeline`](crate::Timeline): `503`, `429 after 600s`, `timeout`.
#[derive(Clone, Debug)]
pub struct ScriptedResponse {
    ending: Ending,
    delay: Duration,
}

#[derive(Clone, Debug)]
enum Ending {
    Response(Response),
    Fault(TransportErrorKind),
    /// The request's own deadline passes first.
    Timeout,
    Silence,
}

/// An answer with this status and nothing else.
///
/// # Panics
///
/// When `code` is no status: not between 100 and 999.
#[expect(clippy::panic, reason = "a script that cannot be is a mistake in the test")]
pub fn status(code: u16) -> ScriptedResponse {
    match StatusCode::from_u16(code) {
        Ok(status) => ScriptedResponse::new(Ending::Response(Response::new(status))),
        Err(_) => panic!("{code} is no status; expected 100 to 999"),
    }
}

/// No answer within the request's deadline. Takes the whole of it, by the transport's clock.
pub const fn timeout() -> ScriptedResponse {
    ScriptedResponse::new(Ending::Timeout)
}

/// Nobody listens.
pub const fn refused() -> ScriptedResponse {
    fault(TransportErrorKind::Connect)
}

/// The connection ends while the answer is waited for.
pub const fn reset() -> ScriptedResponse {
    fault(TransportErrorKind::Interrupted(Phase::Head))
}

/// A kept connection turns out to be closed.
pub const fn stale() -> ScriptedResponse {
    fault(TransportErrorKind::StaleConnection)
}

/// The exchange ends with an error of this kind.
pub const fn fault(kind: TransportErrorKind) -> ScriptedResponse {
    ScriptedResponse::new(Ending::Fault(kind))
}

/// Nothing, ever: a transport that does not keep its deadline either.
pub const fn silence() -> ScriptedResponse {
    ScriptedResponse::new(Ending::Silence)
}

impl ScriptedResponse {
    const fn new(ending: Ending) -> Self {
        Self { ending, delay: Duration::ZERO }
    }

    /// Adds `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after_secs(self, secs: u64) -> Self {
        self.with(|headers| {
            headers.insert(header::RETRY_AFTER, secs.into());
        })
    }

    /// Adds a header.
    #[must_use]
    pub fn header(self, name: HeaderName, value: &'static str) -> Self {
        self.with(|headers| {
            headers.append(name, HeaderValue::from_static(value));
        })
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        if let Ending::Response(response) = &mut self.ending {
            response.body = body.into();
        }
        self
    }

    /// Comes so much later, by the transport's clock.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn with(mut self, change: impl FnOnce(&mut HeaderMap)) -> Self {
        if let Ending::Response(response) = &mut self.ending {
            change(&mut response.headers);
        }
        self
    }

    /// How long it takes to come, given the request's deadline; `None` for ever.
    pub(crate) const fn takes(&self, deadline: Duration) -> Option<Duration> {
        match self.ending {
            Ending::Response(_) | Ending::Fault(_) => Some(self.delay),
            Ending::Timeout => Some(deadline),
            Ending::Silence => None,
        }
    }

    /// What the transport returns.
    pub(crate) fn into_result(self, max_body: usize) -> Result<Response, TransportError> {
        match self.ending {
            Ending::Response(mut response) => {
                response.body.truncate(max_body);
                Ok(response)
            }
            Ending::Fault(kind) => Err(TransportError::new(kind)),
            Ending::Timeout | Ending::Silence => {
                Err(TransportError::new(TransportErrorKind::Timeout(Phase::Head)))
            }
        }
    }
}

impl fmt::Display for ScriptedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ending {
            Ending::Response(response) => {
                write!(f, "{}", response.status.as_u16())?;
                match response.headers.get(header::RETRY_AFTER).map(HeaderValue::to_str) {
                    Some(Ok(secs)) => write!(f, " after {secs}s"),
                    _ => Ok(()),
                }
            }
            Ending::Fault(TransportErrorKind::Connect) => f.write_str("refused"),
            Ending::Fault(TransportErrorKind::Interrupted(_)) => f.write_str("reset"),
            Ending::Fault(kind) => f.write_str(webhook_core::FailureKind::from(*kind).as_str()),
            Ending::Timeout => f.write_str("timeout"),
            Ending::Silence => f.write_str("silence"),
        }
    }
}
