//! The receiver: a process that answers by path and notes when each event arrived.
//!
//! `/dead` is never answered, `/slow` after five seconds, `/again` at first with 503, and how late it comes
//! again is noted ([`WAIT`] is how late it should). All else is answered at once. What comes to `/sink` is only
//! counted: there the receiver should cost as little as it can. It prints where it is; for each line that it
//! is told, and when its standard input ends, what it has seen.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Failure,
    child::{Build, Talk},
    cost::{cpu_of_this_process, peak_memory},
    latency::{Latency, Samples, now},
};

/// When a retry of `/again` is due.
const WAIT: Duration = Duration::from_secs(1);

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

/// The role of the child process; whether it speaks TLS is its task.
pub(crate) const ROLE: &str = "receiver";

/// How long what has to arrive may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long `/slow` takes.
pub(crate) const SLOW: Duration = Duration::from_secs(5);

/// Port of the receiver, and the root certificate that its clients trust.
#[derive(Debug, Deserialize, Serialize)]
struct ListenAddress {
    port: u16,
    /// PEM, if it speaks TLS.
    root: Option<String>,
}

/// What a receiver has seen, and what that took.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Seen {
    /// By the first part of the path, but for `/sink`.
    pub(crate) classes: BTreeMap<String, Latency>,
    /// All of them.
    pub(crate) requests: usize,
    /// When the latest of all came, in nanoseconds of Unix time; 0 before there is one.
    pub(crate) latest: u64,
    /// Seconds of CPU.
    pub(crate) cpu: f64,
    pub(crate) peak_mib: f64,
}

/// What the connections share.
#[derive(Default)]
struct Book {
    samples: Mutex<Samples>,
    /// When each event came to `/again` for the first time, by when it was published.
    refused: Mutex<BTreeMap<u64, u64>>,
    requests: AtomicUsize,
    latest: AtomicU64,
}

impl Book {
    /// What has come so far.
    fn seen(&self) -> Seen {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Seen {
            classes: samples.sum_up(),
            requests: self.requests.load(Relaxed),
            latest: self.latest.load(Relaxed),
            cpu: cpu_of_this_process(),
            peak_mib: peak_memory(),
        }
    }

    /// Notes an event that was published then. Answers with what to say.
    fn take(&self, class: &str, at: u64) -> &'static [u8] {
        let since = match class {
            "again" => {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                match refused.remove(&at) {
                    None => {
                        refused.insert(at, now());
                        return BUSY;
                    }
                    Some(first) => first.saturating_add(WAIT.as_nanos() as u64),
                }
            }
            _ => at,
        };
        let took = now().saturating_sub(since);
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).add(class, took);
        OK
    }
}

/// The role of the child process.
pub(crate) async fn listen(task: &str) -> Result<(), Failure> {
    let secured: bool = serde_json::from_str(task)?;
    let secured = secured.then(certified).transpose()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (acceptor, root) = secured.unzip();
    let place = ListenAddress { port: listener.local_addr()?.port(), root };
    println!("{}", serde_json::to_string(&place)?);
    let book = Arc::new(Book::default());
    tokio::spawn(accept(listener, acceptor, Arc::clone(&book)));
    let mut asked = BufReader::new(tokio::io::stdin()).lines();
    loop {
        let is_over = asked.next_line().await?.is_none();
        println!("{}", serde_json::to_string(&book.seen())?);
        if is_over {
            return Ok(());
        }
    }
}

/// A server for 127.0.0.1, and the root to trust.
fn certified() -> Result<(TlsAcceptor, String), Failure> {
    let key = rcgen::KeyPair::generate()?;
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    let certificate = params.self_signed(&key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )?;
    Ok((TlsAcceptor::from(Arc::new(config)), certificate.pem()))
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, book: Arc<Book>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, book) = (acceptor.clone(), Arc::clone(&book));
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            match acceptor {
                None => serve(stream, &book).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, &book).await;
                    }
                }
            }
        });
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, book: &Book) {
    let mut bytes = Vec::new();
    while let Some((class, at)) = next_request(&mut stream, &mut bytes).await {
        book.requests.fetch_add(1, Relaxed);
        book.latest.store(now(), Relaxed);
        let answer = at.map_or(OK, |at| book.take(&class, at));
        match class.as_str() {
            "dead" => std::future::pending().await,
            "slow" => tokio::time::sleep(SLOW).await,
            _ => {}
        }
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// The first part of the path of the next request on a connection, and when its event was published;
/// nothing, once it ends.
async fn next_request(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
) -> Option<(String, Option<u64>)> {
    loop {
        if let Some((path, from, to)) = whole(bytes) {
            let class = path.split('/').nth(1).unwrap_or_default().to_owned();
            let at = if class == "sink" { None } else { published_at(bytes.get(from..to)?) };
            bytes.drain(..to);
            return Some((class, at));
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// The path of a request that is there whole, and where its body begins and ends.
fn whole(bytes: &[u8]) -> Option<(String, usize, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(bytes).ok()? else { return None };
    let length = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"))?;
    let length: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
    let end = head.checked_add(length)?;
    (bytes.len() >= end).then(|| (request.path.unwrap_or_default().to_owned(), head, end))
}

/// When the event was published, as its body says; nothing for those of a backlog.
fn published_at(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(body).ok()?.get("at")?.as_u64()
}

/// A receiver at work.
#[derive(Debug)]
pub(crate) struct Receiver {
    process: Talk,
    place: ListenAddress,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self, Failure> {
        Self::start_with(false).await
    }

    /// One that speaks TLS.
    pub(crate) async fn start_secured() -> Result<Self, Failure> {
        Self::start_with(true).await
    }

    async fn start_with(secured: bool) -> Result<Self, Failure> {
        let mut process = Talk::begin(Build::Plain, ROLE, &secured)?;
        let place = process.hear().await?;
        Ok(Self { process, place })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.place.root.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/{path}", self.place.port)
    }

    /// Whom to trust, PEM, if it speaks TLS.
    pub(crate) fn root(&self) -> Option<String> {
        self.place.root.clone()
    }

    /// What it has seen so far.
    pub(crate) async fn seen(&mut self) -> Result<Seen, Failure> {
        self.process.ask().await
    }

    /// Waits until so many requests have come, looking again after each `pause`; for a minute at most.
    pub(crate) async fn wait_for(
        &mut self,
        requests: usize,
        pause: Duration,
    ) -> Result<Seen, Failure> {
        let begun = Instant::now();
        loop {
            let seen = self.seen().await?;
            if seen.requests >= requests {
                return Ok(seen);
            }
            if begun.elapsed() > DRAIN_TIMEOUT {
                return Err(format!("{} of {requests} arrived", seen.requests).into());
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Stops it and answers what it has seen.
    pub(crate) async fn stop(self) -> Result<Seen, Failure> {
        self.process.end().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_once_it_is_whole() {
        let request = b"POST /healthy/7 HTTP/1.1\r\nContent-Length: 8\r\n\r\n{\"at\":5}";
        assert_eq!(whole(&request[..request.len() - 1]), None);
        let (path, from, to) = whole(request).unwrap();
        assert_eq!((path.as_str(), to), ("/healthy/7", request.len()));
        assert_eq!(published_at(&request[from..to]), Some(5));
        assert_eq!(published_at(b"{}"), None);
    }
}
