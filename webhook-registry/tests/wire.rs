//! What leaves the socket: captured raw, published through everything that users use.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

use std::future::pending;

use webhook_registry::{
    NewEndpoint, NewEvent, Secret, Timestamp, Webhooks,
    database::SeaOrmStore,
    signing::{RingSigner, Verifier},
    transport::HttpTransport,
};
use webhook_testkit::{ReceivedRequest, TestReceiver};

const ENDPOINT_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Publishes `body` durably and answers the one request that it became.
async fn request_for(body: &[u8]) -> ReceivedRequest {
    let receiver = TestReceiver::answering([200]).await;
    let store = SeaOrmStore::connect("sqlite::memory:").await.unwrap();
    store.migrate().await.unwrap();
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap();
    let webhooks =
        Webhooks::builder().store(store).transport(transport).signer(RingSigner).build().unwrap();
    let endpoint =
        NewEndpoint::new(receiver.url()).secret(ENDPOINT_SECRET).header("X-Custom", "kept");
    webhooks.add_endpoint(endpoint).await.unwrap();
    let event = NewEvent::new("invoice.paid", body.to_vec()).unwrap();
    webhooks.publish(event).await.unwrap();
    webhooks.run_until_idle(None, pending()).await.unwrap();
    receiver.received(1).await.remove(0)
}

fn lines(request: &ReceivedRequest) -> Vec<String> {
    let head = String::from_utf8(request.head.to_vec()).unwrap();
    head.split("\r\n").filter(|line| !line.is_empty()).map(str::to_ascii_lowercase).collect()
}

fn values<'l>(lines: &'l [String], name: &str) -> Vec<&'l str> {
    let prefix = format!("{name}: ");
    lines.iter().filter_map(|line| line.strip_prefix(&prefix)).collect()
}

#[tokio::test]
async fn one_content_length_and_the_promised_headers_leave_the_socket() {
    let request = request_for(br#"{"test": 1}"#).await;
    let lines = lines(&request);
    assert_eq!(lines[0], "post /hooks http/1.1");
    assert_eq!(values(&lines, "content-length"), ["11"]);
    assert!(values(&lines, "transfer-encoding").is_empty());
    assert_eq!(values(&lines, "host").len(), 1);
    assert_eq!(values(&lines, "content-type"), ["application/json"]);
    assert_eq!(values(&lines, "x-event-type"), ["invoice.paid"]);
    assert_eq!(values(&lines, "x-custom"), ["kept"]);
    assert_eq!(values(&lines, "x-timestamp"), values(&lines, "webhook-timestamp"));
    for once in ["webhook-id", "webhook-signature", "x-signature", "x-signature-256", "user-agent"]
    {
        assert_eq!(values(&lines, once).len(), 1, "{once}");
    }
}

#[tokio::test]
async fn a_body_arrives_byte_for_byte_and_verifies() {
    let long = format!("[\"{}\"]", "é".repeat(131_070));
    assert_eq!(long.len(), 256 * 1024);
    let bodies: [&[u8]; 4] = [
        b"",
        r#"{"b":1, "a":"\u00e9 é ✓ 🦀","n":1.0e+2}"#.as_bytes(),
        b"\xff\xfe\x00\x01",
        long.as_bytes(),
    ];
    for body in bodies {
        let request = request_for(body).await;
        assert!(request.body == body, "{} bytes", body.len());
        let secret: Secret = ENDPOINT_SECRET.parse().unwrap();
        let now = Timestamp::from(std::time::SystemTime::now());
        Verifier::new(secret).verify(&RingSigner, &request.headers, &request.body, now).unwrap();
    }
}
