//! One connection, and one exchange at a time on it.
//!
//! hyper splits a connection in two: a handle that takes requests, and a future that reads and
//! writes. Here both stay together and the future is polled by whoever waits for the answer: no
//! task of its own, no wake-up between two tasks for each request, and dropping the exchange closes
//! the socket at once.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, task::AtomicWaker};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body, Incoming},
    client::conn::{
        TrySendError,
        http1::{Builder, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::{Handle, Id},
    task::unconstrained,
    time::Sleep,
};
use webhook_core::transport::{Response, TransportError, TransportErrorKind};

use super::{
    error::{Progress, exchange_error},
    metered_stream::{ExchangeMeter, MeteredStream},
};

/// A request as it is written.
pub(super) type Message = http::Request<Full<Bytes>>;
/// A response whose head is complete.
pub(super) type IncomingResponse = http::Response<Incoming>;

/// The longest response head, in bytes; also the size of what hyper buffers. It may have 100
/// headers, which is hyper's default; naming it costs hyper an allocation for each answer.
const MAX_RESPONSE_HEAD_BYTES: usize = 64 * 1024;
/// Bytes of a response body read at most, so that the connection can be used again.
const MAX_RESPONSE_BODY_BYTES: usize = 64 * 1024;

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Reads and writes; gone once the connection has ended.
    driver: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    meter: Arc<ExchangeMeter>,
    reused: bool,
    /// True if the last response was read to its end.
    is_response_read: bool,
    caller: Arc<CallerWaker>,
    /// Wakes the caller.
    waker: Waker,
    /// Its socket is watched by this runtime, and serves no other.
    runtime: Id,
}

/// Waker of the caller that waits for a response; empty while the connection is idle. Sending the
/// next request wakes the task that the driver has seen last.
#[derive(Default)]
struct CallerWaker(AtomicWaker);

impl Wake for CallerWaker {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake();
    }
}

/// Future of the response to a message that hyper has taken.
pub(super) trait PendingResponse:
    Future<Output = Result<IncomingResponse, TrySendError<Message>>> + Send
{
}
impl<F: Future<Output = Result<IncomingResponse, TrySendError<Message>>> + Send> PendingResponse
    for F
{
}

/// An exchange without a response.
pub(super) enum ExchangeFailure {
    /// No byte of the request was written: it may go out on another connection.
    NotWritten(Box<Message>, TransportError),
    /// It may have arrived.
    Failed(TransportError),
}

impl Connection {
    /// Makes `stream` ready for requests; writes nothing yet.
    pub(super) async fn open<S>(stream: S) -> Result<Self, TransportError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let meter = Arc::new(ExchangeMeter::default());
        meter.begin_exchange();
        let stream = TokioIo::new(MeteredStream::new(stream, Arc::clone(&meter)));
        let (sender, connection) = Builder::new()
            .max_buf_size(MAX_RESPONSE_HEAD_BYTES)
            .handshake(stream)
            .await
            .map_err(|error| TransportError::because(TransportErrorKind::Other, error))?;
        // hyper tells the waiting exchange what went wrong; the future's own result repeats it.
        let driver = Box::pin(async move { drop(connection.await) });
        let (caller, runtime) = (Arc::new(CallerWaker::default()), Handle::current().id());
        let waker = Waker::from(Arc::clone(&caller));
        Ok(Self {
            sender,
            driver: Some(driver),
            meter,
            reused: false,
            is_response_read: true,
            caller,
            waker,
            runtime,
        })
    }

    /// Begins an exchange: queues `message`, which is written while
    /// [`read_response`](Self::read_response) waits. Two calls, so that the message moves once: one
    /// future for both would contain it.
    pub(super) fn start_exchange(&mut self, message: Message) -> impl PendingResponse + use<> {
        self.meter.begin_exchange();
        self.is_response_read = false;
        self.sender.try_send_request(message)
    }

    /// Reads the response and skips interim ones. Keeps `keep` bytes of the body. A response counts
    /// once its head is complete: a body that is too long, too slow or cut short is not an error,
    /// but it ends the connection.
    pub(super) async fn read_response(
        &mut self,
        pending: Pin<&mut impl PendingResponse>,
        keep: usize,
        mut time: Pin<&mut Sleep>,
    ) -> Result<Response, ExchangeFailure> {
        let (head, incoming) = match self.drive(pending, time.as_mut()).await {
            Some(Ok(answer)) => answer.into_parts(),
            Some(Err(error)) => return Err(self.failure_of(error)),
            None => {
                let kind = TransportErrorKind::Timeout(self.meter.phase());
                return Err(ExchangeFailure::Failed(TransportError::new(kind)));
            }
        };
        self.meter.complete_head();
        judge_status(head.status)?;
        let mut body = ResponseBody { incoming, keep, kept: Vec::new(), read: 0 };
        let is_whole = match body.collect().now_or_never() {
            // A short body has come with its head, and needs nothing more of the connection.
            Some(is_whole) => is_whole,
            // Boxed: it is rare, and every exchange would carry its room.
            None => Box::pin(self.read(&mut body, time)).await,
        };
        self.is_response_read = is_whole && !is_framed_twice(&head.headers);
        Ok(Response::new(head.status).with_headers(head.headers).with_body(body.kept))
    }

    async fn read(&mut self, body: &mut ResponseBody, time: Pin<&mut Sleep>) -> bool {
        self.drive(pin!(body.collect()), time).await.unwrap_or(false)
    }

    /// True if the receiver has sent a byte in this exchange.
    pub(super) fn has_response_byte(&self) -> bool {
        self.meter.has_response_byte()
    }

    /// Ends an exchange. Returns true if another may follow: not if the end of the response is
    /// unknown. If the receiver closes the connection or sends a byte before the next exchange, the
    /// driver reads that first and returns the next request unwritten.
    pub(super) fn end_exchange(&mut self) -> bool {
        if !self.is_response_read {
            return false;
        }
        if !self.sender.is_ready() {
            self.poll_driver();
        }
        self.caller.0.take();
        self.reused = true;
        self.driver.is_some() && self.sender.is_ready()
    }

    /// True if the current runtime polls its socket.
    pub(super) fn belongs_to_this_runtime(&self) -> bool {
        self.runtime == Handle::current().id()
    }

    /// Waits for `step` while the connection reads and writes what it needs; in vain once the time
    /// runs out.
    async fn drive<T>(
        &mut self,
        mut step: Pin<&mut impl Future<Output = T>>,
        mut time: Pin<&mut Sleep>,
    ) -> Option<T> {
        // Only the driver can bring the step forward, and it has just been polled. So the step
        // needs no waker, which would wake this task once more for nothing, and no share of the
        // task's budget, which it could not be woken for. The driver does share the budget of the
        // caller's task: `MeteredStream` bounds what one receiver can use of it.
        poll_fn(|cx| {
            self.caller.0.register(cx.waker());
            self.poll_driver();
            let step = pin!(unconstrained(step.as_mut()));
            match step.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                // Whatever the driver has used of the budget: time runs out all the same.
                Poll::Pending => pin!(unconstrained(time.as_mut())).poll(cx).map(|()| None),
            }
        })
        .await
    }

    fn poll_driver(&mut self) {
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready()
        {
            // Dropped at once: it holds requests that were not taken, and gives them back.
            self.driver = None;
        }
    }

    fn failure_of(&self, mut error: TrySendError<Message>) -> ExchangeFailure {
        let unsent = error.take_message();
        let error = self.explain(error.into_error());
        match unsent {
            Some(message) => ExchangeFailure::NotWritten(Box::new(message), error),
            None => ExchangeFailure::Failed(error),
        }
    }

    fn explain(&self, error: hyper::Error) -> TransportError {
        let (phase, answered) = (self.meter.phase(), self.meter.has_response_byte());
        exchange_error(error, Progress { phase, reused: self.reused, answered })
    }
}

/// 101 would be the start of another protocol, which we never ask for.
fn judge_status(status: StatusCode) -> Result<(), ExchangeFailure> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let reason = "status 101 without an upgrade having been asked for";
        let error = TransportError::because(TransportErrorKind::Protocol, reason);
        return Err(ExchangeFailure::Failed(error));
    }
    Ok(())
}

/// Two lengths may mean two answers: the connection ends (RFC 9112, section 6.3).
fn is_framed_twice(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH)
}

/// The part of a response body that was read.
struct ResponseBody {
    incoming: Incoming,
    /// Bytes kept at most.
    keep: usize,
    kept: Vec<u8>,
    read: usize,
}

impl ResponseBody {
    /// Reads the body. Returns true if it ended within [`MAX_RESPONSE_BODY_BYTES`].
    async fn collect(&mut self) -> bool {
        while !self.incoming.is_end_stream() {
            let Some(frame) = self.incoming.frame().await else { return true };
            let Ok(frame) = frame else { return false };
            let Some(data) = frame.data_ref() else { continue };
            let room = self.keep.saturating_sub(self.kept.len()).min(data.len());
            self.kept.extend_from_slice(data.get(..room).unwrap_or_default());
            self.read = self.read.saturating_add(data.len());
            if self.read > MAX_RESPONSE_BODY_BYTES {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::sleep,
    };

    /// Runs a whole exchange within `time`.
    async fn exchange(
        connection: &mut Connection,
        message: Message,
        time: Duration,
    ) -> Result<Response, ExchangeFailure> {
        let pending = pin!(connection.start_exchange(message));
        connection.read_response(pending, 0, pin!(sleep(time))).await
    }

    const EXCHANGE_TIME: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_request_that_finds_its_connection_ended_comes_back_whole() {
        let (ours, theirs) = duplex(1024);
        let mut connection = Connection::open(ours).await.unwrap();
        drop(theirs);
        let message = Message::new(Full::new("body".into()));
        match exchange(&mut connection, message, EXCHANGE_TIME).await {
            Err(ExchangeFailure::NotWritten(message, _)) => {
                assert_eq!(message.into_body().collect().await.unwrap().to_bytes(), "body");
            }
            _ => panic!("it was taken"),
        }
    }

    #[tokio::test]
    async fn a_rested_connection_that_speaks_unasked_gets_no_request() {
        let (ours, mut theirs) = duplex(1024);
        let mut connection = Connection::open(ours).await.unwrap();
        assert!(connection.end_exchange());
        theirs.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let message = Message::new(Full::new("body".into()));
        let result = exchange(&mut connection, message, EXCHANGE_TIME).await;
        assert!(matches!(result, Err(ExchangeFailure::NotWritten(..))));
        drop(connection);
        let mut written = Vec::new();
        theirs.read_to_end(&mut written).await.unwrap();
        assert!(written.is_empty());
    }

    proptest::proptest! {
        /// Framing is ours: whatever headers come along, there is one request, and its body ends
        /// it.
        #[test]
        fn no_header_changes_where_a_request_ends(
            pairs in proptest::collection::vec(
                ("[a-z-]{1,10}|host|content-length|transfer-encoding", "[\t -~]{0,12}|chunked|5"),
                0..8,
            ),
            body in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        ) {
            let mut headers = http::HeaderMap::new();
            for (name, value) in &pairs {
                let name = http::HeaderName::from_bytes(name.as_bytes());
                if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_str(value)) {
                    headers.insert(name, value);
                }
            }
            let url = "http://a.example:8080/x?y".parse().unwrap();
            let message = super::super::compose(&url, headers, body.clone().into());
            let written = written(message);
            let end = written.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
            proptest::prop_assert_eq!(&written[end + 4..], &body[..]);
            let head = std::str::from_utf8(&written[..end]).unwrap();
            let length = format!("content-length: {}", body.len());
            let mut framing: Vec<_> = head.lines().filter(|line| {
                ["content-length:", "transfer-encoding:", "host:"].iter().any(|name| line.starts_with(name))
            }).collect();
            framing.sort_unstable();
            proptest::prop_assert_eq!(framing, [length.as_str(), "host: a.example:8080"]);
            proptest::prop_assert!(!head.replace("\r\n", "").contains(['\r', '\n']));
        }
    }

    /// The bytes that leave for this request.
    fn written(message: Message) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = duplex(64 * 1024);
            let mut connection = Connection::open(ours).await.unwrap();
            // Nobody answers: the request is written, and the time runs out.
            let _ = exchange(&mut connection, message, Duration::from_millis(1)).await;
            drop(connection);
            let mut written = Vec::new();
            theirs.read_to_end(&mut written).await.unwrap();
            written
        })
    }
}
