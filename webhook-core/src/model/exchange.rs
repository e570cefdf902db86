//! Values of one exchange with a receiver: the response, and the errors that end it early.

use std::{error::Error, fmt};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// Response of a receiver whose head arrived completely.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response {
    /// Status of the final response; interim responses (1xx) are skipped.
    pub status: StatusCode,
    /// Headers of the response.
    pub headers: HeaderMap,
    /// Beginning of the body, up to the limit of the request. A truncated body is not an error.
    pub body: Bytes,
}

impl Response {
    /// Creates a response with this status, no headers and an empty body.
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
    /// Shows neither header values nor the body: both belong to the receiver.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().map(http::HeaderName::as_str).collect();
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Failure of an exchange before a complete response head arrived.
///
/// The kind decides the next step. The source gives the cause to operators; it may name internal
/// addresses.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TransportError {
    /// Creates an error of this kind without a source.
    pub const fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Creates an error of this kind with its source.
    pub fn because(
        kind: TransportErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// Kind of the failure.
    pub const fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

/// Kinds of failed exchanges. [`classify`](crate::policy::classify) turns each into a verdict.
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
    /// A reused connection ended without one byte of a response. Retried after the first wait.
    #[error("the receiver closed the kept connection")]
    StaleConnection,
    /// The connection ended in this phase. Retried; the receiver may have acted on it.
    #[error("connection lost {0}")]
    Interrupted(Phase),
    /// The response is not valid HTTP/1.1, or its head is too large. Retried.
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

/// Phases of an exchange, in order.
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

/// Failure of a signer.
#[derive(Debug, thiserror::Error)]
#[error("could not sign")]
pub struct SignerError {
    source: Box<dyn Error + Send + Sync>,
}

impl SignerError {
    /// Creates an error with its source.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: source.into() }
    }
}
