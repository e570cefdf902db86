//! The header door, and the bytes that leave through it.

use std::time::Duration;

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::timeout,
};
use webhook_core::{
    CustomHeaders, Endpoint, EndpointId, Event, EventId, Secret, Signing, Timestamp,
    transport::{Request, compose},
};
use webhook_http::{FuzzConnection, RingSigner};

use crate::{runtime::run, text::parts};

const BODY: &[u8] = b"{\"smuggled\":\"\\r\\n\\r\\nPOST / HTTP/1.1\"}";

/// Event type, content type, tenant, and lines of custom headers: one request that says what it should
/// and no more, or a refusal.
pub fn headers(data: &[u8]) {
    let texts: Option<Vec<&str>> = parts(data).map(|part| std::str::from_utf8(part).ok()).collect();
    let Some([event_type, content_type, tenant, lines @ ..]) = texts.as_deref() else { return };
    let headers = match CustomHeaders::parse(lines) {
        Ok(headers) => headers,
        Err(error) => return assert!(is_line(error.to_string().as_bytes()), "{error:?}"),
    };
    stay_the_same(&headers);
    let (Ok(event_type), Ok(content_type), Ok(tenant)) =
        (event_type.parse(), content_type.parse(), tenant.parse())
    else {
        return;
    };
    let id = EventId::from_uuid(uuid::Uuid::from_u128(7));
    let event = Event::new(id, event_type, Timestamp::default(), BODY)
        .with_content_type(content_type)
        .with_tenant(tenant);
    let url = "http://a.example:8080/hooks?x=1".parse().expect("a URL");
    let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().expect("a secret");
    let endpoint = Endpoint::new(EndpointId::from_uuid(uuid::Uuid::nil()), url)
        .with_headers(headers.clone())
        .with_signing(Signing::with_secret(secret));
    let request = compose(&event, &endpoint, &RingSigner, Timestamp::from_unix_secs(1));
    is_one_request(&written(request.expect("a valid event can be signed")), &headers);
}

/// What was let in is within bounds, and is let in again as it is stored.
fn stay_the_same(headers: &CustomHeaders) {
    let again = CustomHeaders::new(headers.iter()).expect("what was let in");
    assert_eq!(again.as_map(), headers.as_map());
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(headers.as_map().len() <= CustomHeaders::MAX_COUNT);
    assert!(bytes <= CustomHeaders::MAX_BYTES);
    assert!(headers.as_map().values().all(http::HeaderValue::is_sensitive), "a value would show");
}

/// Head and body, by nothing but line ends.
fn is_one_request(raw: &[u8], custom: &CustomHeaders) {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let (head, body) = (raw.get(..end).unwrap_or_default(), raw.get(end + 4..).unwrap_or_default());
    assert_eq!(body, BODY, "something stands before or behind the body");
    let head = std::str::from_utf8(head).expect("a head is ASCII");
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some("POST /hooks?x=1 HTTP/1.1"));
    let lines: Vec<_> = lines.map(|line| line.split_once(": ").expect("a header")).collect();
    assert!(
        lines.iter().all(|(name, value)| is_line(name.as_bytes()) && is_line(value.as_bytes()))
    );
    let of = |wanted: &str| -> Vec<&str> {
        lines.iter().filter(|(name, _)| *name == wanted).map(|(_, value)| *value).collect()
    };
    assert_eq!(of("content-length"), [BODY.len().to_string()]);
    assert_eq!(of("host"), ["a.example:8080"]);
    for absent in ["transfer-encoding", "connection", "te", "trailer", "upgrade", "expect"] {
        assert!(of(absent).is_empty(), "{absent}");
    }
    for ours in ["content-type", "x-event-type", "webhook-id", "webhook-signature", "x-signature"] {
        assert_eq!(of(ours).len(), 1, "{ours}");
    }
    for (name, value) in custom.iter() {
        assert_eq!(of(name), [value], "{name}");
    }
}

fn is_line(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The bytes that leave.
fn written(request: Request) -> Bytes {
    run(async {
        let (ours, theirs) = duplex(64 * 1024);
        let reader = tokio::spawn(listen(theirs));
        let line = FuzzConnection::open(ours).await.expect("a connection");
        let (answer, _) = line.send(request.with_timeout(Duration::from_secs(5))).await;
        assert!(answer.is_ok(), "{answer:?}");
        reader.await.expect("a reader")
    })
}

/// Reads until nothing more comes, then answers.
async fn listen(mut stream: DuplexStream) -> Bytes {
    let mut raw = Vec::new();
    while let Ok(Ok(1..)) = timeout(Duration::from_secs(1), stream.read_buf(&mut raw)).await {}
    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    raw.into()
}
