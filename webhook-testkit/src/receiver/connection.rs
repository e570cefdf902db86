//! One connection: read a request, reply by script, again.

use std::{future::pending, io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::yield_now,
    time::sleep,
};

use super::{
    ReceivedRequest, Reply, Shared,
    reply::{ReplyStart, Step},
};

/// Serves requests until either side ends the connection. What goes wrong on it concerns the other
/// side.
pub(super) async fn serve(mut stream: TcpStream, number: usize, shared: Arc<Shared>) {
    let _ = serve_all(&mut stream, number, &shared).await;
}

/// A request that is not whole is not kept. Ends where the connection does.
async fn serve_all(stream: &mut TcpStream, number: usize, shared: &Shared) -> io::Result<()> {
    if let Some(reply) = shared.next_if(ReplyStart::Connected) {
        play(stream, reply).await?;
    }
    let mut buffer = BytesMut::new();
    loop {
        let mut request = read_head(stream, &mut buffer, number).await?;
        if let Some(reply) = shared.next_if(ReplyStart::Head) {
            // What follows is the body, and no request.
            return play(stream, reply).await;
        }
        let body_len = request.body_len();
        while buffer.len() < body_len {
            read_more(stream, &mut buffer).await?;
        }
        request.body = buffer.split_to(body_len).freeze();
        shared.log_request(request);
        play(stream, shared.next_reply()).await?;
    }
}

/// Does what a reply says; an error when that ends the connection.
async fn play(stream: &mut TcpStream, reply: Reply) -> io::Result<()> {
    sleep_unless_zero(reply.delay).await;
    for step in reply.into_steps() {
        match step {
            Step::Write(bytes) => stream.write_all(&bytes).await?,
            Step::Drip(bytes, every) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    sleep(every).await;
                }
            }
            Step::Endless(bytes, every) => loop {
                stream.write_all(&bytes).await?;
                // Somebody has to be able to say that this is enough.
                yield_now().await;
                sleep_unless_zero(every).await;
            },
            Step::Wait(pause) => sleep(pause).await,
            Step::Hold => pending().await,
            Step::Close => return Err(ended()),
            Step::Reset => {
                stream.set_zero_linger()?;
                return Err(ended());
            }
        }
    }
    Ok(())
}

async fn sleep_unless_zero(pause: Duration) {
    if !pause.is_zero() {
        sleep(pause).await;
    }
}

/// Reads the head of a request; an error at the end of the connection.
pub async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    connection: usize,
) -> io::Result<ReceivedRequest> {
    let head_len = loop {
        if let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(stream, buffer).await?;
    };
    let head = buffer.split_to(head_len).freeze();
    parse(head, connection).ok_or_else(ended)
}

/// Reads more of a request; an error at the end of the connection.
pub async fn read_more(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<()> {
    let read = stream.read_buf(buffer).await?;
    if read == 0 { Err(ended()) } else { Ok(()) }
}

fn ended() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

fn parse(head: Bytes, connection: usize) -> Option<ReceivedRequest> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(&head).ok().filter(httparse::Status::is_complete)?;
    let (method, target) = (parsed.method?.to_owned(), parsed.path?.to_owned());
    let mut headers = HeaderMap::new();
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(ReceivedRequest { head, method, target, headers, body: Bytes::new(), connection })
}

impl ReceivedRequest {
    /// Bodies of our senders have a length; a chunked one is a request without a body here.
    #[doc(hidden)]
    pub fn body_len(&self) -> usize {
        let value = self.headers.get(http::header::CONTENT_LENGTH);
        let value = value.and_then(|value| value.to_str().ok());
        value.and_then(|value| value.parse().ok()).unwrap_or_default()
    }
}
