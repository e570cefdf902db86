//! The way out: one signed request, one answer.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::model::{tls::EndpointTls, url::EndpointUrl};

/// Sends one signed request and reports what came back.
///
/// The engine calls this once per attempt and decides everything else itself: when to try again,
/// when to stop, what a status means.
///
/// # Contract
///
/// - **One call, one exchange.** Never retry once a byte of the request was written, and never
///   follow a redirect.
/// - **Any status is `Ok`.** `Err` means that no complete response head arrived.
/// - **[`Request::timeout`] covers everything** from name resolution to the last body byte. Running
///   longer risks a second worker taking over the delivery; the engine cuts a call off shortly after,
///   unless the transport [keeps deadlines](Self::keeps_deadlines).
/// - **Dropping the future abandons the exchange** and leaves the transport usable.
///
/// A wrong [`TransportErrorKind`] costs precision, not correctness: when in doubt, say `Other`.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends `request` as a POST and reads at most [`Request::max_response_body`] bytes of the
    /// answer's body.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;

    /// Whether no call ever runs longer than [`Request::timeout`], whatever a receiver, a name server or the
    /// network does. One that says so is not watched: the engine spares the timer that would cut its
    /// calls off. Those of the conformance suite's cases that are about deadlines show whether it may.
    fn keeps_deadlines(&self) -> bool {
        false
    }

    /// Says, without sending anything, whether this transport would ever send to `url`: asked when
    /// an endpoint is registered, so that a mistake shows there and not three days later.
    ///
    /// # Errors
    ///
    /// [`TransportErrorKind::BlockedLiteral`] with the rule that refuses it.
    fn accepts(&self, url: &EndpointUrl) -> Result<(), TransportError> {
        let _ = url;
        Ok(())
    }

    /// Says whether this transport can secure connections in that way: asked when an endpoint is
    /// registered, so that a wrong key shows there. A transport that heeds [`Request::tls`] answers
    /// for it here; one that does not keeps this default, which refuses.
    ///
    /// # Errors
    ///
    /// [`TransportErrorKind::Local`] with the reason, which never repeats a key.
    fn accepts_tls(&self, tls: &EndpointTls) -> Result<(), TransportError> {
        if tls.is_empty() {
            return Ok(());
        }
        let reason =
            "this transport has neither client certificates nor roots for single endpoints";
        Err(TransportError::because(TransportErrorKind::Local, reason))
    }
}

/// One signed request: a POST of `body` to `url`.
///
/// `Host` and `Content-Length` are the transport's to set, from `url` and `body`.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// Where to.
    pub url: EndpointUrl,
    /// All headers but `Host` and `Content-Length`.
    pub headers: HeaderMap,
    /// The body, sent byte for byte.
    pub body: Bytes,
    /// The deadline of the whole exchange, counted from the call.
    pub timeout: Duration,
    /// How many bytes of the answer's body to keep; the rest is not waited for.
    pub max_response_body: usize,
    /// What secures the connection, where that is not what secures all others. Requests that differ
    /// in it never share a connection.
    pub tls: Option<Arc<EndpointTls>>,
}

impl Request {
    /// Bytes of an answer's body that are kept unless told otherwise.
    pub const MAX_RESPONSE_BODY: usize = 16 * 1024;

    /// A request with the default deadline of 30 s.
    pub fn new(url: EndpointUrl, headers: HeaderMap, body: Bytes) -> Self {
        let timeout = Duration::from_secs(30);
        let max_response_body = Self::MAX_RESPONSE_BODY;
        Self { url, headers, body, timeout, max_response_body, tls: None }
    }

    /// Sets the deadline.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets what secures the connection.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<Arc<EndpointTls>>) -> Self {
        self.tls = tls;
        self
    }
}

impl fmt::Debug for Request {
    /// Neither header values nor the body: both may hold what logs must not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().map(http::HeaderName::as_str).collect();
        f.debug_struct("Request")
            .field("url", &self.url)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// An answer whose head arrived completely.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response {
    /// The status of the final answer; 1xx are passed over.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The beginning of its body, as far as it was read; a body cut short is no error.
    pub body: Bytes,
}

impl Response {
    /// An answer with this status and nothing else.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Sets the headers.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl fmt::Debug for Response {
    /// Neither header values nor the body, as with a request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().map(http::HeaderName::as_str).collect();
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// No complete response head arrived.
///
/// The kind says what happens next; the source says why, for operators: it may name internal
/// addresses.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TransportError {
    /// An error of this kind, without a reason.
    pub const fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error of this kind, with its reason.
    pub fn because(
        kind: TransportErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// What stopped the exchange.
    pub const fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

/// What stopped the exchange; [`classify`](crate::classify) turns it into a verdict.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The URL itself names an address, a host or a scheme that the policy refuses. Not retried:
    /// the URL has to change.
    #[error("address not allowed")]
    BlockedLiteral,
    /// The name resolves to an address that the policy refuses. Retried: names change.
    #[error("address behind the name not allowed")]
    BlockedName,
    /// The name could not be resolved. Retried.
    #[error("name not resolved")]
    Resolve,
    /// No connection: refused or unreachable. Retried.
    #[error("could not connect")]
    Connect,
    /// No secure connection. Retried: certificates get renewed.
    #[error("no secure connection: {0}")]
    Tls(TlsFailure),
    /// The attempt used up its time in this phase. Retried; the receiver may have acted on it.
    #[error("timed out {0}")]
    Timeout(Phase),
    /// A reused connection ended without one byte of answer. Retried soon.
    #[error("the receiver closed the kept connection")]
    StaleConnection,
    /// The connection ended in this phase. Retried; the receiver may have acted on it.
    #[error("connection lost {0}")]
    Interrupted(Phase),
    /// What came back is not HTTP/1.1, or more of it than allowed. Retried.
    #[error("not a valid HTTP answer")]
    Protocol,
    /// This machine could not make the exchange: no file descriptor, no root certificates. Retried,
    /// and not counted against the receiver.
    #[error("this sender could not make the exchange")]
    Local,
    /// Anything else. Retried.
    #[error("exchange failed")]
    Other,
}

/// Where an exchange was.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Phase {
    /// Looking up the name.
    #[error("while resolving the name")]
    Resolve,
    /// Connecting.
    #[error("while connecting")]
    Connect,
    /// Agreeing on a secure connection.
    #[error("during the TLS handshake")]
    Tls,
    /// Writing the request.
    #[error("while sending the request")]
    Write,
    /// Waiting for the response head.
    #[error("while waiting for the response")]
    Head,
    /// Somewhere in the exchange; the transport cannot tell.
    #[error("during the exchange")]
    Exchange,
}

/// Why no secure connection came about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The receiver offers only versions or ciphers that are no longer safe.
    #[error("no common cipher")]
    NoCommonCipher,
    /// The certificate has expired.
    #[error("certificate expired")]
    Expired,
    /// The certificate is not valid yet.
    #[error("certificate not yet valid")]
    NotYetValid,
    /// Nobody we trust has signed the certificate.
    #[error("unknown certificate issuer")]
    UnknownIssuer,
    /// The certificate is for another name.
    #[error("certificate is for another name")]
    NameMismatch,
    /// The receiver asks for a client certificate.
    #[error("client certificate required")]
    ClientCertificateRequired,
    /// The receiver does not accept our client certificate.
    #[error("client certificate refused")]
    ClientCertificateRefused,
    /// The receiver does not speak HTTP/1.1 over TLS, such as one that speaks HTTP/2 alone.
    #[error("no common protocol")]
    NoCommonProtocol,
    /// What came back is not TLS, such as plain HTTP.
    #[error("the receiver does not speak TLS at this port")]
    NotTls,
    /// Anything else.
    #[error("handshake failed")]
    Other,
}
