//! One connection of the naive sender.

use std::{fmt, io::Read as _, sync::Arc, time::Duration};

use flate2::read::GzDecoder;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;
use url::Url;

/// Whoever plays it has seen enough then.
const ENOUGH: usize = 8 * 1024 * 1024;

/// Whoever plays it has waited long enough then, unless as much as [`PROGRESS`] has come.
const STEP_TIMEOUT: Duration = Duration::from_secs(1);
const PROGRESS: usize = 64 * 1024;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) struct NaiveConnection {
    stream: Box<dyn Stream>,
    /// What was read, and belongs to nothing yet.
    buffer: Vec<u8>,
    /// Bytes of the answer so far.
    read: usize,
    until: Instant,
}

/// As it takes it.
pub(crate) struct NaiveAnswer {
    /// None, where it is no HTTP: then all of it is the body, as before HTTP/1.0.
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) head_bytes: usize,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The connection ended.
    Ended,
    /// It was stopped after [`ENOUGH`].
    ReadsOn,
    UnpacksOn,
    /// It was stopped after [`STEP_TIMEOUT`].
    WaitsOn,
    /// Where it would not look at what may go wrong.
    Crashes(&'static str),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("gets no answer"),
            Self::ReadsOn => f.write_str("reads 8 MiB and on"),
            Self::UnpacksOn => f.write_str("unpacks 8 MiB and on"),
            Self::WaitsOn => f.write_str("waits on"),
            Self::Crashes(why) => write!(f, "crashes: {why}"),
        }
    }
}

impl NaiveAnswer {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn length(&self) -> Option<usize> {
        // Those that everybody knows to have no body.
        if self.status.is_some_and(|status| status < 200 || status == 204) {
            return Some(0);
        }
        self.header("content-length")?.parse().ok()
    }
}

impl NaiveConnection {
    pub(super) async fn open(url: &Url) -> Result<Self, Trouble> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        let connected = timeout(STEP_TIMEOUT, TcpStream::connect((host.as_str(), port))).await;
        let tcp = connected.map_err(|_| Trouble::WaitsOn)?.map_err(|_| Trouble::Ended)?;
        let stream: Box<dyn Stream> = match url.scheme() {
            "https" => secure(host, tcp).await?,
            _ => Box::new(tcp),
        };
        Ok(Self { stream, buffer: Vec::new(), read: 0, until: Instant::now() })
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let written = timeout(STEP_TIMEOUT, self.stream.write_all(bytes)).await;
        written.map_err(|_| Trouble::WaitsOn)?.map_err(|_| Trouble::Ended)
    }

    pub(super) async fn answer(&mut self) -> Result<NaiveAnswer, Trouble> {
        (self.read, self.until) = (0, Instant::now() + STEP_TIMEOUT);
        let Some(mut answer) = self.head().await? else {
            let body = self.rest().await?;
            return Ok(NaiveAnswer { status: None, headers: Vec::new(), head_bytes: 0, body });
        };
        answer.body = match answer.length() {
            Some(length) => self.exactly(length).await?,
            None => self.rest().await?,
        };
        if answer.header("content-encoding") == Some("gzip") {
            answer.body = unpacked(&answer.body)?;
        }
        Ok(answer)
    }

    /// A head; or nothing, if that is no head.
    async fn head(&mut self) -> Result<Option<NaiveAnswer>, Trouble> {
        let mut seen = 0;
        let end = loop {
            let new = self.buffer.get(seen..).unwrap_or_default();
            if let Some(at) = new.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break seen + at + 4;
            }
            seen = self.buffer.len().saturating_sub(3);
            if self.more().await? == 0 {
                return Err(Trouble::Ended);
            }
            if self.buffer.len() >= 5 && !self.buffer.starts_with(b"HTTP/") {
                return Ok(None);
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8(head).map_err(|_| Trouble::Crashes("the head is no text"))?;
        Ok(Some(read_head(&head)))
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Trouble> {
        while self.buffer.len() < length {
            if self.more().await? == 0 {
                return Err(Trouble::Ended);
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn rest(&mut self) -> Result<Vec<u8>, Trouble> {
        while self.more().await? > 0 {}
        Ok(std::mem::take(&mut self.buffer))
    }

    async fn more(&mut self) -> Result<usize, Trouble> {
        let read = timeout_at(self.until, self.stream.read_buf(&mut self.buffer)).await;
        let read = read.map_err(|_| Trouble::WaitsOn)?.map_err(|_| Trouble::Ended)?;
        if (self.read + read) / PROGRESS > self.read / PROGRESS {
            self.until = Instant::now() + STEP_TIMEOUT;
        }
        self.read += read;
        if self.read > ENOUGH { Err(Trouble::ReadsOn) } else { Ok(read) }
    }
}

fn read_head(head: &str) -> NaiveAnswer {
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    NaiveAnswer {
        status: first.split(' ').nth(1).and_then(|status| status.parse().ok()),
        headers: lines.filter_map(pair).collect(),
        head_bytes: head.len(),
        body: Vec::new(),
    }
}

async fn secure(host: String, tcp: TcpStream) -> Result<Box<dyn Stream>, Trouble> {
    let config = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(host).map_err(|_| Trouble::Crashes("the name is none"))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let connected = timeout(STEP_TIMEOUT, connecting).await.map_err(|_| Trouble::WaitsOn)?;
    Ok(Box::new(connected.map_err(|_| Trouble::Ended)?))
}

/// What is packed, as far as there was patience for it.
fn unpacked(packed: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    let mut unpacking = GzDecoder::new(packed).take(ENOUGH as u64 + 1);
    unpacking.read_to_end(&mut body).map_err(|_| Trouble::Ended)?;
    if body.len() > ENOUGH { Err(Trouble::UnpacksOn) } else { Ok(body) }
}
