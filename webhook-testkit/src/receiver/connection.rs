//! One connection: read a request, reply by script, again.

use std::{future::pending, io, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{ReceivedRequest, Shared, reply::Ending};

/// Serves requests until either side ends the connection. What goes wrong on it concerns the other
/// side; a request that is not whole is not kept.
pub(super) async fn serve(mut stream: TcpStream, number: usize, shared: Arc<Shared>) {
    let mut buffer = BytesMut::new();
    while let Ok(Some(request)) = read(&mut stream, &mut buffer, number).await {
        shared.see_request(request);
        let reply = shared.next_reply();
        if !reply.delay.is_zero() {
            tokio::time::sleep(reply.delay).await;
        }
        if matches!(reply.ending, Ending::Never) {
            return pending().await;
        }
        let Some(bytes) = reply.ending.bytes() else { return };
        if stream.write_all(&bytes).await.is_err() || reply.closes {
            return;
        }
        if matches!(reply.ending, Ending::Half(_)) {
            return pending().await;
        }
    }
}

/// Reads one request; `None` when the connection ends before it is whole.
async fn read(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    connection: usize,
) -> io::Result<Option<ReceivedRequest>> {
    let head_len = loop {
        if let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = buffer.split_to(head_len).freeze();
    let Some(mut request) = parse(head, connection) else { return Ok(None) };
    let body_len = content_length(&request.headers);
    while buffer.len() < body_len {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    request.body = buffer.split_to(body_len).freeze();
    Ok(Some(request))
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

/// Bodies of our senders have a length; a chunked one is a request without a body here.
fn content_length(headers: &HeaderMap) -> usize {
    let value = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.parse().ok()).unwrap_or_default()
}
