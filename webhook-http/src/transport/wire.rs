//! The bytes of a connection, watched: was the request written, did an answer begin?

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use webhook_core::Phase;

/// How far the exchange on a connection has come. It only serves to name an error, so that the
/// order of these flags among threads does not matter.
#[derive(Debug, Default)]
pub(super) struct Marks {
    written: AtomicBool,
    flushed: AtomicBool,
    answered: AtomicBool,
}

impl Marks {
    /// Starts a new exchange.
    pub(super) fn clear(&self) {
        for mark in [&self.written, &self.flushed, &self.answered] {
            mark.store(false, Relaxed);
        }
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
        if buffer.filled().len() > before {
            self.marks.answered.store(true, Relaxed);
        }
        Poll::Ready(Ok(()))
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
