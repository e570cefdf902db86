//! The relay between two sockets.

#![expect(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use webhook_testkit::{
    Reply, TestReceiver,
    relay::{Fate, Relay, Rule},
};

/// Starts a server that responds to each message with its length.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 100];
                while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                    stream.write_all(read.to_string().as_bytes()).await.unwrap();
                }
            });
        }
    });
    addr
}

/// Refuses nothing, and decides by the first letter of a piece.
fn by_letter() -> Option<Rule> {
    Some(Box::new(|bytes: &[u8]| match bytes.first() {
        Some(b'c') => Fate::Cut,
        Some(b'l') => Fate::LoseReply,
        Some(b'b') => Fate::SilenceBefore,
        Some(b'a') => Fate::SilenceAfter,
        _ => Fate::Pass,
    }))
}

async fn ask(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = [0; 100];
    let read = stream.read(&mut bytes).await.unwrap_or_default();
    String::from_utf8_lossy(bytes.get(..read).unwrap()).into_owned()
}

#[tokio::test]
async fn each_piece_meets_its_fate() {
    let relay = Relay::with(server().await, by_letter).await.unwrap();
    for (text, reply) in [("xyz", "3"), ("cut", ""), ("lose", ""), ("xy", "2")] {
        let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
        assert_eq!(ask(&mut stream, "x").await, "1");
        assert_eq!(ask(&mut stream, text).await, reply, "{text}");
    }
    assert_eq!(relay.carried(), 6);
}

#[tokio::test]
async fn a_silence_ends_for_new_connections() {
    for last in ["before", "after"] {
        let relay = Relay::with(server().await, by_letter).await.unwrap();
        let mut old = TcpStream::connect(relay.addr()).await.unwrap();
        assert_eq!(ask(&mut old, "one").await, "3");
        let mut hushed = TcpStream::connect(relay.addr()).await.unwrap();
        let short = Duration::from_millis(50);
        assert!(timeout(short, ask(&mut hushed, last)).await.is_err(), "{last}");
        let mut new = TcpStream::connect(relay.addr()).await.unwrap();
        assert!(timeout(short, ask(&mut new, "x")).await.is_err(), "it waits");
        relay.speak();
        assert_eq!(new.read_u8().await.unwrap(), b'1');
        assert!(timeout(short, ask(&mut old, "x")).await.is_err(), "the old one stays silent");
    }
}

#[tokio::test]
async fn a_reset_passes_to_the_other_side() {
    let receiver = TestReceiver::answering([Reply::reset().unasked()]).await;
    let relay = Relay::to(receiver.addr()).await.unwrap();
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_closed_relay_refuses_connections_until_it_is_open_again() {
    let mut relay = Relay::to(server().await).await.unwrap();
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    assert_eq!(ask(&mut stream, "x").await, "1");
    relay.close().await;
    assert!(TcpStream::connect(relay.addr()).await.is_err());
    assert_eq!(ask(&mut stream, "xy").await, "2");
    relay.reopen().await.unwrap();
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    assert_eq!(ask(&mut stream, "xyz").await, "3");
}
