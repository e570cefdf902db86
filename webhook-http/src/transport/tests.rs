use super::*;
use std::{net::IpAddr, sync::Mutex};
use tokio::net::TcpListener;
use webhook_core::transport::TlsFailure;

/// Answers each look-up with the next list; the last one stays.
#[derive(Debug)]
struct FakeResolver {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: std::sync::Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Resolve for FakeResolver {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, TransportError> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
    }
}

/// Never answers.
#[derive(Debug)]
struct HangingResolver;

#[async_trait]
impl Resolve for HangingResolver {
    async fn resolve(&self, _name: &str) -> Result<Vec<IpAddr>, TransportError> {
        std::future::pending().await
    }
}

fn guarded(resolver: impl Resolve + 'static) -> HttpTransport {
    let resolver = Box::new(resolver);
    HttpTransport { policy: AddressPolicy::new(), resolver, ..dangerous() }
}

fn dangerous() -> HttpTransport {
    HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap()
}

fn resolver(answers: &[&[&str]]) -> FakeResolver {
    let parse = |list: &&[&str]| list.iter().map(|address| address.parse().unwrap()).collect();
    FakeResolver {
        answers: Mutex::new(answers.iter().map(parse).collect()),
        asked: Default::default(),
    }
}

fn request(url: &str) -> Request {
    Request::new(url.parse().unwrap(), HeaderMap::new(), "{}".into())
}

async fn kind_of(transport: &HttpTransport, url: &str) -> TransportErrorKind {
    transport.send(request(url)).await.unwrap_err().kind()
}

/// Whether anybody has connected.
async fn is_untouched(canary: &TcpListener) -> bool {
    let accepted = tokio::time::timeout(Duration::ZERO, canary.accept()).await;
    accepted.is_err()
}

#[tokio::test]
async fn one_refused_answer_refuses_the_name_and_nothing_is_dialled() {
    let canary = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://billing.example:{}/", canary.local_addr().unwrap().port());
    for answer in [
        &["127.0.0.1"][..],
        &["1.1.1.1", "127.0.0.1"],
        &["127.0.0.1", "2606:4700::1111"],
        &["1.1.1.1", "::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
    ] {
        let transport = guarded(resolver(&[answer]));
        assert_eq!(kind_of(&transport, &url).await, TransportErrorKind::BlockedName);
        assert!(is_untouched(&canary).await, "{answer:?}");
    }
}

#[cfg(feature = "check")]
#[tokio::test]
async fn a_check_shows_the_verdict_on_each_address_and_dials_none_when_one_is_refused() {
    let canary = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://billing.example:{}/", canary.local_addr().unwrap().port());
    let transport = guarded(resolver(&[&["1.1.1.1", "127.0.0.1"]]));
    let check = transport.check(&url, Duration::from_secs(5), Default::default()).await;
    let verdicts: Vec<_> = check.addresses.iter().map(|one| one.refused.as_deref()).collect();
    assert_eq!(verdicts, [None, Some("loopback (RFC 1122)")], "{check}");
    let failed: Vec<_> =
        check.steps.iter().filter(|step| step.result == StepResult::Failed).collect();
    assert_eq!(failed.len(), 1, "{check}");
    assert_eq!(failed[0].step, "addresses");
    assert!(is_untouched(&canary).await, "{check}");
}

#[cfg(feature = "check")]
#[tokio::test(start_paused = true)]
async fn a_check_ends_at_its_deadline() {
    let begun = Instant::now();
    let transport = guarded(HangingResolver);
    let url = "https://billing.example/";
    let check = transport.check(url, Duration::from_secs(5), Default::default()).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(5), "{check}");
    assert_eq!(check.steps[2].found, "timed out while resolving the name", "{check}");
}

#[tokio::test]
async fn the_refusal_names_the_rule() {
    let transport = guarded(resolver(&[&["10.0.0.1"]]));
    let error = transport.send(request("https://billing.example/")).await.unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("private network (RFC 1918)"), "{reason}");
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_what_was_vetted_is_dialled() {
    let canary = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let receiver_port = canary.local_addr().unwrap().port();
    // A second look-up would lead to the canary.
    let fake = resolver(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let asked = std::sync::Arc::clone(&fake.asked);
    let transport = HttpTransport { resolver: Box::new(fake), ..dangerous() };
    let url = format!("http://billing.example:{receiver_port}/");
    assert_eq!(kind_of(&transport, &url).await, TransportErrorKind::Connect);
    assert_eq!(*asked.lock().unwrap(), ["billing.example"]);
    assert!(is_untouched(&canary).await);
}

#[tokio::test]
async fn an_empty_answer_is_a_failed_look_up() {
    let transport = guarded(resolver(&[&[]]));
    let kind = kind_of(&transport, "https://billing.example/").await;
    assert_eq!(kind, TransportErrorKind::Resolve);
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_hangs_uses_up_the_deadline() {
    let kind = kind_of(&guarded(HangingResolver), "https://billing.example/").await;
    assert_eq!(kind, TransportErrorKind::Timeout(Phase::Resolve));
}

#[tokio::test]
async fn literals_and_local_names_are_refused_at_the_door_and_again_when_sent() {
    let fake = resolver(&[&["1.1.1.1"]]);
    let asked = std::sync::Arc::clone(&fake.asked);
    let transport = guarded(fake);
    for url in ["http://billing.example/", "https://127.0.0.1/", "https://db/", "https://[::1]/"] {
        let refused = transport.accepts(&url.parse().unwrap()).unwrap_err();
        assert_eq!(refused.kind(), TransportErrorKind::BlockedLiteral, "{url}");
        assert_eq!(kind_of(&transport, url).await, TransportErrorKind::BlockedLiteral);
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn plain_http_where_tls_is_expected_is_a_failed_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://billing.example:{}/", listener.local_addr().unwrap().port());
    let transport =
        HttpTransport { resolver: Box::new(resolver(&[&["127.0.0.1"]])), ..dangerous() };
    let answer = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 No\r\n\r\n").await
    };
    let (kind, _) = tokio::join!(kind_of(&transport, &url), answer);
    assert_eq!(kind, TransportErrorKind::Tls(TlsFailure::NotTls));
}

/// Whatever a stranger enters: if it is a URL, then name server, certificate and `Host` header
/// are about the same host, and it is the one that was judged.
mod any_text {
    use super::*;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[a-zA-Z0-9.:@/?#%_~|^-]{1,4}",
            "[\\\\ \t\u{3002}\u{ff0e}\u{ff11}\u{ad}\u{200b}\u{df}\u{430}]",
            Just("https://".to_owned()),
            Just("[::1]".to_owned()),
            Just("0x7f.1".to_owned()),
            Just("good.example".to_owned()),
            Just("xn--".to_owned()),
            Just("%2e".to_owned()),
            any::<char>().prop_map(String::from),
        ];
        let scheme = prop_oneof![4 => Just("https://"), 1 => Just("http://"), 1 => Just("")];
        (scheme, prop::collection::vec(part, 1..8))
            .prop_map(|(scheme, parts)| scheme.to_owned() + &parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn leads_to_one_host(text in texts()) {
            let Ok(url) = text.parse::<EndpointUrl>() else { return Ok(()) };
            let host = url.host().to_string();
            let message = compose(&url, HeaderMap::new(), "".into());
            let header = message.headers().get(HOST).unwrap().to_str().unwrap().to_owned();
            let with_port = format!("{host}:{}", url.port());
            prop_assert!(header == host || header == with_port, "{header} for {host}");
            prop_assert!(!header.contains(['@', '/', '\\', '?', '#', ' ']), "{header}");
            if let Ok(name) = tls::server_name(url.host()) {
                let name = name.to_str();
                let bare = host.trim_matches(['[', ']']);
                prop_assert_eq!(name.as_ref(), bare.strip_suffix('.').unwrap_or(bare));
            }
            let fake = resolver(&[&[]]);
            let asked = std::sync::Arc::clone(&fake.asked);
            let transport = HttpTransport { resolver: Box::new(fake), ..dangerous_once() };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let looked_up = runtime.block_on(transport.addresses(&url));
            match url.host() {
                Host::Domain(name) => prop_assert_eq!(&*asked.lock().unwrap(), &[name]),
                _ => prop_assert_eq!(looked_up.unwrap()[0].to_string(), with_port),
            }
        }
    }

    /// Like `dangerous`, without reading the roots of the machine four thousand times.
    fn dangerous_once() -> HttpTransport {
        HttpTransport {
            policy: AddressPolicy::new(),
            proxy: None,
            resolver: Box::new(HangingResolver),
            hosts: Hosts::with_limit(1),
            tls: tls::clients_without_roots(),
        }
    }
}

#[test]
fn connections_are_kept_by_scheme_host_and_port() {
    let origin_of = |url: &str| origin(&url.parse().unwrap()).to_owned();
    assert_eq!(origin_of("HTTPS://X.example:443/a?b"), "https://x.example");
    assert_eq!(origin_of("https://x.example:8443"), "https://x.example:8443");
    assert_eq!(origin_of("http://[::1]:80/?/"), "http://[::1]");
}

#[test]
fn no_timeout_is_too_long() {
    assert!(deadline(Duration::MAX) > Instant::now());
}
