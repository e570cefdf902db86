//! The receiver on a real socket, spoken to in plain bytes.

use std::{collections::BTreeSet, io::ErrorKind, time::Duration};
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
async fn it_may_speak_before_it_is_asked() {
    let receiver = TestReceiver::answering([Reply::raw("hello").unasked()]).await;
    let mut answer = String::new();
    let mut stream = TcpStream::connect(receiver.addr()).await.unwrap();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!((answer.as_str(), receiver.requests().len()), ("hello", 0));
}

#[tokio::test]
async fn it_may_answer_without_reading_the_body() {
    let receiver = TestReceiver::answering([Reply::raw("no").after_head()]).await;
    let head = POST.split_last_chunk::<2>().unwrap().0;
    assert_eq!(talk(&receiver, head).await, "no");
    assert!(receiver.requests().is_empty(), "such a request is not whole");
}

#[tokio::test]
async fn it_may_say_more_than_it_was_asked_for() {
    let once = Reply::status(204).then_say(Duration::from_millis(1), "more");
    let receiver = TestReceiver::answering([once]).await;
    let answer = talk(&receiver, POST).await;
    assert_eq!(answer, "HTTP/1.1 204 Scripted\r\n\r\nmore");
}

#[tokio::test]
async fn it_may_reset_the_connection() {
    let receiver = TestReceiver::answering([Reply::status(200).then_reset()]).await;
    let mut stream = TcpStream::connect(receiver.addr()).await.unwrap();
    stream.write_all(POST).await.unwrap();
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "what was written before arrives");
}

#[tokio::test]
async fn it_may_be_slow_and_never_end() {
    let drip = Reply::drip("abc", Duration::from_millis(1)).unasked();
    let receiver = TestReceiver::answering([drip, Reply::endless("x", "y").unasked()]).await;
    let mut stream = TcpStream::connect(receiver.addr()).await.unwrap();
    for byte in b"abc" {
        assert_eq!(stream.read_u8().await.unwrap(), *byte);
    }
    let mut stream = TcpStream::connect(receiver.addr()).await.unwrap();
    let mut answer = [0; 1000];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!((answer[0], answer[999]), (b'x', b'y'));
}

#[tokio::test]
async fn another_script_replaces_the_first() {
    let receiver = TestReceiver::answering([503]).await;
    receiver.answers([204]);
    assert_eq!(talk(&receiver, POST).await, "HTTP/1.1 204 Scripted\r\n\r\n");
}

#[tokio::test]
async fn it_may_take_nobody_in() {
    let receiver = TestReceiver::unreachable().await;
    let connect = TcpStream::connect(receiver.addr());
    let connected = tokio::time::timeout(Duration::from_millis(100), connect).await;
    assert!(!matches!(connected, Ok(Ok(_))), "somebody got in");
}

#[test]
fn no_two_misbehaviours_have_one_name() {
    let all = Reply::misbehaviours("http://127.0.0.1:9/");
    let names: BTreeSet<_> = all.iter().map(|bad| bad.name).collect();
    assert_eq!(names.len(), all.len());
}

#[tokio::test]
async fn a_closed_receiver_refuses() {
    let receiver = TestReceiver::answering([200]).await;
    let addr = receiver.addr();
    receiver.close().await;
    assert!(TcpStream::connect(addr).await.is_err());
}
