//! The development receiver, and the transport against it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in a test, a panic is the failed assertion"
)]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use tokio::sync::oneshot;
use webhook_core::transport::{
    Phase, Request, Response, Transport, TransportError, TransportErrorKind,
};
use webhook_http::{BindError, HttpTransport, ReceivedRequest, Receiver, ReceiverResponse};

async fn bind() -> Receiver {
    Receiver::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

async fn send(to: SocketAddr, body: Vec<u8>) -> Result<Response, TransportError> {
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap();
    let url = format!("http://{to}/hooks?x=1").parse().unwrap();
    transport.send(Request::new(url, HeaderMap::new(), body.into())).await
}

/// One exchange with a receiver that answers like this and stops afterwards.
async fn exchange(
    body: Vec<u8>,
    handler: impl Fn(ReceivedRequest) -> ReceiverResponse + Send + Sync + 'static,
) -> Result<Response, TransportError> {
    let receiver = bind().await;
    let address = receiver.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = receiver.serve(handler, async { drop(stopped.await) });
    let sending = async {
        let result = send(address, body).await;
        drop(stop);
        result
    };
    tokio::join!(sending, serving).0
}

#[tokio::test]
async fn the_handler_sees_the_request_and_its_answer_goes_back() {
    let seen = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&seen);
    let answer = ReceiverResponse::status(StatusCode::SERVICE_UNAVAILABLE)
        .with_header(RETRY_AFTER, HeaderValue::from_static("5"))
        .with_body("later");
    let response = exchange(b"{}".to_vec(), move |request| {
        *keep.lock().unwrap() = Some(request);
        answer.clone()
    });
    let response = response.await.unwrap();
    assert_eq!((response.status.as_u16(), &response.body[..]), (503, &b"later"[..]));
    assert_eq!(response.headers[RETRY_AFTER], "5");
    let request = seen.lock().unwrap().take().unwrap();
    assert_eq!((request.method.as_str(), request.uri.to_string()), ("POST", "/hooks?x=1".into()));
    assert_eq!(request.headers["content-length"], "2");
    assert_eq!(request.body, "{}");
    assert!(request.from.ip().is_loopback());
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_late() {
    let started = tokio::time::Instant::now();
    let late = |_| ReceiverResponse::status(StatusCode::OK).with_delay(Duration::from_secs(7));
    assert_eq!(exchange(Vec::new(), late).await.unwrap().status, 200);
    assert_eq!(started.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_never_come_and_does_not_keep_the_receiver_from_stopping() {
    let error = exchange(Vec::new(), |_| ReceiverResponse::never()).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Timeout(Phase::Head));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let ok = |_| ReceiverResponse::status(StatusCode::OK);
    let fits = exchange(vec![0; Receiver::MAX_BODY], ok).await.unwrap();
    assert_eq!(fits.status, 200);
    // Refused before all of it was read: the answer may be lost with the connection.
    match exchange(vec![0; Receiver::MAX_BODY + 1], ok).await {
        Ok(response) => assert_eq!(response.status, 413),
        Err(error) => {
            assert!(matches!(error.kind(), TransportErrorKind::Interrupted(_)), "{error}");
        }
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_apart() {
    let first = bind().await;
    let error = Receiver::bind(first.local_addr()).await.unwrap_err();
    assert!(matches!(error, BindError::InUse { address } if address == first.local_addr()));
    assert!(error.to_string().contains("another port"), "{error}");
}

#[tokio::test]
async fn after_it_has_stopped_nobody_listens() {
    let receiver = bind().await;
    let address = receiver.local_addr();
    receiver.serve(|_| ReceiverResponse::status(StatusCode::OK), async {}).await;
    let error = send(address, Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Connect);
}
