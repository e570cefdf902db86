//! A stream that records how far an exchange has come, and bounds the bytes of its response.

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
use webhook_core::transport::Phase;

/// Bytes read of one exchange until the head of its response is complete, interim responses
/// included. hyper does not count interim responses and would read any number of them.
pub(super) const MAX_BYTES_UP_TO_HEAD: usize = 64 * 1024;
/// Bytes read after the head: the part of the body that is read, and its framing.
const MAX_BYTES_AFTER_HEAD: usize = 64 * 1024 + 16 * 1024;

/// The response is longer than the transport reads.
#[derive(Debug, thiserror::Error)]
#[error(
    "the answer has more than 64 KiB before the end of its head, interim answers included, or too much after it"
)]
pub(super) struct ResponseTooLong;

/// Line ends in a row that a head may have: those at its end.
const MAX_LINE_ENDS: usize = 4;

/// The receiver sends empty lines before a head. hyper skips them, but scans all of them again for
/// each new one: sent byte by byte, they would use seconds of CPU time.
#[derive(Debug, thiserror::Error)]
#[error("the answer begins with empty lines")]
pub(super) struct LeadingEmptyLines;

/// Progress of the exchange on a connection. One task reads, writes and waits for the response, so
/// that the order of these values among threads does not matter.
#[derive(Debug, Default)]
pub(super) struct ExchangeMeter {
    written: AtomicBool,
    flushed: AtomicBool,
    answered: AtomicBool,
    read: AtomicUsize,
    /// Bytes read at most.
    read_limit: AtomicUsize,
    /// Line ends in a row at the end of what was read of heads.
    line_ends: AtomicUsize,
}

impl ExchangeMeter {
    /// Starts a new exchange.
    pub(super) fn begin_exchange(&self) {
        for mark in [&self.written, &self.flushed, &self.answered] {
            mark.store(false, Relaxed);
        }
        self.read.store(0, Relaxed);
        self.read_limit.store(MAX_BYTES_UP_TO_HEAD, Relaxed);
        self.line_ends.store(0, Relaxed);
    }

    /// Bounds the bytes that follow a complete head.
    pub(super) fn complete_head(&self) {
        self.read_limit
            .store(self.read.load(Relaxed).saturating_add(MAX_BYTES_AFTER_HEAD), Relaxed);
    }

    /// True if a byte of the response has arrived.
    pub(super) fn has_response_byte(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// Returns `Write` until the whole request is written or a response has begun, then `Head`.
    pub(super) fn phase(&self) -> Phase {
        if self.has_response_byte() || self.flushed.load(Relaxed) {
            Phase::Head
        } else {
            Phase::Write
        }
    }

    /// Counts bytes that were read. Returns false if they cannot belong to a response: an empty
    /// line ends a head, and the next head does not begin with one.
    fn record_read(&self, bytes: &[u8]) -> bool {
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
        self.read_limit.load(Relaxed) == MAX_BYTES_UP_TO_HEAD
    }

    fn is_at_limit(&self) -> bool {
        self.read.load(Relaxed) >= self.read_limit.load(Relaxed)
    }
}

/// A stream that records reads and writes in a meter.
#[derive(Debug)]
pub(super) struct MeteredStream<S> {
    stream: S,
    meter: Arc<ExchangeMeter>,
}

impl<S> MeteredStream<S> {
    pub(super) fn new(stream: S, meter: Arc<ExchangeMeter>) -> Self {
        Self { stream, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Before reading: what is in hyper's buffer may hold the end of the head.
        if self.meter.is_at_limit() {
            return Poll::Ready(Err(io::Error::other(ResponseTooLong)));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let is_answer = self.meter.record_read(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(if is_answer { Ok(()) } else { Err(io::Error::other(LeadingEmptyLines)) })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.meter.written.store(true, Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.meter.written.store(true, Relaxed);
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes the stream once it has handed over the whole request.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.meter.written.load(Relaxed) {
            self.meter.flushed.store(true, Relaxed);
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
    async fn read_until_refused(metered: &mut MeteredStream<tokio::io::DuplexStream>) -> usize {
        let (mut all, mut buffer) = (0, vec![0; 8 * 1024]);
        while let Ok(read) = metered.read(&mut buffer).await {
            all += read;
        }
        all
    }

    #[tokio::test]
    async fn heads_and_what_follows_are_bounded_apart_and_anew_for_each_exchange() {
        let meter = Arc::new(ExchangeMeter::default());
        let (ours, mut theirs) = duplex(1024);
        let flood = async move { while theirs.write_all(&[b'x'; 1024]).await.is_ok() {} };
        let flood = tokio::spawn(flood);
        let mut metered = MeteredStream::new(ours, Arc::clone(&meter));
        meter.begin_exchange();
        for _ in 0..2 {
            assert_eq!(read_until_refused(&mut metered).await, MAX_BYTES_UP_TO_HEAD);
            meter.complete_head();
            assert_eq!(read_until_refused(&mut metered).await, MAX_BYTES_AFTER_HEAD);
            meter.begin_exchange();
        }
        drop(metered);
        flood.await.unwrap();
    }

    /// True if these pieces may be one response, up to the end of its head.
    fn may_be_response(pieces: &[&str]) -> bool {
        let meter = ExchangeMeter::default();
        meter.begin_exchange();
        pieces.iter().all(|piece| meter.record_read(piece.as_bytes()))
    }

    #[test]
    fn empty_lines_are_no_head_however_they_are_cut() {
        let ok = "HTTP/1.1 200 OK\r\n\r\n";
        for pieces in
            [&[ok][..], &["\r\n", ok], &[ok, ok], &["HTTP/1.1 200 OK\r\n\r", "\n\n\n\n\n"]]
        {
            assert!(may_be_response(pieces), "{pieces:?}");
        }
        for pieces in [&["\n"; 5][..], &["\r\n\r\n", "\r\n"], &[ok, "\r\n"]] {
            assert!(!may_be_response(pieces), "{pieces:?}");
        }
        let meter = ExchangeMeter::default();
        meter.begin_exchange();
        assert!(meter.record_read(ok.as_bytes()));
        meter.complete_head();
        assert!(meter.record_read(b"\n\n"), "a body may consist of them");
    }
}
