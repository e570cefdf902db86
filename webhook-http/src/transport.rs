//! One exchange over HTTP/1.1, from the policy to the end of the answer.
//!
//! The straight way, each step a file: the [`guard`] admits the URL, [`resolve`] looks the name up
//! once, the guard vets every address, [`connect`] dials exactly those, [`tls`] secures the
//! connection, [`connection`] writes the request and reads the answer, [`pool`] keeps the connection
//! for a moment. One deadline covers it all; each step says in which phase it ran out.
//!
//! Before all that, [`hosts`] sees that one host is not sent more at once than it may be. Where the
//! operator has named a proxy, [`proxy`] takes the place of look-up and dialling.
//!
//! What is not here: redirects, retries, cookies, decompression. Nothing reads the environment, so no
//! variable can send a request elsewhere.

mod builder;
#[cfg(feature = "check")]
mod check;
mod connect;
mod connection;
mod error;
#[cfg(feature = "fuzzing")]
mod fuzzing;
mod guard;
mod hosts;
mod pool;
mod proxy;
mod resolve;
mod tls;
mod wire;

use std::{borrow::Cow, fmt, net::SocketAddr, time::Duration};

use async_trait::async_trait;
use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};
use http_body_util::Full;
use tokio::{net::TcpStream, time::Instant};
use url::Host;
use webhook_core::{
    EndpointTls, EndpointUrl, Phase, Request, Response, Transport, TransportError,
    TransportErrorKind,
};

pub use builder::{BuildError, HttpTransportBuilder};
#[cfg(feature = "check")]
pub use check::{CheckedAddress, CheckedCertificate, CheckedStep, EndpointCheck, StepResult};
use connection::{Answer, Connection, Message, Unanswered};
use error::within;
#[cfg(feature = "fuzzing")]
pub use fuzzing::Line;
pub use guard::{AddressPolicy, HostPattern, InvalidHostPattern, InvalidNat64Prefix, Nat64Prefix};
use guard::{blocked, blocked_literal};
use hosts::Hosts;
use pool::Pool;
pub use proxy::{InvalidProxy, Proxy};
use resolve::Resolve;
pub use tls::TlsVersion;
use tls::{Client, Clients};

/// The [`Transport`] port over HTTP/1.1, with TLS 1.2 and 1.3.
///
/// - **Where to.** Only `https`, and only addresses that are globally reachable: every address a
///   name resolves to is vetted, one refused address refuses them all, and a vetted address is what
///   is dialled. Redirects are never followed and proxies from the environment are ignored.
/// - **How long.** One deadline, [`Request::timeout`], covers everything. An answer counts once its
///   head is complete; of its body at most 64 KiB are read, and none of it is decompressed.
/// - **How many.** At most 64 requests are on their way to one host at once
///   ([`max_per_host`](HttpTransportBuilder::max_per_host)).
/// - **As whom.** An endpoint may have a client certificate and roots of its own ([`Request::tls`]).
///   Requests that differ in them share neither connections nor TLS sessions. Certificates are always
///   verified.
/// - **Connections** are kept for 3 s after an answer that was read to its end, at most 32 for each
///   origin. A request is written once: only one of which no byte was written moves on to another
///   connection.
///
/// Must be used inside a tokio runtime with I/O and time enabled.
///
/// ```no_run
/// use std::sync::Arc;
/// use webhook_core::Transport;
/// use webhook_http::HttpTransport;
///
/// let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new()?);
/// assert!(transport.accepts(&"https://billing.example/hooks".parse()?).is_ok());
/// assert!(transport.accepts(&"https://169.254.169.254/".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HttpTransport {
    policy: AddressPolicy,
    /// Through which everything goes, if there is one.
    proxy: Option<Proxy>,
    resolver: Box<dyn Resolve>,
    hosts: Hosts,
    tls: Clients,
    pool: Pool,
}

impl HttpTransport {
    /// A transport with the defaults, which trusts the roots of the platform.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoRoots`] where the platform has no root certificates, as in many containers;
    /// the feature `webpki-roots` brings some.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Starts a transport with other settings.
    pub fn builder() -> HttpTransportBuilder {
        HttpTransportBuilder::default()
    }

    /// Sends `message` on a kept connection, or on a new one when there is none.
    async fn exchange(
        &self,
        url: &EndpointUrl,
        client: &Client,
        mut message: Message,
        deadline: Instant,
    ) -> Result<(Connection, Answer), TransportError> {
        while let Some(mut connection) = self.pool.take(&kept_by(url, client)) {
            match connection.exchange(message, deadline).await {
                Ok(answer) => return Ok((connection, answer)),
                Err(Unanswered::NotWritten(unsent, _)) => message = *unsent,
                Err(Unanswered::Failed(error)) => return Err(error),
            }
        }
        // Boxed: it is rare and large, and every exchange would carry its room.
        let mut connection = Box::pin(self.connect(url, client, deadline)).await?;
        match connection.exchange(message, deadline).await {
            Ok(answer) => Ok((connection, answer)),
            Err(Unanswered::NotWritten(..)) if connection.has_spoken() => Err(spoke_first()),
            Err(Unanswered::NotWritten(_, error) | Unanswered::Failed(error)) => Err(error),
        }
    }

    async fn connect(
        &self,
        url: &EndpointUrl,
        client: &Client,
        deadline: Instant,
    ) -> Result<Connection, TransportError> {
        let stream = match &self.proxy {
            None => self.dial(url, deadline).await?,
            Some(proxy) => self.tunnel(proxy, url, deadline).await?,
        };
        tracing::debug!(%url, address = ?stream.peer_addr().ok(), "connected");
        if url.is_https() {
            let secured = tls::secure(&client.connector, url.host(), stream);
            Connection::open(within(deadline, Phase::Tls, secured).await?).await
        } else {
            Connection::open(stream).await
        }
    }

    /// A connection to a vetted address of the host of `url`.
    async fn dial(
        &self,
        url: &EndpointUrl,
        deadline: Instant,
    ) -> Result<TcpStream, TransportError> {
        let addresses = within(deadline, Phase::Resolve, self.addresses(url)).await?;
        let stream = connect::dial(&addresses, deadline).await?;
        self.judge_ends(url, &stream)?;
        Ok(stream)
    }

    /// Refuses a connection that leads back to this process.
    fn judge_ends(&self, url: &EndpointUrl, stream: &TcpStream) -> Result<(), TransportError> {
        let (Ok(ours), Ok(theirs)) = (stream.local_addr(), stream.peer_addr()) else {
            // Closed again already; whoever writes to it will see why.
            return Ok(());
        };
        self.policy.judge_ends(ours, theirs).map_err(|refused| blocked(url, refused))
    }

    /// Where `url` may be dialled: one look-up, every answer vetted.
    async fn addresses(&self, url: &EndpointUrl) -> Result<Vec<SocketAddr>, TransportError> {
        let found = match url.host() {
            // The guard has seen the literal already, with the URL.
            Host::Ipv4(literal) => vec![literal.into()],
            Host::Ipv6(literal) => vec![literal.into()],
            Host::Domain(name) => {
                let found = self.resolver.resolve(name).await?;
                let mut judged = found.iter().map(|one| self.policy.judge_address(url, *one));
                judged.try_for_each(|verdict| verdict).map_err(|refused| blocked(url, refused))?;
                found
            }
        };
        Ok(connect::order(found, url.port()))
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.policy.judge(&request.url).map_err(blocked_literal)?;
        let (deadline, keep) = (deadline(request.timeout), request.max_response_body);
        let (url, client) = (request.url.clone(), self.tls.client(request.tls.as_deref())?);
        let _place = self.hosts.place(&url, deadline).await?;
        let sent = self.exchange(&url, &client, compose(request)?, deadline);
        let (connection, answer) = sent.await?;
        let (response, connection) = read(connection, answer, keep, deadline).await;
        if let Some(connection) = connection {
            self.pool.put(&kept_by(&url, &client), connection);
        }
        Ok(response)
    }

    fn accepts(&self, url: &EndpointUrl) -> Result<(), TransportError> {
        self.policy.judge(url).map_err(blocked_literal)?;
        target(url).map(drop)
    }

    fn accepts_tls(&self, tls: &EndpointTls) -> Result<(), TransportError> {
        self.tls.client(Some(tls)).map(drop)
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("policy", &self.policy)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

/// The request as it is written: framing and `Host` are ours, whatever the headers say.
fn compose(request: Request) -> Result<Message, TransportError> {
    let host = HeaderValue::from_str(request.url.authority())
        .map_err(|error| TransportError::because(TransportErrorKind::Other, error))?;
    let mut message = Message::new(Full::new(request.body.clone()));
    *message.method_mut() = Method::POST;
    *message.uri_mut() = target(&request.url)?;
    let headers = message.headers_mut();
    *headers = request.headers;
    headers.remove(TRANSFER_ENCODING);
    headers.insert(HOST, host);
    headers.insert(CONTENT_LENGTH, request.body.len().into());
    Ok(message)
}

/// Reads what is left of an answer. The connection comes back if it is known where the answer ends.
async fn read(
    mut connection: Connection,
    answer: Answer,
    keep: usize,
    deadline: Instant,
) -> (Response, Option<Connection>) {
    let (head, mut incoming) = answer.into_parts();
    let body = connection.read_body(&mut incoming, keep, deadline).await;
    let is_clear = body.complete && !is_framed_twice(&head.headers);
    let response = Response::new(head.status).with_headers(head.headers).with_body(body.kept);
    (response, is_clear.then_some(connection))
}

/// Two lengths may mean two answers: the connection ends (RFC 9112, section 6.3).
fn is_framed_twice(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING)
}

fn spoke_first() -> TransportError {
    let reason = "the receiver spoke before it was asked; is this an HTTP port?";
    TransportError::because(TransportErrorKind::Protocol, reason)
}

/// Path and query in origin form (RFC 9112, section 3.2.1).
fn target(url: &EndpointUrl) -> Result<Uri, TransportError> {
    Uri::try_from(url.path_and_query())
        .map_err(|error| TransportError::because(TransportErrorKind::BlockedLiteral, error))
}

/// What connections are kept by: the origin, and what secures them. An origin has no `#`, so that no
/// two of these run together.
fn kept_by<'u>(url: &'u EndpointUrl, client: &Client) -> Cow<'u, str> {
    let (origin, label) = (origin(url), client.label());
    if label.is_empty() { origin.into() } else { format!("{origin}#{label}").into() }
}

/// Scheme, host and port, as the normalised URL begins.
fn origin(url: &EndpointUrl) -> &str {
    url.as_str().strip_suffix(url.path_and_query()).unwrap_or_default()
}

fn deadline(timeout: Duration) -> Instant {
    /// Beyond any timeout that makes sense, so that adding it cannot overflow.
    const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + timeout.min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::IpAddr, sync::Mutex};
    use tokio::net::TcpListener;
    use webhook_core::TlsFailure;

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
        for url in
            ["http://billing.example/", "https://127.0.0.1/", "https://db/", "https://[::1]/"]
        {
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

    #[test]
    fn any_url_that_parses_makes_a_request_line() {
        let odd = "https://x.example/a|b^c`d{e}\u{e4}'(),;:@&=+$!*~[]?q=\"<>|{}^`[]\u{e4}%zz";
        assert!(target(&odd.parse().unwrap()).is_ok());
        for byte in 0x21..=0x7e_u8 {
            let odd = char::from(byte);
            if let Ok(url) = format!("https://x.example/{odd}?{odd}").parse() {
                assert!(target(&url).is_ok(), "{odd}");
            }
        }
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
                let request = Request::new(url.clone(), HeaderMap::new(), "".into());
                let message = compose(request).unwrap();
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
                hosts: Hosts::taking(1),
                tls: tls::trusting_nobody(),
                pool: Pool::default(),
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
}
