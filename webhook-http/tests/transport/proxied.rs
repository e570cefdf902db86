//! A proxy on a real socket, and variables of the environment that name one.

use std::{process::Command, sync::Arc};

use tokio_rustls::TlsAcceptor;
use webhook_core::transport::{Transport, TransportErrorKind};
use webhook_http::{AddressPolicy, HttpTransport};

use crate::{
    exchange::{OK_RESPONSE, request},
    handshake::Authority,
    peer::{Peer, PeerConnection, split},
};

const TUNNEL_RESPONSE: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// A transport that goes through `proxy`, and may send to any host there is.
fn through(proxy: &Peer, credentials: &str) -> HttpTransport {
    HttpTransport::builder()
        .addresses(AddressPolicy::new().allow_http())
        .proxy(format!("http://{credentials}127.0.0.1:{}", proxy.port()).parse().unwrap())
        .build()
        .unwrap()
}

#[tokio::test]
async fn plain_http_goes_through_a_tunnel_and_the_name_is_the_proxys_to_resolve() {
    let proxy = Peer::bind().await;
    let transport = through(&proxy, "us%40er:c4nary@");
    assert!(!format!("{transport:?}").contains("c4nary"));
    let url = "http://no-such-name.invalid/hooks".parse().unwrap();
    let receiver = async {
        let (asked, mut caller) = proxy.answer(TUNNEL_RESPONSE).await;
        let sent = caller.request().await;
        caller.write(OK_RESPONSE).await;
        (asked, sent, caller)
    };
    let (answer, (asked, sent, _caller)) = tokio::join!(transport.send(request(url)), receiver);
    assert_eq!(answer.unwrap().body, "ok");
    let expected = "CONNECT no-such-name.invalid:80 HTTP/1.1\r\nHost: no-such-name.invalid:80\r\n\
        Proxy-Authorization: Basic dXNAZXI6YzRuYXJ5\r\n\r\n";
    assert_eq!(std::str::from_utf8(&asked).unwrap(), expected);
    let (head, body) = split(&sent).unwrap();
    assert!(head.starts_with("POST /hooks HTTP/1.1\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("proxy-"), "{head}");
    assert_eq!(body, b"{}");
}

#[tokio::test]
async fn tls_is_agreed_on_with_the_receiver_inside_of_the_tunnel() {
    let (proxy, authority) = (Peer::bind().await, Authority::new("ours"));
    let transport = authority
        .trusting()
        .addresses(AddressPolicy::new())
        .proxy(format!("http://127.0.0.1:{}", proxy.port()).parse().unwrap())
        .build()
        .unwrap();
    let server = Arc::new(authority.server("billing.example", |_| ()));
    let receiver = async {
        let caller = proxy.answer(TUNNEL_RESPONSE).await.1;
        let secured = TlsAcceptor::from(server).accept(caller.0).await.unwrap();
        let name = secured.get_ref().1.server_name().map(ToOwned::to_owned);
        let mut caller = PeerConnection(secured);
        caller.request().await;
        caller.write(OK_RESPONSE).await;
        (name, caller)
    };
    let url = "https://billing.example/".parse().unwrap();
    let (answer, (name, _caller)) = tokio::join!(transport.send(request(url)), receiver);
    assert_eq!(answer.unwrap().body, "ok");
    assert_eq!(name.as_deref(), Some("billing.example"));
}

#[tokio::test]
async fn what_the_url_says_itself_is_judged_before_the_proxy_is_asked() {
    let proxy = Peer::bind().await;
    let transport = through(&proxy, "");
    for url in [
        "http://169.254.169.254/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://db/",
        "http://billing.example:25/",
    ] {
        let error = transport.send(request(url.parse().unwrap())).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::BlockedLiteral, "{url}");
    }
    assert!(proxy.is_untouched().await);
}

#[tokio::test]
async fn a_refusal_by_the_proxy_is_no_answer_of_the_receiver() {
    for (answer, expected) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "user name and a password"),
        ("HTTP/1.1 503 Unavailable\r\nretry-after: 5\r\n\r\n", "status 503"),
    ] {
        let proxy = Peer::bind().await;
        let transport = through(&proxy, "user:c4nary@");
        let url = "http://billing.example/".parse().unwrap();
        let (error, _) = tokio::join!(transport.send(request(url)), proxy.answer(answer));
        let error = error.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Connect);
        let shown = format!("{error:?} {}", std::error::Error::source(&error).unwrap());
        assert!(shown.contains(expected) && !shown.contains("c4nary"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_never_answers_uses_up_the_deadline() {
    let proxy = Peer::bind().await;
    let transport = through(&proxy, "");
    let url = "http://billing.example/".parse().unwrap();
    let (error, _caller) = tokio::join!(transport.send(request(url)), proxy.accept());
    let expected = TransportErrorKind::Timeout(webhook_core::transport::Phase::Connect);
    assert_eq!(error.unwrap_err().kind(), expected);
}

#[cfg(feature = "check")]
#[tokio::test]
async fn a_check_goes_through_the_proxy_and_says_what_is_left_to_it() {
    let proxy = Peer::bind().await;
    let transport = through(&proxy, "user:c4nary@");
    let wait = std::time::Duration::from_secs(10);
    let check = transport.check("http://billing.example/", wait, Default::default());
    let (check, _) = tokio::join!(check, proxy.answer(TUNNEL_RESPONSE));
    let text = check.to_string();
    assert!(check.is_ok() && text.contains("connected through http://127.0.0.1:"), "{text}");
    assert!(text.contains("skipped addresses    the proxy has to vet them"), "{text}");
    assert!(!text.contains("c4nary"), "{text}");
}

/// Sends once, to where the parent process listens; run by the test below, in a process whose
/// environment it has set.
#[tokio::test]
async fn child_that_sends_once() {
    let Ok(url) = std::env::var("TEST_SEND_TO") else { return };
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap();
    let answer = transport.send(request(url.parse().unwrap())).await.unwrap();
    assert_eq!(answer.body, "ok");
}

#[tokio::test]
async fn variables_that_name_a_proxy_are_not_read() {
    let (peer, proxy) = (Peer::bind().await, Peer::bind().await);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "proxied::child_that_sends_once"]);
    child.env("TEST_SEND_TO", peer.url("/").as_str()).stdout(std::process::Stdio::null());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        let value = format!("http://127.0.0.1:{}", proxy.port());
        child.env(name, &value).env(name.to_lowercase(), &value);
    }
    child.env("NO_PROXY", "").env("no_proxy", "").env("REQUEST_METHOD", "");
    let mut child = child.spawn().unwrap();
    let (sent, _caller) = peer.answer(OK_RESPONSE).await;
    assert!(sent.starts_with(b"POST / HTTP/1.1"));
    let ended = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert!(ended.success());
    assert!(proxy.is_untouched().await);
}
