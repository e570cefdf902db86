//! A small receiver for development, on plain HTTP/1.1.
//!
//! It sends the responses of a handler, delayed if wanted, or none, so that a sender can be
//! observed without a real receiver. It is not a server for production: no TLS, no limit on
//! connections.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// A request as it arrived.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// When its body was complete, by this machine's clock.
    pub at: SystemTime,
    /// Who sent it.
    pub from: SocketAddr,
    /// The method.
    pub method: Method,
    /// The target of the request line: path and query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Bytes,
}

/// Response of a [`Receiver`] to one request.
#[derive(Clone, Debug)]
#[must_use]
pub struct ReceiverResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    delay: Option<Duration>,
    silent: bool,
}

impl ReceiverResponse {
    /// Creates a response with this status, without delay, headers or body.
    pub fn status(status: StatusCode) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { status, headers, body, delay: None, silent: false }
    }

    /// Sends no response: the sender waits until its deadline.
    pub fn never() -> Self {
        Self { silent: true, ..Self::status(StatusCode::OK) }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits before the response is sent.
    pub const fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }
}

/// A development receiver, bound to an address.
///
/// ```
/// use http::StatusCode;
/// use webhook_http::{ReceiverResponse, Receiver};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let receiver = Receiver::bind("127.0.0.1:0".parse()?).await?;
/// println!("listening on http://{}", receiver.local_addr());
/// # let shutdown = async {};
/// receiver
///     .serve(
///         |request| {
///             println!("{} {}: {} bytes", request.method, request.uri, request.body.len());
///             ReceiverResponse::status(StatusCode::OK)
///         },
///         shutdown,
///     )
///     .await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Receiver {
    listener: TcpListener,
    address: SocketAddr,
}

impl Receiver {
    /// The longest request body, in bytes; a longer one gets status 413.
    pub const MAX_BODY: usize = 4 * 1024 * 1024;

    /// Time that a shutdown waits for responses that have begun.
    const MAX_DRAIN: Duration = Duration::from_millis(500);

    /// Listens on `address`; port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// [`BindError`] says what to do about it.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|error| BindError::new(address, error))?;
        let address = listener.local_addr().map_err(|error| BindError::new(address, error))?;
        Ok(Self { listener, address })
    }

    /// The address it listens on, with the port that was taken.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Responds to requests with `handler` until `shutdown` ends, then waits up to half a second
    /// for responses that have begun.
    pub async fn serve<H>(self, handler: H, shutdown: impl Future<Output = ()>)
    where
        H: Fn(ReceivedRequest) -> ReceiverResponse + Send + Sync + 'static,
    {
        let handler: Arc<Handler> = Arc::new(handler);
        let (stop, stopped) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut shutdown = Box::pin(shutdown);
        loop {
            while connections.try_join_next().is_some() {}
            let accept = Box::pin(self.listener.accept());
            let accepted = match select(&mut shutdown, accept).await {
                Either::Left(_) => break,
                Either::Right((accepted, _)) => accepted,
            };
            match accepted {
                Ok((stream, from)) => {
                    let handler = Arc::clone(&handler);
                    connections.spawn(converse(stream, from, handler, stopped.clone()));
                }
                Err(error) => rest_after(&error).await,
            }
        }
        drop(stop);
        // Connections that are left end with the set.
        let _ =
            timeout(Self::MAX_DRAIN, async { while connections.join_next().await.is_some() {} })
                .await;
    }
}

type Handler = dyn Fn(ReceivedRequest) -> ReceiverResponse + Send + Sync;

/// A failed accept (no file descriptor, as a rule) fails again at once: wait a little.
async fn rest_after(error: &io::Error) {
    tracing::debug!(%error, "could not accept a connection");
    sleep(Duration::from_millis(50)).await;
}

/// Serves one connection. After a stop it ends with the current response.
async fn converse(
    stream: TcpStream,
    from: SocketAddr,
    handler: Arc<Handler>,
    mut stopped: watch::Receiver<()>,
) {
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(respond(request, from, &*handler).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let stop = Box::pin(stopped.changed());
    let ended = match select(connection, stop).await {
        Either::Left((ended, _)) => ended,
        Either::Right((_, mut connection)) => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%from, %error, "a connection ended early");
    }
}

async fn respond(
    request: http::Request<Incoming>,
    from: SocketAddr,
    handler: &Handler,
) -> http::Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, Receiver::MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return refuse(error.is::<http_body_util::LengthLimitError>()),
    };
    let chosen = handler(ReceivedRequest {
        at: SystemTime::now(),
        from,
        method: head.method,
        uri: head.uri,
        headers: head.headers,
        body,
    });
    if chosen.silent {
        std::future::pending::<()>().await;
    }
    if let Some(delay) = chosen.delay {
        sleep(delay).await;
    }
    let mut response = http::Response::new(Full::new(chosen.body));
    *response.status_mut() = chosen.status;
    *response.headers_mut() = chosen.headers;
    response
}

fn refuse(too_long: bool) -> http::Response<Full<Bytes>> {
    let status = if too_long { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
    let mut response = http::Response::default();
    *response.status_mut() = status;
    response
}

/// The receiver cannot listen on an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another program has the port.
    #[error(
        "{address} is already in use; stop the program that listens there, or choose another port (0 takes a free one)"
    )]
    InUse {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// This user may not listen there.
    #[error("no permission to listen on {address}; choose a port above 1023")]
    NotPermitted {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// Anything else, such as an address that is not this machine's.
    #[error("cannot listen on {address}; choose an address of this machine, such as 127.0.0.1:0")]
    Other {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl BindError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { address },
            _ => Self::Other { address, source },
        }
    }
}
