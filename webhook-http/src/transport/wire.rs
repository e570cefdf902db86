//! The bytes of a connection, watched: was the request written, did an answer begin, and is it
//! becoming too much?

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use webhook_core::Phase;

/// Bytes read in one exchange, interim answers included: heads, the part of the body that is read,
/// and a buffer's worth that comes along with it. hyper counts no interim answers, and would read
/// them for as long as they come.
pub(super) const MAX_READ: usize = 64 * 1024 + 64 * 1024 + 16 * 1024;

/// The receiver has sent more than [`MAX_READ`].
#[derive(Debug, thiserror::Error)]
#[error("the answer has more than {MAX_READ} bytes before its end, interim answers included")]
pub(super) struct TooMuch;

/// How far the exchange on a connection has come. The flags only serve to name an error, so that the
/// order of these flags among threads does not matter.
#[derive(Debug, Default)]
pub(super) struct Marks {
    written: AtomicBool,
    flushed: AtomicBool,
    answered: AtomicBool,
    read: AtomicUsize,
}

impl Marks {
    /// Starts a new exchange.
    pub(super) fn clear(&self) {
        for mark in [&self.written, &self.flushed, &self.answered] {
            mark.store(false, Relaxed);
        }
        self.read.store(0, Relaxed);
    }

    /// Whether a byte of the answer has arrived.
    pub(super) fn answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// Writing, until the whole request has gone out or an answer has begun.
    pub(super) fn phase(&self) -> Phase {
        if self.answered() || self.flushed.load(Relaxed) { Phase::Head } else { Phase::Write }
    }
}

/// A stream that leaves marks.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    marks: Arc<Marks>,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, marks: Arc<Marks>) -> Self {
        Self { stream, marks }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        if read > 0 {
            self.marks.answered.store(true, Relaxed);
        }
        let earlier = self.marks.read.fetch_add(read, Relaxed);
        let bounded = earlier.saturating_add(read) <= MAX_READ;
        Poll::Ready(if bounded { Ok(()) } else { Err(io::Error::other(TooMuch)) })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.marks.written.store(true, Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.marks.written.store(true, Relaxed);
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes the stream once it has handed over the whole request.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.marks.written.load(Relaxed) {
            self.marks.flushed.store(true, Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
