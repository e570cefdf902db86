//! One exchange: what is written, and what an answer becomes.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::AsyncWriteExt as _;
use webhook_core::{
    EndpointUrl,
    transport::{Phase, Request, Response, Transport, TransportError, TransportErrorKind},
};
use webhook_http::HttpTransport;

use crate::peer::{Peer, split};

pub(crate) const OK_RESPONSE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

pub(crate) fn transport() -> HttpTransport {
    HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap()
}

pub(crate) fn request(url: EndpointUrl) -> Request {
    Request::new(url, HeaderMap::new(), "{}".into())
}

/// One exchange with a receiver that answers with these bytes and stays.
async fn exchange(answer: impl AsRef<[u8]>) -> Result<Response, TransportError> {
    let (transport, peer) = (transport(), Peer::bind().await);
    let (result, _) = tokio::join!(transport.send(request(peer.url("/"))), peer.answer(answer));
    result
}

/// The same, with a receiver that closes the connection after its bytes.
async fn exchange_and_close(answer: &str) -> Result<Response, TransportError> {
    let (transport, peer) = (transport(), Peer::bind().await);
    let receiver = async { drop(peer.answer(answer).await) };
    tokio::join!(transport.send(request(peer.url("/"))), receiver).0
}

#[tokio::test]
async fn the_request_is_written_as_given_with_one_length_and_our_host() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let headers = [
        ("content-type", "application/json"),
        ("x-event-type", "invoice.paid"),
        ("webhook-id", "msg_1"),
        ("x-odd", "a  b"),
        // Framing is the transport's, whatever it is given.
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
        ("host", "evil.example"),
    ];
    let headers = headers
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let body = Bytes::from("{\"b\":1,\"a\":\"\u{e4}\u{20ac}\"}");
    let url = peer.url("/hooks/\u{e4}?token=a&b=%20c");
    let request = Request::new(url, headers.into_iter().collect(), body.clone());
    let (answer, (raw, _)) = tokio::join!(transport.send(request), peer.answer(OK_RESPONSE));
    assert_eq!(answer.unwrap().body, "ok");

    let (head, sent) = split(&raw).unwrap();
    let mut lines: Vec<_> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /hooks/%C3%A4?token=a&b=%20c HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: 127.0.0.1:{}", peer.port());
    let length = format!("content-length: {}", body.len());
    assert_eq!(
        lines,
        [
            length.as_str(),
            "content-type: application/json",
            &host,
            "webhook-id: msg_1",
            "x-event-type: invoice.paid",
            "x-odd: a  b",
        ]
    );
    assert_eq!(sent, body);
}

#[tokio::test]
async fn an_empty_body_has_a_length_too() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let request = Request::new(peer.url("/"), HeaderMap::new(), Bytes::new());
    let (_, (raw, _)) = tokio::join!(transport.send(request), peer.answer(OK_RESPONSE));
    let (head, sent) = split(&raw).unwrap();
    assert_eq!(head.matches("content-length: 0\r\n").count(), 1);
    assert!(sent.is_empty());
}

#[tokio::test]
async fn a_body_of_256_kib_arrives_byte_for_byte() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let body: Bytes = (0..256 * 1024_u32).map(|n| (n % 251) as u8).collect();
    let request = Request::new(peer.url("/"), HeaderMap::new(), body.clone());
    let (answer, (raw, _)) = tokio::join!(transport.send(request), peer.answer(OK_RESPONSE));
    assert_eq!(answer.unwrap().status, 200);
    assert!(split(&raw).unwrap().1 == body, "the body was changed");
}

#[tokio::test]
async fn any_status_is_an_answer() {
    for status in [200, 204, 299, 400, 410, 429, 500, 503, 599] {
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nretry-after: 5\r\n\r\n");
        let response = exchange(answer).await.unwrap();
        assert_eq!(
            (response.status.as_u16(), &response.headers["retry-after"]),
            (status, &HeaderValue::from_static("5"))
        );
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (transport, peer, elsewhere) = (transport(), Peer::bind().await, Peer::bind().await);
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            elsewhere.url("/").as_str()
        );
        let (response, _) =
            tokio::join!(transport.send(request(peer.url("/"))), peer.answer(answer));
        assert_eq!(response.unwrap().status, status);
        assert!(elsewhere.is_untouched().await);
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let answer = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n{OK_RESPONSE}"
    );
    let response = exchange(answer).await.unwrap();
    assert_eq!((response.status.as_u16(), &response.body[..]), (200, &b"ok"[..]));
}

#[tokio::test]
async fn interim_answers_without_end_are_cut_off() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let flood = async {
        let mut caller = peer.accept().await;
        caller.request().await;
        // Until the other side has had enough.
        while caller.0.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_ok() {}
    };
    let (result, ()) = tokio::join!(transport.send(request(peer.url("/"))), flood);
    assert_eq!(result.unwrap_err().kind(), TransportErrorKind::Protocol);
}

#[tokio::test]
async fn a_receiver_that_speaks_first_is_told_from_one_that_is_gone() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let greet = async {
        let mut caller = peer.accept().await;
        caller.write("220 mail.example ESMTP\r\n").await;
        caller
    };
    let (result, _caller) = tokio::join!(transport.send(request(peer.url("/"))), greet);
    assert_eq!(result.unwrap_err().kind(), TransportErrorKind::Protocol);
}

#[tokio::test]
async fn an_answer_is_kept_up_to_the_cap_and_read_up_to_64_kib() {
    for length in [16 * 1024, 17 * 1024, 64 * 1024, 10 * 1024 * 1024] {
        let (transport, peer) = (transport(), Peer::bind().await);
        let receiver = async {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            let mut caller = peer.answer(head).await.1;
            let chunk = [b'x'; 1024];
            for _ in 0..length / chunk.len() {
                // The other side hangs up where it has read enough.
                let _ = tokio::io::AsyncWriteExt::write_all(&mut caller.0, &chunk).await;
            }
        };
        let (response, ()) = tokio::join!(transport.send(request(peer.url("/"))), receiver);
        assert_eq!(response.unwrap().body.len(), Request::MAX_RESPONSE_BODY);
    }
}

#[tokio::test]
async fn compressed_answers_stay_as_they_are() {
    let answer =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\0";
    assert_eq!(exchange(answer).await.unwrap().body, &b"\x1f\x8b\x08\0"[..]);
}

#[tokio::test]
async fn a_body_cut_after_the_head_is_still_an_answer() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
    ] {
        let response = exchange_and_close(answer).await.unwrap();
        assert_eq!((response.status.as_u16(), &response.body[..]), (200, &b"half"[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_left_at_the_deadline() {
    let response = exchange("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    assert_eq!(response.body, "half");
}

#[tokio::test(start_paused = true)]
async fn silence_uses_up_the_deadline() {
    let started = tokio::time::Instant::now();
    let error = exchange("").await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Timeout(Phase::Head));
    assert_eq!(started.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn half_a_head_uses_up_the_deadline() {
    let error = exchange("HTTP/1.1 200 OK\r\nx: ").await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Timeout(Phase::Head));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_does_not_read_uses_up_the_deadline_in_writing() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let body = Bytes::from(vec![0; 64 * 1024 * 1024]);
    let request = Request::new(peer.url("/"), HeaderMap::new(), body);
    let (error, _caller) = tokio::join!(transport.send(request), peer.accept());
    assert_eq!(error.unwrap_err().kind(), TransportErrorKind::Timeout(Phase::Write));
}

#[tokio::test]
async fn what_is_no_http_is_a_protocol_error() {
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    for answer in [
        "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
        "hello\r\n\r\n".to_owned(),
        "HTTP/1.1 abc\r\n\r\n".to_owned(),
        "HTTP/2.0 200 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx".to_owned(),
        format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(128 * 1024)),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
    ] {
        let (transport, peer) = (transport(), Peer::bind().await);
        let receiver = async {
            let mut caller = peer.accept().await;
            caller.request().await;
            // The other side hangs up as soon as it has seen enough.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut caller.0, answer.as_bytes()).await;
            caller
        };
        let (result, _caller) = tokio::join!(transport.send(request(peer.url("/"))), receiver);
        let kind = result.expect_err(&answer[..answer.len().min(60)]).kind();
        assert_eq!(kind, TransportErrorKind::Protocol, "{}", &answer[..answer.len().min(60)]);
    }
}

#[tokio::test]
async fn a_new_connection_that_ends_without_an_answer_was_interrupted() {
    for answer in ["", "HTTP/1.1 200 O"] {
        let error = exchange_and_close(answer).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Interrupted(Phase::Head), "{answer:?}");
    }
}

#[tokio::test]
async fn nobody_listening_is_no_connection() {
    let url = Peer::bind().await.url("/");
    let error = transport().send(request(url)).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Connect);
}

#[tokio::test]
async fn localhost_is_found_without_a_name_server() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let url = format!("http://localhost:{}/", peer.port()).parse().unwrap();
    let (answer, (raw, _)) = tokio::join!(transport.send(request(url)), peer.answer(OK_RESPONSE));
    assert_eq!(answer.unwrap().status, 200);
    let host = format!("host: localhost:{}\r\n", peer.port());
    assert!(split(&raw).unwrap().0.contains(&host));
}

#[tokio::test]
async fn a_dropped_exchange_closes_its_connection_and_leaves_the_transport_usable() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let mut caller = {
        let sending = transport.send(request(peer.url("/")));
        let mut caller = tokio::select! {
            biased;
            _ = sending => panic!("nobody has answered"),
            caller = async {
                let mut caller = peer.accept().await;
                caller.request().await;
                caller
            } => caller,
        };
        caller.write("HTTP/1.1 200 OK\r\n").await;
        caller
    };
    caller.closed().await;
    let (answer, _) =
        tokio::join!(transport.send(request(peer.url("/"))), peer.answer(OK_RESPONSE));
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_the_callers() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let short = request(peer.url("/")).with_timeout(Duration::from_millis(50));
    let started = tokio::time::Instant::now();
    let (error, _caller) = tokio::join!(transport.send(short), peer.answer(""));
    assert_eq!(error.unwrap_err().kind(), TransportErrorKind::Timeout(Phase::Head));
    assert!(started.elapsed() < Duration::from_millis(60));
}

#[tokio::test]
async fn nothing_secret_shows_in_errors() {
    let url: EndpointUrl = "http://127.0.0.1:9/hooks?token=t0ken".parse().unwrap();
    let headers = HeaderMap::from_iter([(
        http::header::AUTHORIZATION,
        HeaderValue::from_static("Bearer s3cret"),
    )]);
    let error = transport().send(Request::new(url, headers, "p4yload".into())).await.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", transport());
    assert!(!["t0ken", "s3cret", "p4yload"].iter().any(|secret| shown.contains(secret)), "{shown}");
}
