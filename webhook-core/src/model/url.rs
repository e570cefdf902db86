//! The door for URLs: parsed once, trusted inside.
//!
//! `Host`, the TLS name and the name to look up all come from this one parsed value, so that no two
//! parsers can disagree about where a request goes. Whether the *address* behind a name may be
//! dialled is the transport's decision, at the moment it dials.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use http::{HeaderValue, uri::PathAndQuery};
use url::{Host, Url};

/// An absolute `https` or `http` URL without user name, password and fragment.
///
/// `Display` and `Debug` leave out the query, which often holds a token;
/// [`as_str`](Self::as_str) is the whole URL.
///
/// ```
/// use webhook_core::EndpointUrl;
///
/// let url: EndpointUrl = "https://billing.example/hooks?token=t0ken".parse()?;
/// assert_eq!(url.to_string(), "https://billing.example/hooks");
/// assert!("https://user:password@billing.example/".parse::<EndpointUrl>().is_err());
/// # Ok::<(), webhook_core::error::InvalidUrl>(())
/// ```
#[derive(Clone)]
pub struct EndpointUrl(Arc<Parsed>);

/// A URL, and what every request to it says of it.
struct Parsed {
    url: Url,
    host_header: HeaderValue,
    target: PathAndQuery,
}

impl EndpointUrl {
    /// The longest URL, in bytes; every store has room for it.
    pub const MAX_LEN: usize = 2048;

    /// The whole URL, query included.
    pub fn as_str(&self) -> &str {
        self.0.url.as_str()
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.0.url.scheme() == "https"
    }

    /// The host: a name in lower case and ASCII, or a literal address.
    pub fn host(&self) -> Host<&str> {
        // A parsed URL of these schemes always has one; the door below checked it.
        self.0.url.host().unwrap_or(Host::Domain(""))
    }

    /// The port, by the scheme's default when the URL names none.
    pub fn port(&self) -> u16 {
        self.0.url.port_or_known_default().unwrap_or(443)
    }

    /// What the `Host` header says: the host, and the port where it is not the scheme's default.
    pub fn authority(&self) -> &str {
        self.0.url.authority()
    }

    /// The value of the `Host` header (RFC 9110, section 7.2): [`authority`](Self::authority).
    pub fn host_header(&self) -> &HeaderValue {
        &self.0.host_header
    }

    /// Path and query, as they stand in the request line: the target in origin form (RFC 9112, section
    /// 3.2.1).
    pub fn target(&self) -> &PathAndQuery {
        &self.0.target
    }
}

impl PartialEq for EndpointUrl {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for EndpointUrl {}

impl PartialOrd for EndpointUrl {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EndpointUrl {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for EndpointUrl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.url[..url::Position::AfterPath])
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointUrl({self})")
    }
}

impl FromStr for EndpointUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        check_spelling(text)?;
        let url = Url::parse(text).map_err(|error| InvalidUrl::Syntax(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidUrl::Credentials);
        }
        if url.fragment().is_some() {
            return Err(InvalidUrl::Fragment);
        }
        if url.port() == Some(0) {
            return Err(InvalidUrl::Port);
        }
        check_host(url.host())?;
        if url.as_str().len() > Self::MAX_LEN {
            return Err(InvalidUrl::TooLong);
        }
        Parsed::of(url).map(|parsed| Self(Arc::new(parsed)))
    }
}

impl Parsed {
    fn of(url: Url) -> Result<Self, InvalidUrl> {
        let host_header = HeaderValue::from_str(url.authority());
        let target = PathAndQuery::try_from(&url[url::Position::BeforePath..]);
        match (host_header, target) {
            (Ok(host_header), Ok(target)) => Ok(Self { url, host_header, target }),
            // A parsed URL consists of what both take.
            _ => Err(InvalidUrl::Characters),
        }
    }
}

/// What a lenient parser would quietly repair is refused before it sees it.
fn check_spelling(text: &str) -> Result<(), InvalidUrl> {
    if text.len() > EndpointUrl::MAX_LEN {
        return Err(InvalidUrl::TooLong);
    }
    if text.bytes().any(|byte| byte <= b' ' || byte == b'\\' || byte == 0x7f) {
        return Err(InvalidUrl::Characters);
    }
    let (scheme, rest) = text.split_once("://").ok_or(InvalidUrl::Scheme)?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return Err(InvalidUrl::Scheme);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(InvalidUrl::Host);
    }
    if authority.contains('@') { Err(InvalidUrl::Credentials) } else { Ok(()) }
}

fn check_host(host: Option<Host<&str>>) -> Result<(), InvalidUrl> {
    match host {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            let labels = name.split('.').all(|label| (1..=63).contains(&label.len()));
            if labels && name.len() <= 253 { Ok(()) } else { Err(InvalidUrl::Host) }
        }
        Some(_) => Ok(()),
        None => Err(InvalidUrl::Host),
    }
}

/// The text is no URL that events can be posted to. The messages never repeat it: it may hold a
/// password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// Neither `https://` nor `http://`.
    #[error("not a valid URL: expected https://host/path")]
    Scheme,
    /// Blanks, control characters or backslashes.
    #[error("not a valid URL: blanks, control characters and backslashes are not allowed")]
    Characters,
    /// A user name or a password.
    #[error("not a valid URL: put no user name or password in it, use an Authorization header")]
    Credentials,
    /// A part after `#`, which is never sent.
    #[error("not a valid URL: leave out the part after #, it would never be sent")]
    Fragment,
    /// Port 0.
    #[error("not a valid URL: port 0 cannot be reached")]
    Port,
    /// No host, or one with an empty or overlong label.
    #[error("not a valid URL: the host name is empty or too long")]
    Host,
    /// Longer than [`EndpointUrl::MAX_LEN`].
    #[error("not a valid URL: longer than 2048 bytes")]
    TooLong,
    /// The parser refused it.
    #[error("not a valid URL: {0}")]
    Syntax(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_lenient_parser_repairs_is_refused() {
        let table = [
            ("", InvalidUrl::Scheme),
            ("//x", InvalidUrl::Scheme),
            ("http:127.0.0.1", InvalidUrl::Scheme),
            ("gopher://127.0.0.1:6379/_x", InvalidUrl::Scheme),
            ("file:///etc/passwd", InvalidUrl::Scheme),
            (" https://a.example", InvalidUrl::Characters),
            ("https://a.example\t", InvalidUrl::Characters),
            ("https://exa\nmple.com", InvalidUrl::Characters),
            ("https://good.example\\@127.0.0.1/", InvalidUrl::Characters),
            ("https://good.example@127.0.0.1/", InvalidUrl::Credentials),
            ("https://user:pw@host.example/", InvalidUrl::Credentials),
            ("https://@host.example/", InvalidUrl::Credentials),
            ("https://x.example/#secret", InvalidUrl::Fragment),
            ("https://x.example:0/", InvalidUrl::Port),
            ("https://example..com/", InvalidUrl::Host),
            ("https://.example.com/", InvalidUrl::Host),
            ("https:///x.example/", InvalidUrl::Host),
            // Three bytes for each once it is parsed.
            (&format!("https://x.example/{}", "ä".repeat(700)), InvalidUrl::TooLong),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<EndpointUrl>().unwrap_err(), expected, "{text:?}");
        }
        for text in
            ["https://x.example:65536/", "https://x.example:-1/", "https://[fe80::1%25eth0]/"]
        {
            assert!(matches!(text.parse::<EndpointUrl>(), Err(InvalidUrl::Syntax(_))), "{text}");
        }
        let long = format!("https://x.example/{}", "a".repeat(2048));
        assert_eq!(long.parse::<EndpointUrl>().unwrap_err(), InvalidUrl::TooLong);
        let label = format!("https://{}.example/", "a".repeat(64));
        assert_eq!(label.parse::<EndpointUrl>().unwrap_err(), InvalidUrl::Host);
    }

    #[test]
    fn an_at_sign_in_path_or_query_is_no_password() {
        let url: EndpointUrl = "https://x.example/@me?to=a@b".parse().unwrap();
        assert_eq!(url.target(), "/@me?to=a@b");
    }

    #[test]
    fn everything_derives_from_the_one_parsed_value() {
        let url: EndpointUrl = "HTTPS://Billing.Example:443/hooks?x=1".parse().unwrap();
        assert_eq!(url.as_str(), "https://billing.example/hooks?x=1");
        assert_eq!((url.authority(), url.port()), ("billing.example", 443));
        assert_eq!(url.target(), "/hooks?x=1");
        assert_eq!(url.host(), Host::Domain("billing.example"));
        assert!(url.is_https());
        let url: EndpointUrl = "http://[::1]:8080".parse().unwrap();
        assert_eq!(url.authority(), "[::1]:8080");
        assert_eq!(url.host_header(), "[::1]:8080");
        assert_eq!(url.target(), "/");
        assert!(!url.is_https());
    }

    #[test]
    fn the_query_is_never_shown() {
        let url: EndpointUrl = "https://x.example/hooks?token=t0ken".parse().unwrap();
        assert!(!format!("{url} {url:?}").contains("t0ken"));
    }

    /// Texts that are nearly URLs, or URLs of some odd spelling.
    fn nearly_urls() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[a-zA-Z0-9.:@/?#%_~|^\\\\-]{1,6}",
            "[ \t\r\n\u{0}\u{7f}\u{3002}\u{ff11}\u{ad}\u{200b}\u{df}]",
            Just("[::ffff:127.0.0.1]".to_owned()),
            Just("0x7f.1".to_owned()),
            Just("a.example".to_owned()),
            Just(":8443".to_owned()),
            Just("?token=t0ken".to_owned()),
        ];
        let scheme = prop_oneof![8 => Just("https://"), 1 => Just("http://"), 1 => Just("")];
        (scheme, prop::collection::vec(part, 0..6))
            .prop_map(|(scheme, parts)| scheme.to_owned() + &parts.concat())
    }

    #[test]
    fn a_url_of_odd_characters_is_one_all_the_same() {
        let odd = "/a|b^c`d{e}\u{e4}'(),;:@&=+$!*~[]?q=\"<>|{}^`[]\u{e4}%zz";
        let url: EndpointUrl = format!("https://x.example{odd}").parse().unwrap();
        let target = "/a|b^c%60d%7Be%7D%C3%A4'(),;:@&=+$!*~[]?q=%22%3C%3E|{}^`[]%C3%A4%zz";
        assert_eq!(url.target(), target);
    }

    proptest! {
        #[test]
        fn what_the_parser_takes_makes_a_request(rest in "\\PC{0,40}", port in any::<u16>()) {
            let url = Url::parse(&format!("https://a.example:{port}/{rest}")).unwrap();
            prop_assert!(Parsed::of(url).is_ok());
        }

        #[test]
        fn what_parses_parses_again_to_itself_and_is_made_of_its_parts(text in nearly_urls()) {
            let Ok(url) = text.parse::<EndpointUrl>() else { return Ok(()) };
            prop_assert_eq!(url.as_str().parse(), Ok(url.clone()));
            let (scheme, usual) = if url.is_https() { ("https", 443) } else { ("http", 80) };
            let host = url.host().to_string();
            let port = if url.port() == usual { String::new() } else { format!(":{}", url.port()) };
            prop_assert_eq!(url.authority(), format!("{host}{port}"));
            let whole = format!("{scheme}://{}{}", url.authority(), url.target());
            prop_assert_eq!(url.as_str(), whole);
            prop_assert_eq!(url.host_header(), url.authority());
        }

        #[test]
        fn neither_query_nor_password_is_ever_told(
            name in "[a-z]{1,8}", secret in "[A-Z]{12}", path in "[a-z/]{0,8}", bad in any::<char>(),
        ) {
            let url: EndpointUrl = format!("https://{name}.example/{path}?k={secret}").parse().unwrap();
            let shown = format!("{url} {url:?}");
            prop_assert!(!shown.contains(&secret), "{shown}");
            for refused in [
                format!("https://{name}:{secret}@a.example/{path}"),
                format!("https://{name}.example/{bad}\u{7f}?{secret}"),
                format!("https://{name}.example:port/?{secret}"),
                format!("https://[{name}]/?{secret}"),
            ] {
                let error = refused.parse::<EndpointUrl>().unwrap_err();
                let message = format!("{error} {error:?}");
                prop_assert!(!message.contains(&secret), "{message}");
            }
        }
    }
}
