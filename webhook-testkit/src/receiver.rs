//! A receiver on a real socket, that misbehaves on demand.

mod connection;
mod hostile;
mod misbehaviour;
mod reply;

use std::{
    collections::VecDeque,
    fmt,
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::forbidden::watch_if_asked;
use connection::serve;
#[doc(hidden)]
pub use connection::{read_head, read_more};
pub use misbehaviour::{Head, Misbehaviour};
pub use reply::Reply;
use reply::ReplyStart;

/// A receiver on `127.0.0.1`, written without an HTTP library so that it can do what none would.
///
/// It answers by script, the last reply again and again, and keeps every request with the raw bytes
/// of its head. Dropping it closes the port and all connections. Needs a tokio runtime.
///
/// ```
/// use webhook_testkit::{Reply, TestReceiver};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let receiver = TestReceiver::answering([503, 200]).await; // then 200 again and again
/// let slow = TestReceiver::answering([Reply::never()]).await;
/// assert!(receiver.url().starts_with("http://127.0.0.1:"));
/// // ... send something to receiver.url() ...
/// # use tokio::io::AsyncWriteExt;
/// # let mut stream = tokio::net::TcpStream::connect(receiver.addr()).await.unwrap();
/// # stream.write_all(b"POST /hooks HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
/// let requests = receiver.received(1).await;
/// assert_eq!(requests[0].body, "{}");
/// # });
/// ```
pub struct TestReceiver {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// A request as it came in.
#[derive(Clone)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// The bytes of the head as they came, the empty line included.
    pub head: Bytes,
    /// The method.
    pub method: String,
    /// Path and query, as in the request line.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Which connection it came on, from 1.
    pub connection: usize,
}

/// State that the tasks of a receiver share.
#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Reply>>,
    log: watch::Sender<ReceiverLog>,
}

#[derive(Default)]
struct ReceiverLog {
    connections: usize,
    requests: Vec<ReceivedRequest>,
}

/// Maximum time for which a test waits for requests.
const MAX_REQUEST_WAIT: Duration = Duration::from_secs(20);

impl TestReceiver {
    /// A receiver that answers by this script: statuses such as `503`, or [`Reply`]s. The last one
    /// is repeated; an empty script always answers 200.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    #[expect(clippy::expect_used, reason = "a test without a socket has failed")]
    pub async fn answering(script: impl IntoIterator<Item = impl Into<Reply>>) -> Self {
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::at(addr, script).await.expect("a free port")
    }

    /// A receiver at this address.
    ///
    /// # Errors
    ///
    /// If the address is not free.
    #[doc(hidden)]
    pub async fn at(
        addr: SocketAddr,
        script: impl IntoIterator<Item = impl Into<Reply>>,
    ) -> io::Result<Self> {
        watch_if_asked();
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let script = Mutex::new(script.into_iter().map(Into::into).collect());
        let shared = Arc::new(Shared { script, log: watch::Sender::default() });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { addr, shared, accepting })
    }

    /// A receiver whose queue of connections is full: to connect takes for ever, as with an address
    /// behind a firewall that says nothing. So it is on Linux; other systems may refuse instead.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    #[expect(clippy::expect_used, reason = "a test without a socket has failed")]
    pub async fn unreachable() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let listener = socket.listen(1).expect("a bound socket can listen");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let queue = fill(addr).await;
        let hold = async move {
            let _held = (listener, queue);
            pending::<()>().await;
        };
        Self { addr, shared: Arc::default(), accepting: tokio::spawn(hold) }
    }

    /// Answers by this script from now on, whatever is left of the one before.
    pub fn answers(&self, script: impl IntoIterator<Item = impl Into<Reply>>) {
        let script = script.into_iter().map(Into::into).collect();
        *self.shared.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A URL that it answers, as it answers any.
    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.addr)
    }

    /// The same as `https`. It speaks no TLS, so that no handshake ever ends well; with a reply that
    /// comes [unasked](Reply::unasked) it says something else instead.
    pub fn https_url(&self) -> String {
        format!("https://{}/hooks", self.addr)
    }

    /// The requests so far, in the order they were complete.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.shared.log.borrow().requests.clone()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.shared.log.borrow().connections
    }

    /// Waits until at least `count` requests are there, and returns all of them.
    ///
    /// # Panics
    ///
    /// When they do not come within 20 seconds.
    pub async fn received(&self, count: usize) -> Vec<ReceivedRequest> {
        self.wait(|log| log.requests.len() >= count, count, "requests").await;
        self.requests()
    }

    /// Waits until at least `count` connections were made.
    ///
    /// # Panics
    ///
    /// When they do not come within 20 seconds.
    pub async fn connected(&self, count: usize) {
        self.wait(|log| log.connections >= count, count, "connections").await;
    }

    /// Stops listening: whoever connects from now on is refused.
    pub async fn close(mut self) {
        self.accepting.abort();
        // An aborted task has let go of the socket when it has ended.
        let _ = (&mut self.accepting).await;
    }

    #[expect(clippy::panic, reason = "what does not come has failed the test")]
    async fn wait(&self, enough: impl Fn(&ReceiverLog) -> bool, count: usize, what: &str) {
        let mut log = self.shared.log.subscribe();
        let arrived = tokio::time::timeout(MAX_REQUEST_WAIT, log.wait_for(|log| enough(log))).await;
        if arrived.is_err() {
            panic!("waited for {count} {what} without success; there is {self:?}");
        }
    }
}

impl Drop for TestReceiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    /// The next reply of the script; the last one stays.
    fn next_reply(&self) -> Reply {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        next(&mut script)
    }

    /// The next reply of the script, if it begins so early.
    fn next_if(&self, begins: ReplyStart) -> Option<Reply> {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.front().is_some_and(|reply| reply.begins == begins).then(|| next(&mut script))
    }

    fn log_connection(&self) -> usize {
        self.log.send_modify(|log| log.connections += 1);
        self.log.borrow().connections
    }

    fn log_request(&self, request: ReceivedRequest) {
        self.log.send_modify(|log| log.requests.push(request));
    }
}

fn next(script: &mut MutexGuard<'_, VecDeque<Reply>>) -> Reply {
    let reply = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
    reply.unwrap_or_else(|| Reply::status(200))
}

/// Connects until nobody gets in any more.
async fn fill(addr: SocketAddr) -> Vec<TcpStream> {
    /// Maximum time of connecting on one machine.
    const MAX_CONNECT_TIME: Duration = Duration::from_millis(50);
    /// Maximum number of connections. No system accepts as many for a queue of one.
    const MAX_QUEUED_CONNECTIONS: usize = 100;
    let mut queue = Vec::new();
    while queue.len() < MAX_QUEUED_CONNECTIONS {
        match tokio::time::timeout(MAX_CONNECT_TIME, TcpStream::connect(addr)).await {
            Ok(Ok(stream)) => queue.push(stream),
            _ => break,
        }
    }
    queue
}

/// Takes connections until it is aborted; they end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = shared.log_connection();
        connections.spawn(serve(stream, number, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

impl fmt::Debug for TestReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = self.shared.log.borrow();
        f.debug_struct("TestReceiver")
            .field("addr", &self.addr)
            .field("connections", &log.connections)
            .field("requests", &log.requests.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ReceivedRequest {
    /// Neither header values nor the body: tests print what they need themselves.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("method", &self.method)
            .field("head_bytes", &self.head.len())
            .field("body_bytes", &self.body.len())
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
