//! Kept connections: used again, never trusted blindly, never written twice.

use std::time::Duration;

use tokio::{net::TcpStream, time::Instant};
use webhook_core::transport::{Phase, Transport, TransportErrorKind};
use webhook_http::HttpTransportBuilder;

use crate::{
    exchange::{OK_RESPONSE, request, transport},
    peer::{Peer, PeerConnection},
};

#[tokio::test]
async fn a_connection_is_used_again_after_an_answer_was_read_to_its_end() {
    for answer in [
        OK_RESPONSE,
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        let (transport, peer) = (transport(), Peer::bind().await);
        let receiver = async {
            let (_, mut caller) = peer.answer(answer).await;
            caller.request().await;
            caller.write(OK_RESPONSE).await;
            caller
        };
        let both = async {
            transport.send(request(peer.url("/one"))).await.unwrap();
            transport.send(request(peer.url("/two"))).await.unwrap()
        };
        let (second, _) = tokio::join!(both, receiver);
        assert_eq!(second.body, "ok");
        assert!(peer.is_untouched().await, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_answer_was_not_read_to_its_end_is_closed_at_once() {
    let started = Instant::now();
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok".to_owned(),
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            .to_owned(),
        format!("HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n{}", "x".repeat(80_000)),
    ] {
        let (transport, peer) = (transport(), Peer::bind().await);
        let (first, (_, mut caller)) =
            tokio::join!(transport.send(request(peer.url("/"))), peer.answer(&answer));
        assert_eq!(first.unwrap().status, 200);
        caller.closed().await;
        assert!(started.elapsed() < Duration::from_secs(1), "it was kept, or waited for");
    }
}

#[test]
fn a_connection_of_another_runtime_is_not_used_and_none_outlives_its_time() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true);
    let (here, there) = (runtime.build().unwrap(), runtime.build().unwrap());
    let transport = transport();
    let send = |url| transport.send(request(url));

    let peer = here.block_on(Peer::bind());
    let url = peer.url("/");
    let (first, _kept) =
        here.block_on(async { tokio::join!(send(url.clone()), peer.answer(OK_RESPONSE)) });
    first.unwrap();

    let listener = peer.0.into_std().unwrap();
    let mut caller = there.block_on(async {
        let peer = Peer(tokio::net::TcpListener::from_std(listener).unwrap());
        let (second, (_, caller)) = tokio::join!(send(url.clone()), peer.answer(OK_RESPONSE));
        second.unwrap();
        caller
    });

    // Takes the task along that was closing idle connections.
    drop(here);
    there.block_on(async {
        let answer = async {
            caller.request().await;
            caller.write(OK_RESPONSE).await;
        };
        tokio::join!(send(url), answer).0.unwrap();
        caller.closed().await;
    });
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_not_used() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let (first, (_, caller)) =
        tokio::join!(transport.send(request(peer.url("/"))), peer.answer(OK_RESPONSE));
    first.unwrap();
    drop(caller);
    // The end has to come in before the next request looks.
    tokio::task::yield_now().await;
    let (second, _) =
        tokio::join!(transport.send(request(peer.url("/"))), peer.answer(OK_RESPONSE));
    assert_eq!(second.unwrap().status, 200);
}

#[tokio::test]
async fn an_idle_connection_that_says_something_unasked_is_not_used() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let (first, (_, mut caller)) =
        tokio::join!(transport.send(request(peer.url("/"))), peer.answer(OK_RESPONSE));
    first.unwrap();
    caller.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother").await;
    tokio::task::yield_now().await;
    let (second, _) =
        tokio::join!(transport.send(request(peer.url("/"))), peer.answer(OK_RESPONSE));
    assert_eq!(second.unwrap().body, "ok");
}

#[tokio::test]
async fn a_reused_connection_that_ends_without_a_byte_is_stale_and_nothing_is_sent_twice() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let receiver = async {
        let (_, mut caller) = peer.answer(OK_RESPONSE).await;
        caller.request().await;
    };
    let both = async {
        transport.send(request(peer.url("/"))).await.unwrap();
        transport.send(request(peer.url("/"))).await.unwrap_err()
    };
    let (error, ()) = tokio::join!(both, receiver);
    assert_eq!(error.kind(), TransportErrorKind::StaleConnection);
    assert!(peer.is_untouched().await);
}

#[tokio::test]
async fn a_reused_connection_that_ends_within_an_answer_was_interrupted() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let receiver = async {
        let (_, mut caller) = peer.answer(OK_RESPONSE).await;
        caller.request().await;
        caller.write("HTTP/1.1 2").await;
    };
    let both = async {
        transport.send(request(peer.url("/"))).await.unwrap();
        transport.send(request(peer.url("/"))).await.unwrap_err()
    };
    let (error, ()) = tokio::join!(both, receiver);
    assert_eq!(error.kind(), TransportErrorKind::Interrupted(Phase::Head));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_closed_after_three_idle_seconds() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let (first, (_, mut caller)) =
        tokio::join!(transport.send(request(peer.url("/"))), peer.answer(OK_RESPONSE));
    first.unwrap();
    let idle_since = Instant::now();
    caller.closed().await;
    assert!(idle_since.elapsed() >= Duration::from_secs(3));
    assert!(idle_since.elapsed() <= Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_connection_idle_for_three_seconds_is_not_taken() {
    let (transport, peer) = (transport(), Peer::bind().await);
    let (first, (_, _caller)) =
        tokio::join!(transport.send(request(peer.url("/"))), peer.answer(OK_RESPONSE));
    first.unwrap();
    tokio::time::advance(Duration::from_secs(3)).await;
    let (second, _) =
        tokio::join!(transport.send(request(peer.url("/"))), peer.answer(OK_RESPONSE));
    assert_eq!(second.unwrap().status, 200);
}

#[tokio::test]
async fn as_many_connections_are_kept_as_a_host_may_have_requests_at_once() {
    const MAX_REQUESTS_PER_HOST: usize = HttpTransportBuilder::MAX_PER_HOST;
    let (transport, peer) = (transport(), Peer::bind().await);
    let burst = || {
        let sends = (0..MAX_REQUESTS_PER_HOST).map(|_| transport.send(request(peer.url("/"))));
        futures_util::future::join_all(sends)
    };
    let answer = async |callers: &mut Vec<PeerConnection<TcpStream>>| {
        for caller in callers {
            caller.request().await;
            caller.write(OK_RESPONSE).await;
        }
    };
    let mut callers = Vec::new();
    let first = async {
        for _ in 0..MAX_REQUESTS_PER_HOST {
            callers.push(peer.accept().await);
        }
        answer(&mut callers).await;
    };
    let (answers, ()) = tokio::join!(burst(), first);
    assert!(answers.iter().all(Result::is_ok));
    // Nobody accepts another: a request on a new connection would not be answered.
    let (answers, ()) = tokio::join!(burst(), answer(&mut callers));
    assert!(answers.iter().all(Result::is_ok));
}
