//! Custom headers: what an endpoint may add to its requests, and what it may not touch.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers that an endpoint adds to each of its requests.
///
/// They may replace `content-type`, `user-agent` and `x-event-type`, but never framing, connection
/// or signature headers: those are ours, and a receiver relies on them. At most
/// [`MAX_COUNT`](Self::MAX_COUNT) headers of [`MAX_BYTES`](Self::MAX_BYTES) in all. Values are
/// marked sensitive, so `Debug` does not show them.
///
/// ```
/// use webhook_core::CustomHeaders;
///
/// let headers = CustomHeaders::parse(["Authorization: Bearer t0ken"])?;
/// assert!(!format!("{headers:?}").contains("t0ken"));
/// assert!(CustomHeaders::parse(["Content-Length: 5"]).is_err());
/// # Ok::<(), webhook_core::error::InvalidHeader>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CustomHeaders(HeaderMap);

impl CustomHeaders {
    /// The most headers.
    pub const MAX_COUNT: usize = 32;

    /// The most bytes of all names and values together.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// Takes pairs of name and value.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] names the first pair that is not allowed.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, InvalidHeader> {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.add(name.as_ref(), value.as_ref())?;
        }
        Ok(headers)
    }

    /// Takes lines such as `Name: value`.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] names the first line that is not allowed.
    pub fn parse<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Result<Self, InvalidHeader> {
        let mut headers = Self::default();
        for line in lines {
            let (name, value) = line.as_ref().split_once(':').ok_or(InvalidHeader::NoColon)?;
            headers.add(name, value.trim())?;
        }
        Ok(headers)
    }

    /// The headers, ready to be sent.
    pub fn as_map(&self) -> &HeaderMap {
        &self.0
    }

    /// The pairs of name and value, for storing them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        // Values were visible ASCII at the door, so that each is text.
        self.0.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidHeader::Name)?;
        if is_reserved(&parsed) {
            return Err(InvalidHeader::Reserved(parsed));
        }
        let visible = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let mut value = match HeaderValue::from_str(value) {
            Ok(value) if visible => value,
            _ => return Err(InvalidHeader::Value(parsed)),
        };
        value.set_sensitive(true);
        self.0.insert(parsed, value);
        let bytes: usize =
            self.0.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let fits = self.0.len() <= Self::MAX_COUNT && bytes <= Self::MAX_BYTES;
        if fits { Ok(()) } else { Err(InvalidHeader::TooMany) }
    }
}

/// Framing, hop-by-hop and signature headers, and what would invite an encoding we never decode.
fn is_reserved(name: &HeaderName) -> bool {
    const NAMES: [&str; 16] = [
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-signature",
        "x-signature-256",
        "x-timestamp",
    ];
    const PREFIXES: [&str; 3] = ["proxy-", "svix-", "webhook-"];
    let name = name.as_str();
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A custom header is not allowed. The messages never repeat a value: it may be a credential.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHeader {
    /// A line without a colon.
    #[error("not a valid header: expected 'Name: value'")]
    NoColon,
    /// The name is empty or holds a character that names cannot have.
    #[error("not a valid header name: expected letters, digits and hyphens")]
    Name,
    /// The value holds something that is not visible ASCII.
    #[error("not a valid value of header {0}: expected visible ASCII characters")]
    Value(HeaderName),
    /// The header is ours.
    #[error("header {0} cannot be set: framing, connection and signature headers are the sender's")]
    Reserved(HeaderName),
    /// Too many headers, or too many bytes.
    #[error("too many headers: at most 32, and 8 KiB in all")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn framing_and_signatures_are_ours() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Connection",
            "TE",
            "Trailer",
            "Expect",
            "Upgrade",
            "Proxy-Authorization",
            "webhook-id",
            "Webhook-Signature",
            "X-Signature",
            "X-Signature-256",
            "X-Timestamp",
        ] {
            let error = CustomHeaders::new([(name, "x")]).unwrap_err();
            assert!(matches!(error, InvalidHeader::Reserved(_)), "{name}");
        }
        for name in ["Content-Type", "X-Event-Type", "User-Agent", "Authorization"] {
            assert!(CustomHeaders::new([(name, "x")]).is_ok(), "{name}");
        }
    }

    #[test]
    fn no_value_breaks_out_of_its_line() {
        for value in ["a\r\nX-Evil: 1", "a\n", "\u{1b}[31m", "ä"] {
            let error = CustomHeaders::new([("x-a", value)]).unwrap_err();
            assert!(matches!(error, InvalidHeader::Value(_)), "{value:?}");
        }
        for name in ["", "X: y", "a b", "ä"] {
            assert_eq!(
                CustomHeaders::new([(name, "x")]).unwrap_err(),
                InvalidHeader::Name,
                "{name:?}"
            );
        }
        assert_eq!(CustomHeaders::parse(["no colon"]).unwrap_err(), InvalidHeader::NoColon);
    }

    #[test]
    fn there_is_a_limit() {
        let many = (0..33).map(|n| (format!("x-{n}"), "x"));
        assert_eq!(CustomHeaders::new(many).unwrap_err(), InvalidHeader::TooMany);
        let long = [("x-a", "x".repeat(8 * 1024))];
        assert_eq!(CustomHeaders::new(long).unwrap_err(), InvalidHeader::TooMany);
    }

    #[test]
    fn whether_there_are_any_is_known() {
        assert!(CustomHeaders::default().is_empty());
        assert!(!CustomHeaders::new([("a", "")]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn any_lines_are_within_bounds_or_refused(
            lines in prop_oneof![
                prop::collection::vec("[a-zA-Z-]{1,12}: [a-z\\t]{0,3}[ -~]{0,3}[\r\n\u{0}\u{1b}\u{e9}]?[!-~]", 0..3),
                prop::collection::vec("[a-z]{1,12}: [!-~]{1,9}", 20..40),
                prop::collection::vec("[a-z]{1,2}: [!-~]{900,1100}", 4..10),
                prop::collection::vec("[ -~\r\n]{0,20}", 0..3),
            ],
        ) {
            let Ok(headers) = CustomHeaders::parse(&lines) else { return Ok(()) };
            let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
            prop_assert!(headers.as_map().len() <= CustomHeaders::MAX_COUNT);
            prop_assert!(bytes <= CustomHeaders::MAX_BYTES);
            for (name, value) in headers.as_map() {
                prop_assert!(!is_reserved(name), "{name}");
                prop_assert!(value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~')));
            }
            prop_assert_eq!(CustomHeaders::new(headers.iter()), Ok(headers.clone()));
        }

        #[test]
        fn no_spelling_of_a_name_of_ours_is_let_in(
            name in "host|te|expect|content-length|transfer-encoding|x-signature|(proxy|svix|webhook)-[a-z-]{1,8}",
            upper in any::<u32>(),
        ) {
            let spell = |(at, c): (usize, char)| {
                if upper >> (at % 32) & 1 == 1 { c.to_ascii_uppercase() } else { c }
            };
            let spelled: String = name.char_indices().map(spell).collect();
            let error = CustomHeaders::new([(&spelled, "x")]).unwrap_err();
            prop_assert!(matches!(error, InvalidHeader::Reserved(_)), "{}", spelled);
        }

        #[test]
        fn no_value_shows_in_debug_or_in_a_refusal(
            value in "[A-Z]{8,20}", bad in "[\r\n\u{0}\u{7f}\u{e9}]",
        ) {
            let headers = CustomHeaders::new([("authorization", &value)]).unwrap();
            let shown = format!("{headers:?}");
            prop_assert!(!shown.contains(&value), "{shown}");
            for (name, end) in [("authorization", &*bad), ("host", ""), ("a b", "")] {
                let error = CustomHeaders::new([(name, format!("{value}{end}"))]).unwrap_err();
                let message = format!("{error} {error:?}");
                prop_assert!(!message.contains(&value), "{message}");
            }
        }
    }
}
