//! The way out: one signed request, one answer.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;

use crate::model::{
    exchange::{Response, TransportError, TransportErrorKind},
    tls::EndpointTls,
    url::EndpointUrl,
};

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
///   longer risks a second worker taking over the delivery; the engine cuts a call off shortly
///   after, unless the transport [enforces the timeout](Self::enforces_timeout) itself.
/// - **Dropping the future abandons the exchange** and leaves the transport usable.
///
/// A wrong [`TransportErrorKind`] costs precision, not correctness: when in doubt, say `Other`.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends `request` as a POST and reads at most [`Request::max_response_body`] bytes of the
    /// answer's body.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;

    /// Returns true if no call ever takes longer than [`Request::timeout`], regardless of the
    /// receiver, the name server and the network.
    ///
    /// The engine then saves the timer that would cut off the call. The deadline cases of the
    /// conformance suite show whether a transport may return true.
    fn enforces_timeout(&self) -> bool {
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
