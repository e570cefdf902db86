//! A request is written once in an attempt, wherever the receiver ends the connection.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use webhook_core::transport::Transport;
use webhook_http::HttpTransport;

use crate::{
    exchange::{OK_RESPONSE, request, transport},
    peer::{Peer, PeerConnection},
};

/// Response after which a connection is not kept.
const CLOSING_RESPONSE: &str =
    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

/// Ways in which a receiver ends a connection.
#[derive(Clone, Copy, Debug)]
enum ConnectionEnd {
    /// Closes its side and reads the rest of the other one.
    Close,
    /// Resets the connection.
    Reset,
}

/// Reads and writes `bytes` bytes of one exchange, then ends. Answers how many bytes of requests
/// came.
async fn leave_after(
    mut stream: TcpStream,
    bytes: usize,
    request_len: usize,
    end: ConnectionEnd,
) -> usize {
    let mut raw = vec![0; bytes.min(request_len)];
    stream.read_exact(&mut raw).await.unwrap();
    let answer = &CLOSING_RESPONSE.as_bytes()[..bytes.saturating_sub(request_len)];
    stream.write_all(answer).await.unwrap();
    match end {
        ConnectionEnd::Reset => stream.set_zero_linger().unwrap(),
        ConnectionEnd::Close => {
            stream.shutdown().await.unwrap();
            let mut rest = (&mut stream).take((request_len - raw.len()) as u64);
            // An end by reset is an end as well.
            let _ = rest.read_to_end(&mut raw).await;
        }
    }
    raw.len()
}

/// Sends to a receiver that ends at that byte; on a kept connection, after an exchange that went
/// well. Says whether there was an answer, and how many bytes came on each connection.
async fn attempt(
    transport: &HttpTransport,
    peer: &Peer,
    kept: bool,
    end: ConnectionEnd,
    bytes: usize,
    len: usize,
) -> (bool, Vec<usize>) {
    let mut played = Vec::new();
    let receiver = async {
        let mut caller = peer.accept().await;
        if kept {
            caller.request().await;
            caller.write(OK_RESPONSE).await;
        }
        played.push(tokio::spawn(leave_after(caller.0, bytes, len, end)));
        loop {
            // Whoever comes now should not have come, unless nothing was written before.
            let next: PeerConnection<TcpStream> = peer.accept().await;
            played.push(tokio::spawn(leave_after(
                next.0,
                len + CLOSING_RESPONSE.len(),
                len,
                ConnectionEnd::Close,
            )));
        }
    };
    let sends = async {
        if kept {
            transport.send(request(peer.url("/"))).await.unwrap();
        }
        transport.send(request(peer.url("/"))).await.is_ok()
    };
    let answered = tokio::select! {
        answered = sends => answered,
        () = receiver => unreachable!("it never ends"),
    };
    let mut came = Vec::new();
    for one in played {
        came.push(one.await.unwrap());
    }
    (answered, came)
}

#[tokio::test]
async fn wherever_a_receiver_ends_the_request_is_written_once_at_most() {
    let peer = Peer::bind().await;
    let transport = transport();
    let (_, (raw, _)) =
        tokio::join!(transport.send(request(peer.url("/"))), peer.answer(CLOSING_RESPONSE));
    let (len, head) = (raw.len(), CLOSING_RESPONSE.len() - "ok".len());
    let (mut cases, mut moved) = (0, 0);
    for kept in [false, true] {
        for end in [ConnectionEnd::Close, ConnectionEnd::Reset] {
            for bytes in 0..=len + CLOSING_RESPONSE.len() {
                let case = format!(
                    "kept: {kept}, {end:?} at {bytes} of {len} + {}",
                    CLOSING_RESPONSE.len()
                );
                let (answered, came) = attempt(&transport, &peer, kept, end, bytes, len).await;
                let begun = came.iter().filter(|came| **came > 0).count();
                assert!(begun <= 1, "{case}: {came:?}");
                assert!(came.len() == 1 || (kept && bytes == 0), "{case}: {came:?}");
                assert!(peer.is_untouched().await, "{case}: another connection was opened");
                if matches!(end, ConnectionEnd::Close) && came.len() == 1 {
                    assert_eq!(answered, bytes >= len + head, "{case}");
                }
                moved += usize::from(came.len() > 1);
                cases += 1;
            }
        }
    }
    assert!(cases > 400 && moved <= 2, "{cases}, {moved}");
}
