//! A way out through an HTTP proxy: the tunnel of CONNECT (RFC 9110, section 9.3.6).
//!
//! Only what the operator has configured, never what the environment says. The proxy sees which
//! host and port are asked for and the bytes of the tunnel; with `https` those are TLS with the
//! receiver.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};
use url::{Host, Url};
use webhook_core::{
    EndpointUrl,
    transport::{Phase, TransportError, TransportErrorKind},
};
use zeroize::Zeroizing;

use super::{HttpTransport, connect, error::within};

/// An HTTP proxy through which all requests go: `http://proxy.example:3128`, with user name and
/// password where it asks for them (`http://user:password@proxy.example:3128`).
///
/// Neither `Debug` nor `Display` show the user name and the password.
///
/// ```
/// use webhook_http::Proxy;
///
/// let proxy: Proxy = "http://webhooks:s3cret@proxy.example:3128".parse()?;
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
/// # Ok::<(), webhook_http::InvalidProxy>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    host: Host,
    port: u16,
    /// The value of `Proxy-Authorization`.
    authorization: Option<Zeroizing<String>>,
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let url = Url::parse(text).map_err(|_| InvalidProxy)?;
        let plain = url.scheme() == "http"
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none();
        let host = url.host().filter(|_| plain).ok_or(InvalidProxy)?.to_owned();
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(InvalidProxy)?;
        Ok(Self { host, port, authorization: authorization(&url) })
    }
}

/// The scheme "Basic" (RFC 7617), if the URL has a user name or a password.
fn authorization(url: &Url) -> Option<Zeroizing<String>> {
    let password = url.password().unwrap_or_default();
    if url.username().is_empty() && password.is_empty() {
        return None;
    }
    let mut pair = Zeroizing::new(Vec::new());
    pair.extend(percent_decode_str(url.username()));
    pair.push(b':');
    pair.extend(percent_decode_str(password));
    let encoded = Zeroizing::new(STANDARD.encode(&*pair));
    Some(Zeroizing::new(format!("Basic {}", *encoded)))
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// The text is no URL of a proxy. The message does not repeat it: it may hold a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a proxy: expected http://host:port, or http://user:password@host:port")]
pub struct InvalidProxy;

/// Reason for a missing tunnel.
#[derive(Debug, thiserror::Error)]
enum TunnelError {
    #[error(
        "the proxy asks for a user name and a password (status 407): http://user:password@host:port"
    )]
    Unauthorized,
    #[error("the proxy refuses to connect to the receiver: status {0}")]
    Refused(u16),
    #[error("what the proxy answers is not HTTP/1.1, or too long; is it an HTTP proxy?")]
    NotHttp,
    #[error("the proxy closed the connection without an answer")]
    Closed,
}

impl HttpTransport {
    /// A connection through `proxy` to the host of `url`, which the proxy resolves and vets.
    pub(super) async fn tunnel(
        &self,
        proxy: &Proxy,
        url: &EndpointUrl,
        deadline: Instant,
    ) -> Result<TcpStream, TransportError> {
        let found = match &proxy.host {
            Host::Ipv4(address) => vec![(*address).into()],
            Host::Ipv6(address) => vec![(*address).into()],
            Host::Domain(name) => {
                within(deadline, Phase::Resolve, self.resolver.resolve(name)).await?
            }
        };
        let mut stream = connect::dial(&connect::order(found, proxy.port), deadline).await?;
        let tunnel = request_tunnel(&mut stream, url, proxy.authorization.as_deref());
        within(deadline, Phase::Connect, tunnel).await?;
        Ok(stream)
    }
}

/// Requests a tunnel to the host of `url`, and reads the response of the proxy to its last byte.
async fn request_tunnel(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    url: &EndpointUrl,
    authorization: Option<&String>,
) -> Result<(), TransportError> {
    let connect = |error: TunnelError| TransportError::because(TransportErrorKind::Connect, error);
    let lost = |error| TransportError::because(TransportErrorKind::Connect, error);
    let connect_request = connect_request(url, authorization);
    stream.write_all(connect_request.as_bytes()).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let head = read_head(stream).await.map_err(lost)?.map_err(connect)?;
    match status_of(&head) {
        Some(200..=299) => Ok(()),
        Some(407) => Err(connect(TunnelError::Unauthorized)),
        Some(status) => Err(connect(TunnelError::Refused(status))),
        None => Err(connect(TunnelError::NotHttp)),
    }
}

fn connect_request(url: &EndpointUrl, authorization: Option<&String>) -> Zeroizing<String> {
    let target = format!("{}:{}", url.host(), url.port());
    let mut connect_request =
        Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"));
    if let Some(authorization) = authorization {
        for part in ["Proxy-Authorization: ", authorization, "\r\n"] {
            connect_request.push_str(part);
        }
    }
    connect_request.push_str("\r\n");
    connect_request
}

/// Reads the head of the proxy's response, and no byte more: the receiver sends the next ones.
async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
) -> std::io::Result<Result<Vec<u8>, TunnelError>> {
    const MAX_PROXY_HEAD_BYTES: usize = 16 * 1024;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_PROXY_HEAD_BYTES {
            return Ok(Err(TunnelError::NotHttp));
        }
        // One byte at a time, once for each connection: nothing has to be given back.
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(Err(TunnelError::Closed));
        }
        head.extend(byte);
    }
    Ok(Ok(head))
}

/// The status of `HTTP/1.x NNN ...`.
fn status_of(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head).ok()?.lines().next()?;
    let mut words = line.splitn(3, ' ');
    words.next().filter(|version| matches!(*version, "HTTP/1.1" | "HTTP/1.0"))?;
    words.next().filter(|status| status.len() == 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn what_is_no_proxy_is_refused_and_no_password_is_shown() {
        for text in [
            "",
            "proxy:3128",
            "https://u:c4nary@proxy:3128",
            "socks5://proxy:1080",
            "http://u:c4nary@proxy:3128/path",
            "http://proxy/?x",
            "http://proxy:0",
        ] {
            assert_eq!(text.parse::<Proxy>().unwrap_err(), InvalidProxy, "{text}");
        }
        let proxy: Proxy = "http://us%3Aer:c4n%40ry@Proxy.example".parse().unwrap();
        assert_eq!(
            format!("{proxy} {proxy:?}"),
            "http://proxy.example:80 Proxy(http://proxy.example:80)"
        );
        let expected = format!("Basic {}", STANDARD.encode("us:er:c4n@ry"));
        assert_eq!(**proxy.authorization.as_ref().unwrap(), expected);
        assert!("http://[::1]:8080".parse::<Proxy>().unwrap().authorization.is_none());
    }

    #[tokio::test]
    async fn each_answer_of_a_proxy_has_its_meaning() {
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(20_000));
        let table = [
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("HTTP/1.0 200 Connection established\r\nvia: x\r\n\r\n", None),
            ("HTTP/1.1 407 No\r\n\r\n", Some("user name and a password")),
            ("HTTP/1.1 403 No\r\n\r\n", Some("status 403")),
            ("HTTP/1.1 302 Found\r\nlocation: http://x/\r\n\r\n", Some("status 302")),
            ("HTTP/2 200\r\n\r\n", Some("not HTTP/1.1")),
            ("SSH-2.0\r\n\r\n", Some("not HTTP/1.1")),
            (endless.as_str(), Some("too long")),
            ("HTTP/1.1 200 OK\r\n", Some("without an answer")),
            ("", Some("without an answer")),
        ];
        for (answer, expected) in table {
            let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
            theirs.write_all(answer.as_bytes()).await.unwrap();
            theirs.shutdown().await.unwrap();
            let url = "https://billing.example/".parse().unwrap();
            let tunnel = request_tunnel(&mut ours, &url, None).await;
            let reason = tunnel.as_ref().err().map(|error| error.source().unwrap().to_string());
            assert_eq!(reason.is_some(), expected.is_some(), "{answer:.60}: {reason:?}");
            assert!(
                reason.unwrap_or_default().contains(expected.unwrap_or_default()),
                "{answer:.60}"
            );
            if let Err(error) = tunnel {
                assert_eq!(error.kind(), TransportErrorKind::Connect);
            }
        }
    }
}
