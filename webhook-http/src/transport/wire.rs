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

/// Bytes read of one exchange until the head of its answer is complete, interim answers included.
/// hyper counts no interim answers, and would read them for as long as they come.
pub(super) const MAX_HEADS: usize = 64 * 1024;
/// Bytes read after the head: the part of the body that is read, and what frames it.
const MAX_REST: usize = 64 * 1024 + 16 * 1024;

/// The receiver has sent more than it may.
#[derive(Debug, thiserror::Error)]
#[error(
    "the answer has more than 64 KiB before the end of its head, interim answers included, or too much after it"
)]
pub(super) struct TooMuch;

/// Line ends in a row that a head may have: those at its end.
const MAX_LINE_ENDS: usize = 4;

/// The receiver sends empty lines where a head should begin. hyper passes over them, and looks at all of
/// them again for each that comes: a byte at a time, they would keep us busy for seconds.
#[derive(Debug, thiserror::Error)]
#[error("the answer begins with empty lines")]
pub(super) struct EmptyLines;

/// How far the exchange on a connection has come. Whoever waits for the answer also reads and writes,
/// so that the order of these marks among threads does not matter.
#[derive(Debug, Default)]
pub(super) struct Marks {
    written: AtomicBool,
    flushed: AtomicBool,
    answered: AtomicBool,
    read: AtomicUsize,
    /// Once so much is read, nothing more is.
    enough: AtomicUsize,
    /// Line ends in a row at the end of what was read of heads.
    line_ends: AtomicUsize,
}

impl Marks {
    /// Starts a new exchange.
    pub(super) fn clear(&self) {
        for mark in [&self.written, &self.flushed, &self.answered] {
            mark.store(false, Relaxed);
        }
        self.read.store(0, Relaxed);
        self.enough.store(MAX_HEADS, Relaxed);
        self.line_ends.store(0, Relaxed);
    }

    /// The head of the answer is complete.
    pub(super) fn head_is_complete(&self) {
        self.enough.store(self.read.load(Relaxed).saturating_add(MAX_REST), Relaxed);
    }

    /// Whether a byte of the answer has arrived.
    pub(super) fn answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// Writing, until the whole request has gone out or an answer has begun.
    pub(super) fn phase(&self) -> Phase {
        if self.answered() || self.flushed.load(Relaxed) { Phase::Head } else { Phase::Write }
    }

    /// Counts what was read. Answers whether it may be (a part of) an answer: behind an empty line a
    /// head is at its end, and the next one begins with something else.
    fn take(&self, bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return true;
        }
        self.answered.store(true, Relaxed);
        self.read.store(self.read.load(Relaxed).saturating_add(bytes.len()), Relaxed);
        let is_line_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let last = bytes.iter().rev().take_while(is_line_end).count();
        let before = self.line_ends.load(Relaxed);
        let goes_on = if last == bytes.len() { before } else { 0 };
        self.line_ends.store(goes_on.saturating_add(last), Relaxed);
        !self.is_in_head()
            || before < MAX_LINE_ENDS
            || !bytes.first().is_some_and(|byte| is_line_end(&byte))
    }

    fn is_in_head(&self) -> bool {
        self.enough.load(Relaxed) == MAX_HEADS
    }

    fn has_enough(&self) -> bool {
        self.read.load(Relaxed) >= self.enough.load(Relaxed)
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
        // Before reading: what is in hyper's buffer may hold the end of the head.
        if self.marks.has_enough() {
            return Poll::Ready(Err(io::Error::other(TooMuch)));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let is_answer = self.marks.take(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(if is_answer { Ok(()) } else { Err(io::Error::other(EmptyLines)) })
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// How much of an endless stream is read, in buffers of 8 KiB.
    async fn read_until_refused(wire: &mut Wire<tokio::io::DuplexStream>) -> usize {
        let (mut all, mut buffer) = (0, vec![0; 8 * 1024]);
        while let Ok(read) = wire.read(&mut buffer).await {
            all += read;
        }
        all
    }

    #[tokio::test]
    async fn heads_and_what_follows_are_bounded_apart_and_anew_for_each_exchange() {
        let marks = Arc::new(Marks::default());
        let (ours, mut theirs) = duplex(1024);
        let flood = async move { while theirs.write_all(&[b'x'; 1024]).await.is_ok() {} };
        let flood = tokio::spawn(flood);
        let mut wire = Wire::new(ours, Arc::clone(&marks));
        marks.clear();
        for _ in 0..2 {
            assert_eq!(read_until_refused(&mut wire).await, MAX_HEADS);
            marks.head_is_complete();
            assert_eq!(read_until_refused(&mut wire).await, MAX_REST);
            marks.clear();
        }
        drop(wire);
        flood.await.unwrap();
    }

    /// Whether all of these pieces may be one answer, up to the end of its head.
    fn may_be_an_answer(pieces: &[&str]) -> bool {
        let marks = Marks::default();
        marks.clear();
        pieces.iter().all(|piece| marks.take(piece.as_bytes()))
    }

    #[test]
    fn empty_lines_are_no_head_however_they_are_cut() {
        let ok = "HTTP/1.1 200 OK\r\n\r\n";
        for pieces in
            [&[ok][..], &["\r\n", ok], &[ok, ok], &["HTTP/1.1 200 OK\r\n\r", "\n\n\n\n\n"]]
        {
            assert!(may_be_an_answer(pieces), "{pieces:?}");
        }
        for pieces in [&["\n"; 5][..], &["\r\n\r\n", "\r\n"], &[ok, "\r\n"]] {
            assert!(!may_be_an_answer(pieces), "{pieces:?}");
        }
        let marks = Marks::default();
        marks.clear();
        assert!(marks.take(ok.as_bytes()));
        marks.head_is_complete();
        assert!(marks.take(b"\n\n"), "a body may consist of them");
    }
}
