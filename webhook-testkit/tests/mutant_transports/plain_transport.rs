//! A short transport over plain sockets that keeps the contract, except for its mutation.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Mutex,
    time::{Instant, error::Elapsed, timeout_at},
};
use webhook_core::transport::{
    Phase, Request, Response, Transport, TransportError, TransportErrorKind,
};

/// The fault of a [`PlainTransport`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TransportMutation {
    None,
    FollowsRedirects,
    KeepsAll,
    NoDeadline,
    DeadlineForTheAnswerAlone,
    TriesAgain,
    KeepsConnectionsBlindly,
    StatusIsAnError,
    BringsCookiesBack,
}

/// Maximum size of a response head.
const MAX_HEAD_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct PlainTransport {
    mutation: TransportMutation,
    /// Connections and cookies that mutations have left.
    kept: Mutex<BTreeMap<SocketAddr, Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    connection: Option<(TcpStream, Vec<u8>)>,
    cookie: Option<HeaderValue>,
}

impl PlainTransport {
    pub(crate) fn new(mutation: TransportMutation) -> Self {
        Self { mutation, kept: Mutex::default() }
    }

    async fn exchange(&self, request: &Request) -> Result<Response, TransportError> {
        let deadline = Instant::now() + request.timeout;
        let url = request.url.as_str();
        let rest = url.strip_prefix("http://").ok_or_else(|| failed("no TLS"))?;
        let authority = rest.split('/').next().unwrap_or_default();
        let to: SocketAddr = authority.parse().map_err(failed)?;
        let target = rest.get(authority.len()..).unwrap_or_default();
        let mut kept = self.kept.lock().await.remove(&to).unwrap_or_default();
        let head = write_head(request, authority, target, kept.cookie.take());
        let message = [&head, &request.body[..]].concat();
        let asking = ask(to, kept.connection.take(), &message);
        let far = Instant::now() + Duration::from_secs(1000);
        let (before, deadline) = match self.mutation {
            TransportMutation::NoDeadline => (far, far),
            TransportMutation::DeadlineForTheAnswerAlone => (far, deadline),
            _ => (deadline, deadline),
        };
        let (mut stream, mut bytes) = timeout_at(before, asking).await.map_err(late)??;
        let reading = read_head(&mut stream, &mut bytes);
        let (status, headers) = timeout_at(deadline, reading).await.map_err(late)??;
        let keep = match self.mutation {
            TransportMutation::KeepsAll => 10 * 1024 * 1024,
            _ => request.max_response_body,
        };
        let mut body = Vec::new();
        if !matches!(status.as_u16(), 204 | 304) {
            let reading = read_body(&mut stream, &mut bytes, &headers, keep, &mut body);
            // Late or broken, it is no error: the head has decided.
            let _ = timeout_at(deadline, reading).await;
        }
        body.truncate(keep);
        self.keep(to, stream, bytes, &headers).await;
        Ok(Response::new(status).with_headers(headers).with_body(body))
    }

    /// What only a mutation keeps for the next exchange.
    async fn keep(&self, to: SocketAddr, stream: TcpStream, bytes: Vec<u8>, headers: &HeaderMap) {
        let mut kept = Kept::default();
        match self.mutation {
            TransportMutation::KeepsConnectionsBlindly => kept.connection = Some((stream, bytes)),
            TransportMutation::BringsCookiesBack => {
                kept.cookie = headers.get("set-cookie").cloned();
            }
            _ => {}
        }
        self.kept.lock().await.insert(to, kept);
    }

    /// The exchange, and what a mutation makes of it.
    async fn mutated(&self, mut request: Request) -> Result<Response, TransportError> {
        let answer = self.exchange(&request).await;
        match (self.mutation, answer) {
            (TransportMutation::TriesAgain, Err(_)) => self.exchange(&request).await,
            (TransportMutation::StatusIsAnError, Ok(answer)) if !answer.status.is_success() => {
                Err(failed("no success"))
            }
            (TransportMutation::FollowsRedirects, Ok(answer)) if answer.status.is_redirection() => {
                let place = answer.headers.get("location").and_then(|place| place.to_str().ok());
                let Some(Ok(url)) = place.map(str::parse) else { return Ok(answer) };
                request.url = url;
                self.exchange(&request).await
            }
            (_, answer) => answer,
        }
    }
}

#[async_trait]
impl Transport for PlainTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.mutated(request).await
    }
}

/// Connects, unless a connection is given, and writes.
async fn ask(
    to: SocketAddr,
    kept: Option<(TcpStream, Vec<u8>)>,
    message: &[u8],
) -> Result<(TcpStream, Vec<u8>), TransportError> {
    let (mut stream, bytes) = match kept {
        Some(kept) => kept,
        None => (TcpStream::connect(to).await.map_err(unconnected)?, Vec::new()),
    };
    stream.write_all(message).await.map_err(failed)?;
    Ok((stream, bytes))
}

fn write_head(
    request: &Request,
    authority: &str,
    target: &str,
    cookie: Option<HeaderValue>,
) -> Vec<u8> {
    let length = request.body.len();
    let mut head =
        format!("POST {target} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {length}\r\n")
            .into_bytes();
    let cookie = cookie.iter().map(|value| ("cookie", value));
    for (name, value) in
        request.headers.iter().map(|(name, value)| (name.as_str(), value)).chain(cookie)
    {
        head.extend_from_slice(&[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    [&head[..], b"\r\n"].concat()
}

/// The head of the final answer.
async fn read_head(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
) -> Result<(StatusCode, HeaderMap), TransportError> {
    let mut read = 0;
    loop {
        if let Some((status, headers, length)) = parse(bytes)? {
            bytes.drain(..length);
            if !status.is_informational() {
                return Ok((status, headers));
            }
            if status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(failed("nobody has asked for another protocol"));
            }
            continue;
        }
        let more = stream.read_buf(bytes).await.map_err(failed)?;
        read += more;
        if more == 0 || read > MAX_HEAD_BYTES {
            return Err(failed("no whole head"));
        }
    }
}

/// Status, headers and length of a head, once it is whole.
fn parse(bytes: &[u8]) -> Result<Option<(StatusCode, HeaderMap, usize)>, TransportError> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).map_err(failed)? else {
        return Ok(None);
    };
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(failed)?;
    let mut map = HeaderMap::new();
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(failed)?;
        map.append(name, HeaderValue::from_bytes(header.value).map_err(failed)?);
    }
    Ok(Some((status, map, length)))
}

/// The beginning of the body, as far as it is wanted.
async fn read_body(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
    headers: &HeaderMap,
    keep: usize,
    body: &mut Vec<u8>,
) {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let chunked = text("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
    let length = text("content-length").and_then(|length| length.parse().ok());
    let length: usize = length.unwrap_or(usize::MAX);
    loop {
        let is_whole = if chunked {
            unchunk(bytes, body)
        } else {
            let room = length.saturating_sub(body.len());
            body.extend(bytes.drain(..room.min(bytes.len())));
            body.len() >= length
        };
        let enough = is_whole || body.len() >= keep || bytes.len() > MAX_HEAD_BYTES;
        if enough || !stream.read_buf(bytes).await.is_ok_and(|read| read > 0) {
            return;
        }
    }
}

/// Moves whole chunks over. Whether there is no more to wait for.
fn unchunk(bytes: &mut Vec<u8>, body: &mut Vec<u8>) -> bool {
    loop {
        let size = match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete(size)) => size,
            Ok(httparse::Status::Partial) => return false,
            Err(_) => return true,
        };
        let Ok(length) = usize::try_from(size.1) else { return true };
        let Some(chunk) = size.0.checked_add(length).and_then(|end| bytes.get(size.0..end)) else {
            return false;
        };
        body.extend_from_slice(chunk);
        // The line feed after it may not be there yet.
        bytes.drain(..(size.0 + length + 2).min(bytes.len()));
        if length == 0 {
            return true;
        }
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TransportError {
    TransportError::because(TransportErrorKind::Other, error)
}

fn unconnected(error: std::io::Error) -> TransportError {
    TransportError::because(TransportErrorKind::Connect, error)
}

fn late(elapsed: Elapsed) -> TransportError {
    TransportError::because(TransportErrorKind::Timeout(Phase::Exchange), elapsed)
}
