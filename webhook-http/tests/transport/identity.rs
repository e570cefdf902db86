//! Two endpoints on one host, each with an identity of its own: never a connection or a session of
//! one for the other.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use futures_util::future::join_all;
use rustls::{HandshakeKind, pki_types::CertificateDer};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use webhook_core::{
    EndpointTls,
    transport::{Request, Transport},
};

use crate::{
    exchange::request,
    handshake::{Authority, TLS_VERSIONS},
    peer::{Peer, PeerConnection},
};

/// One request as the receiver has recorded it.
struct SeenRequest {
    path: String,
    shown: CertificateDer<'static>,
    connection: usize,
    resumed: bool,
}

/// Answers whoever comes, and keeps a log. Each connection takes three requests.
async fn receive(peer: &Peer, acceptor: TlsAcceptor, log: Arc<Mutex<Vec<SeenRequest>>>) {
    for connection in 0.. {
        let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
        let stream = peer.accept().await.0;
        tokio::spawn(async move {
            let Ok(secured) = acceptor.accept(stream).await else { return };
            serve(PeerConnection(secured), connection, &log).await;
        });
    }
}

async fn serve(
    mut caller: PeerConnection<TlsStream<TcpStream>>,
    connection: usize,
    log: &Mutex<Vec<SeenRequest>>,
) {
    for left in (0..3).rev() {
        let Some(raw) = caller.next_request().await else { return };
        let tls = caller.0.get_ref().1;
        log.lock().unwrap().push(SeenRequest {
            path: String::from_utf8_lossy(&raw).split(' ').nth(1).unwrap().to_owned(),
            shown: tls.peer_certificates().unwrap()[0].clone(),
            connection,
            resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
        });
        let close = if left == 0 { "connection: close\r\n" } else { "" };
        caller.write(format!("HTTP/1.1 200 OK\r\n{close}content-length: 2\r\n\r\nok")).await;
    }
}

#[tokio::test]
async fn two_identities_at_one_host_never_share_a_connection_or_a_session() {
    for version in TLS_VERSIONS {
        let authority = Authority::new("ours");
        let server = Arc::new(authority.wanting_client_certificates(&[version]));
        let (peer, log) = (Peer::bind().await, Arc::new(Mutex::new(Vec::new())));
        let transport = authority.trusted_by();
        let endpoints = ["/a", "/b"].map(|path| {
            let (identity, certificate) = authority.identity("us.example");
            (path, Arc::new(EndpointTls::new().with_identity(identity)), certificate)
        });
        let send = |at: usize| {
            let (path, tls, _) = &endpoints[at % 2];
            let url = format!("https://127.0.0.1:{}{path}", peer.port()).parse().unwrap();
            transport.send(Request::with_tls(request(url), Some(Arc::clone(tls))))
        };
        let sends = async {
            for at in 0..50 {
                assert_eq!(send(at).await.unwrap().body, "ok", "{at}");
            }
            for ten in 0..5 {
                for answer in join_all((ten * 10..ten * 10 + 10).map(&send)).await {
                    assert_eq!(answer.unwrap().body, "ok");
                }
            }
        };
        tokio::select! {
            () = sends => {}
            () = receive(&peer, TlsAcceptor::from(server), Arc::clone(&log)) => {}
        }

        let log = log.lock().unwrap();
        assert_eq!(log.len(), 100, "{version:?}");
        let mut speakers: HashMap<usize, HashSet<&str>> = HashMap::new();
        for seen in &*log {
            let (_, _, certificate) =
                endpoints.iter().find(|(path, ..)| *path == seen.path).unwrap();
            assert!(seen.shown == *certificate, "{} was sent in another's name", seen.path);
            speakers.entry(seen.connection).or_default().insert(&seen.path);
        }
        assert!(speakers.values().all(|paths| paths.len() == 1), "a connection was shared");
        // Both were there to be shared: connections that were used again, and sessions.
        assert!(speakers.len() < 100, "no connection was used twice");
        for (path, ..) in &endpoints {
            assert!(
                log.iter().any(|seen| seen.path == *path && seen.resumed),
                "{version:?} {path}"
            );
        }
    }
}
