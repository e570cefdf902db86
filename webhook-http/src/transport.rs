//! One exchange over HTTP/1.1, from the policy to the end of the answer.
//!
//! The straight way, each step a file: the [`guard`] admits the URL, [`resolve`] looks the name up
//! once, the guard vets every address, [`connect`] dials exactly those, [`tls`] secures the
//! connection, [`connection`] writes the request and reads the answer, [`pool`] keeps the
//! connection for a moment. One deadline covers it all; each step says in which phase it ran out.
//!
//! Before all that, [`hosts`] sees that one host is not sent more at once than it may be. Where the
//! operator has named a proxy, [`proxy`] takes the place of look-up and dialling.
//!
//! What is not here: redirects, retries, cookies, decompression. Nothing reads the environment, so
//! no variable can send a request elsewhere.

mod builder;
#[cfg(feature = "check")]
mod check;
mod connect;
mod connection;
mod error;
#[cfg(feature = "__fuzzing")]
mod fuzzing;
mod guard;
mod hosts;
mod metered_stream;
mod pool;
mod proxy;
mod resolve;
mod tls;

use std::{
    borrow::Cow,
    fmt,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{
    HeaderMap, Method,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};
use http_body_util::Full;
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};
use url::Host;
use webhook_core::{
    EndpointTls, EndpointUrl,
    transport::{Phase, Request, Response, Transport, TransportError, TransportErrorKind},
};

pub use builder::{HttpTransportBuilder, TransportBuildError};
#[cfg(feature = "check")]
pub use check::{CheckedAddress, CheckedCertificate, CheckedStep, EndpointCheck, StepResult};
use connection::{Connection, ExchangeFailure, Message};
use error::within;
#[cfg(feature = "__fuzzing")]
pub use fuzzing::FuzzConnection;
pub use guard::{AddressPolicy, HostPattern, InvalidHostPattern, InvalidNat64Prefix, Nat64Prefix};
use guard::{blocked, blocked_literal};
use hosts::{Hosts, KnownHost};
pub use proxy::{InvalidProxy, Proxy};
use resolve::Resolve;
pub use tls::TlsVersion;
use tls::{TlsClient, TlsClients};

/// The [`Transport`] port over HTTP/1.1, with TLS 1.2 and 1.3.
///
/// - **Where to.** Only `https`, and only addresses that are globally reachable: every address a
///   name resolves to is vetted, one refused address refuses them all, and a vetted address is what
///   is dialled. Redirects are never followed and proxies from the environment are ignored.
/// - **How long.** One deadline, [`Request::timeout`], covers everything. An answer counts once its
///   head is complete; of its body at most 64 KiB are read, and none of it is decompressed.
/// - **How many.** At most 64 requests are on their way to one host at once
///   ([`max_per_host`](HttpTransportBuilder::max_per_host)).
/// - **As whom.** An endpoint may have a client certificate and roots of its own ([`Request::tls`]).
///   Requests that differ in them share neither connections nor TLS sessions. Certificates are always
///   verified.
/// - **Connections** are kept for 3 s after a response that was read to its end. Each origin keeps as
///   many as its host may have requests. A request is written once: only one of which no byte was
///   written moves to another connection.
///
/// Must be used inside a tokio runtime with I/O and time enabled.
///
/// ```no_run
/// use std::sync::Arc;
/// use webhook_core::transport::Transport;
/// use webhook_http::HttpTransport;
///
/// let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new()?);
/// assert!(transport.accepts(&"https://billing.example/hooks".parse()?).is_ok());
/// assert!(transport.accepts(&"https://169.254.169.254/".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HttpTransport {
    policy: AddressPolicy,
    /// Through which everything goes, if there is one.
    proxy: Option<Proxy>,
    resolver: Box<dyn Resolve>,
    hosts: Hosts,
    tls: TlsClients,
}

impl HttpTransport {
    /// A transport with the defaults, which trusts the roots of the platform.
    ///
    /// # Errors
    ///
    /// [`TransportBuildError::NoRoots`] where the platform has no root certificates, as in many
    /// containers; the feature `webpki-roots` brings some.
    pub fn new() -> Result<Self, TransportBuildError> {
        Self::builder().build()
    }

    /// Starts a transport with other settings.
    pub fn builder() -> HttpTransportBuilder {
        HttpTransportBuilder::default()
    }

    /// Sends `message` on a new connection.
    async fn exchange_on_new_connection(
        &self,
        destination: &Destination<'_>,
        message: Message,
        keep: usize,
        mut time: Pin<&mut Sleep>,
    ) -> Result<Response, TransportError> {
        let mut connection =
            self.connect(destination.url, &destination.client, time.deadline()).await?;
        let pending = pin!(connection.start_exchange(message));
        match connection.read_response(pending, keep, time.as_mut()).await {
            Ok(response) => {
                destination.host.pool.put(&destination.pool_key, connection);
                Ok(response)
            }
            Err(ExchangeFailure::NotWritten(..)) if connection.has_response_byte() => {
                Err(unsolicited_data())
            }
            Err(ExchangeFailure::NotWritten(_, error) | ExchangeFailure::Failed(error)) => {
                Err(error)
            }
        }
    }

    async fn connect(
        &self,
        url: &EndpointUrl,
        client: &TlsClient,
        deadline: Instant,
    ) -> Result<Connection, TransportError> {
        let stream = match &self.proxy {
            None => self.dial(url, deadline).await?,
            Some(proxy) => self.tunnel(proxy, url, deadline).await?,
        };
        tracing::debug!(%url, address = ?stream.peer_addr().ok(), "connected");
        if url.is_https() {
            let secured = tls::secure(&client.connector, url.host(), stream);
            Connection::open(within(deadline, Phase::Tls, secured).await?).await
        } else {
            Connection::open(stream).await
        }
    }

    /// A connection to a vetted address of the host of `url`.
    async fn dial(
        &self,
        url: &EndpointUrl,
        deadline: Instant,
    ) -> Result<TcpStream, TransportError> {
        let addresses = within(deadline, Phase::Resolve, self.addresses(url)).await?;
        let stream = connect::dial(&addresses, deadline).await?;
        self.judge_ends(url, &stream)?;
        Ok(stream)
    }

    /// Refuses a connection that leads back to this process.
    fn judge_ends(&self, url: &EndpointUrl, stream: &TcpStream) -> Result<(), TransportError> {
        let (Ok(ours), Ok(theirs)) = (stream.local_addr(), stream.peer_addr()) else {
            // Closed again already; whoever writes to it will see why.
            return Ok(());
        };
        self.policy.judge_ends(ours, theirs).map_err(|refused| blocked(url, refused))
    }

    /// Where `url` may be dialled: one look-up, every answer vetted.
    async fn addresses(&self, url: &EndpointUrl) -> Result<Vec<SocketAddr>, TransportError> {
        let found = match url.host() {
            // The guard has seen the literal already, with the URL.
            Host::Ipv4(literal) => vec![literal.into()],
            Host::Ipv6(literal) => vec![literal.into()],
            Host::Domain(name) => {
                let found = self.resolver.resolve(name).await?;
                let mut judged = found.iter().map(|one| self.policy.judge_address(url, *one));
                judged.try_for_each(|verdict| verdict).map_err(|refused| blocked(url, refused))?;
                found
            }
        };
        Ok(connect::order(found, url.port()))
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        // Taken apart, so that what is under way holds nothing twice.
        let Request { url, headers, body, timeout, max_response_body: keep, tls, .. } = request;
        self.policy.judge(&url).map_err(blocked_literal)?;
        // One timer for the exchange and the rest of the answer.
        let mut time = pin!(sleep_until(deadline(timeout)));
        let destination =
            Destination::new(&url, self.hosts.at(&url), self.tls.client(tls.as_deref())?);
        let _permit = destination.host.acquire(time.deadline()).await?;
        let mut message = compose(&url, headers, body);
        loop {
            // Not `while let`, which would hold what it looks at for as long as its body.
            let Some(mut connection) = destination.host.pool.take(&destination.pool_key) else {
                break;
            };
            let pending = pin!(connection.start_exchange(message));
            match connection.read_response(pending, keep, time.as_mut()).await {
                Ok(response) => {
                    destination.host.pool.put(&destination.pool_key, connection);
                    return Ok(response);
                }
                Err(ExchangeFailure::NotWritten(unsent, _)) => message = *unsent,
                Err(ExchangeFailure::Failed(error)) => return Err(error),
            }
        }
        // Boxed: it is rare and large, and every exchange would carry its room.
        Box::pin(self.exchange_on_new_connection(&destination, message, keep, time)).await
    }

    /// Each step waits for its end or for that of the time.
    fn enforces_timeout(&self) -> bool {
        true
    }

    fn accepts(&self, url: &EndpointUrl) -> Result<(), TransportError> {
        self.policy.judge(url).map_err(blocked_literal)
    }

    fn accepts_tls(&self, tls: &EndpointTls) -> Result<(), TransportError> {
        self.tls.client(Some(tls)).map(drop)
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("policy", &self.policy)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

/// Receiver of a request, and the TLS client that secures the connection.
struct Destination<'r> {
    url: &'r EndpointUrl,
    host: Arc<KnownHost>,
    client: Cow<'r, TlsClient>,
    /// Key of its connections in the pool: the origin and the label of the TLS client. An origin
    /// contains no `#`, so that each key has one reading.
    pool_key: Cow<'r, str>,
}

impl<'r> Destination<'r> {
    fn new(url: &'r EndpointUrl, host: Arc<KnownHost>, client: Cow<'r, TlsClient>) -> Self {
        let (origin, label) = (origin(url), client.label());
        let pool_key =
            if label.is_empty() { origin.into() } else { format!("{origin}#{label}").into() };
        Self { url, host, client, pool_key }
    }
}

/// The request as it is written: framing and `Host` are ours, whatever the headers say.
fn compose(url: &EndpointUrl, mut headers: HeaderMap, body: Bytes) -> Message {
    headers.remove(TRANSFER_ENCODING);
    headers.insert(HOST, url.host_header().clone());
    headers.insert(CONTENT_LENGTH, body.len().into());
    let mut message = Message::new(Full::new(body));
    *message.method_mut() = Method::POST;
    *message.uri_mut() = url.target().clone().into();
    *message.headers_mut() = headers;
    message
}

fn unsolicited_data() -> TransportError {
    let reason = "the receiver spoke before it was asked; is this an HTTP port?";
    TransportError::because(TransportErrorKind::Protocol, reason)
}

/// Scheme, host and port, as the normalised URL begins.
fn origin(url: &EndpointUrl) -> &str {
    url.as_str().strip_suffix(url.target().as_str()).unwrap_or_default()
}

fn deadline(timeout: Duration) -> Instant {
    /// Longer than any useful timeout, and short enough that the addition cannot overflow.
    const MAX_EXCHANGE_TIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + timeout.min(MAX_EXCHANGE_TIME)
}

#[cfg(test)]
mod tests;
