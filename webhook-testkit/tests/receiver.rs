//! The receiver on a real socket, spoken to in plain bytes.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use webhook_testkit::{Reply, TestReceiver};

const POST: &[u8] = b"POST /hooks?x=1 HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n{}";

/// What comes back for `bytes` until the receiver closes.
#[expect(clippy::unwrap_used, reason = "a panic here is the failed assertion")]
async fn talk(receiver: &TestReceiver, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(receiver.addr()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_answers_by_script_and_repeats_the_last() {
    let last = Reply::status(200).header("x-b", "2").body("ok");
    let receiver = TestReceiver::answering([Reply::status(503), last]).await;
    let answer = talk(&receiver, &[POST, POST, POST].concat()).await;
    let ok = "HTTP/1.1 200 Scripted\r\nx-b: 2\r\ncontent-length: 2\r\n\r\nok";
    assert_eq!(answer, format!("HTTP/1.1 503 Scripted\r\ncontent-length: 0\r\n\r\n{ok}{ok}"));
    assert_eq!((receiver.connections(), receiver.requests().len()), (1, 3));
}

#[tokio::test]
async fn it_keeps_what_it_got_byte_for_byte() {
    let receiver = TestReceiver::answering([204]).await;
    assert_eq!(talk(&receiver, POST).await, "HTTP/1.1 204 Scripted\r\n\r\n");
    let got = receiver.received(1).await.remove(0);
    assert_eq!([&got.head[..], &got.body[..]].concat(), POST);
    assert_eq!((got.method.as_str(), got.target.as_str()), ("POST", "/hooks?x=1"));
    assert_eq!((&got.headers["x-a"], got.connection), (&"1".parse().unwrap(), 1));
}

#[tokio::test]
async fn it_misbehaves_on_demand() {
    let script = [Reply::close(), Reply::raw("HTTP/1.1 200"), Reply::status(200).then_close()];
    let receiver = TestReceiver::answering(script).await;
    assert_eq!(talk(&receiver, POST).await, "");
    assert_eq!(talk(&receiver, POST).await, "HTTP/1.1 200");
    assert_eq!(talk(&receiver, POST).await, "HTTP/1.1 200 Scripted\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(receiver.connections(), 3);
}

#[tokio::test]
async fn half_a_request_is_not_kept() {
    let receiver = TestReceiver::answering([200]).await;
    for end in [POST.len() - 1, 30, 0] {
        assert_eq!(talk(&receiver, &POST[..end]).await, "");
    }
    receiver.connected(3).await;
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn a_closed_receiver_refuses() {
    let receiver = TestReceiver::answering([200]).await;
    let addr = receiver.addr();
    receiver.close().await;
    assert!(TcpStream::connect(addr).await.is_err());
}
