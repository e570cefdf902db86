//! A receiver on a real socket that does what the test says, byte by byte.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use webhook_core::EndpointUrl;

pub(crate) struct Peer(pub(crate) TcpListener);

impl Peer {
    pub(crate) async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    pub(crate) fn url(&self, path: &str) -> EndpointUrl {
        format!("http://127.0.0.1:{}{path}", self.port()).parse().unwrap()
    }

    /// Takes the next connection; gives up where none will come, instead of hanging the test.
    pub(crate) async fn accept(&self) -> PeerConnection<TcpStream> {
        let accepted = timeout(Duration::from_secs(60), self.0.accept()).await;
        PeerConnection(accepted.expect("nobody has connected").unwrap().0)
    }

    /// Takes one connection, reads one request, answers, and keeps the connection open.
    pub(crate) async fn answer(
        &self,
        answer: impl AsRef<[u8]>,
    ) -> (Vec<u8>, PeerConnection<TcpStream>) {
        let mut caller = self.accept().await;
        let request = caller.request().await;
        caller.write(answer).await;
        (request, caller)
    }

    /// Whether nobody is waiting to be accepted.
    pub(crate) async fn is_untouched(&self) -> bool {
        timeout(Duration::ZERO, self.0.accept()).await.is_err()
    }
}

/// A connection that the peer has accepted.
pub(crate) struct PeerConnection<S>(pub(crate) S);

impl<S: AsyncRead + AsyncWrite + Unpin> PeerConnection<S> {
    /// The raw bytes of one whole request.
    pub(crate) async fn request(&mut self) -> Vec<u8> {
        let mut raw = Vec::new();
        while !is_whole(&raw) {
            assert_ne!(self.0.read_buf(&mut raw).await.unwrap(), 0, "ended within a request");
        }
        raw
    }

    /// The same, or nothing when the other side has closed the connection instead.
    pub(crate) async fn next_request(&mut self) -> Option<Vec<u8>> {
        let mut raw = Vec::new();
        while !is_whole(&raw) {
            self.0.read_buf(&mut raw).await.ok().filter(|read| *read > 0)?;
        }
        Some(raw)
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Waits until the other side has closed the connection; an end by reset is one too.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let end = timeout(Duration::from_secs(60), self.0.read_to_end(&mut rest)).await;
        let _ = end.expect("the connection stays open");
        assert!(rest.is_empty(), "more than one request was written");
    }
}

fn is_whole(raw: &[u8]) -> bool {
    let Some((head, body)) = split(raw) else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// Head and body of a raw request.
pub(crate) fn split(raw: &[u8]) -> Option<(&str, &[u8])> {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    Some((std::str::from_utf8(&raw[..end]).unwrap(), &raw[end..]))
}
