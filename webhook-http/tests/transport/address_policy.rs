//! The address policy, seen from outside: who gets a connection and who does not.

use webhook_core::transport::{Transport, TransportErrorKind};
use webhook_http::{AddressPolicy, HttpTransport};

use crate::{
    exchange::{OK_RESPONSE, request},
    peer::Peer,
};

fn transport(policy: AddressPolicy) -> HttpTransport {
    HttpTransport::builder().addresses(policy).build().unwrap()
}

#[tokio::test]
async fn loopback_is_reached_once_its_net_and_plain_http_are_allowed() {
    let peer = Peer::bind().await;
    let closed = transport(AddressPolicy::new().allow_http());
    let error = closed.send(request(peer.url("/"))).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::BlockedLiteral);
    assert!(peer.is_untouched().await);

    let open = AddressPolicy::new().allow_http().allow_net("127.0.0.0/8".parse().unwrap());
    let open = transport(open);
    let (answer, _) = tokio::join!(open.send(request(peer.url("/"))), peer.answer(OK_RESPONSE));
    assert_eq!(answer.unwrap().body, "ok");
}

#[tokio::test]
async fn a_name_of_ones_own_is_reached_and_still_refused_where_its_address_is_denied() {
    let peer = Peer::bind().await;
    let url = || format!("http://localhost:{}/", peer.port()).parse().unwrap();
    let allowed = || AddressPolicy::new().allow_http().allow_name("localhost".parse().unwrap());
    let open = transport(allowed());
    let (answer, _) = tokio::join!(open.send(request(url())), peer.answer(OK_RESPONSE));
    assert_eq!(answer.unwrap().body, "ok");

    let denied = transport(allowed().deny_net("127.0.0.0/8".parse().unwrap()));
    let error = denied.send(request(url())).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::BlockedName);
    assert!(peer.is_untouched().await);
}

#[tokio::test(start_paused = true)]
async fn a_host_with_as_many_requests_as_it_may_have_gets_no_more() {
    let peer = Peer::bind().await;
    let open = HttpTransport::builder().dangerous_allow_private_addresses();
    let transport = open.max_per_host(1).build().unwrap();
    let (first, next) = (request(peer.url("/a")), request(peer.url("/b")));
    // Its time ends sooner, so that the first one does not make way in the same moment.
    let sooner = next.timeout / 2;
    let (first, next) = (transport.send(first), transport.send(next.with_timeout(sooner)));
    let receiver = async {
        let first = peer.accept().await;
        (first, peer.is_untouched().await)
    };
    let (first, next, (_first, untouched)) = tokio::join!(first, next, receiver);
    assert!(matches!(first.unwrap_err().kind(), TransportErrorKind::Timeout(_)));
    let error = next.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Local, "{error:?}");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("max_per_host"));
    assert!(untouched, "the next one has waited for its turn");
}

/// The address of this machine that the guard cannot know beforehand is found out by connecting.
#[tokio::test]
async fn a_connection_to_this_machine_at_a_port_of_ours_gets_no_byte() {
    let Some(here) = own_address() else { return };
    let peer = Peer(tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap());
    let url = || format!("http://{here}:{}/", peer.port()).parse().unwrap();
    let allowed = || AddressPolicy::new().dangerous_allow_private_addresses();
    let open = transport(allowed());
    let (answer, _) = tokio::join!(open.send(request(url())), peer.answer(OK_RESPONSE));
    assert_eq!(answer.unwrap().body, "ok");

    let own = std::net::SocketAddr::from(([0, 0, 0, 0], peer.port()));
    let closed = transport(allowed().own_address(own));
    let error = closed.send(request(url())).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::BlockedLiteral);
    peer.accept().await.closed().await;
}

/// An address of this machine that is not loopback, where it has one. Nothing is sent.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
