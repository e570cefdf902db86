//! Hosts by name: which of them can only mean something local, and which are one's own.

use std::{fmt, str::FromStr};

use url::Host;

/// A host name, or all names under one: `api.example.com`, `*.svc.cluster.local`.
///
/// Upper and lower case are one, names with other letters are the ones that are looked up for them
/// (`bücher.example`: `xn--bcher-kva.example`), and a final dot counts for nothing. `*.` stands for
/// one label or more, and not for none.
///
/// ```
/// use webhook_http::HostPattern;
///
/// let inside: HostPattern = "*.SVC.cluster.local".parse()?;
/// assert_eq!(inside.to_string(), "*.svc.cluster.local");
/// assert!("10.0.0.1".parse::<HostPattern>().is_err());
/// # Ok::<(), webhook_http::InvalidHostPattern>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct HostPattern {
    name: Box<str>,
    under: bool,
}

impl HostPattern {
    /// Whether it stands for `host`, a name as URLs have it once they are parsed.
    pub(super) fn matches(&self, host: &str) -> bool {
        let host = without_dot(host);
        match host.strip_suffix(&*self.name) {
            Some(before) if self.under => before.len() > 1 && before.ends_with('.'),
            Some(before) => before.is_empty(),
            None => false,
        }
    }
}

impl FromStr for HostPattern {
    type Err = InvalidHostPattern;

    fn from_str(text: &str) -> Result<Self, InvalidHostPattern> {
        let (under, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let Ok(Host::Domain(name)) = Host::parse(name) else { return Err(InvalidHostPattern) };
        let name = without_dot(&name);
        let valid = name.len() <= 253
            && name.split('.').all(|label| (1..=63).contains(&label.len()))
            && !name.contains('*');
        if valid { Ok(Self { name: name.into(), under }) } else { Err(InvalidHostPattern) }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.under { "*." } else { "" }, self.name)
    }
}

/// The text is no host name, and not `*.` before one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a host name: expected one such as api.example.com or *.svc.cluster.local, without scheme and port; addresses are permitted or refused as nets"
)]
pub struct InvalidHostPattern;

/// Why `name` can only mean something local, if it can. The URL parser has made it lower case.
pub(super) fn local(name: &str) -> Option<&'static str> {
    const LOCAL_ZONES: [(&str, &str); 3] = [
        ("localhost", "localhost (RFC 6761)"),
        ("local", ".local names of the link (RFC 6762)"),
        ("internal", ".internal names of a private network"),
    ];
    let name = without_dot(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    let zone = LOCAL_ZONES.iter().find(|(zone, _)| *zone == last).map(|(_, rule)| *rule);
    zone.or_else(|| (last == name).then_some("host name of a single label"))
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_a_name_or_for_all_under_it() {
        let table = [
            ("api.example.com", "api.example.com", true),
            ("API.example.com.", "api.example.com", true),
            ("api.example.com", "api.example.com.", true),
            ("api.example.com", "v2.api.example.com", false),
            ("api.example.com", "evilapi.example.com", false),
            ("*.svc.local", "a.svc.local", true),
            ("*.svc.local", "a.b.svc.local.", true),
            ("*.svc.local", "svc.local", false),
            ("*.svc.local", ".svc.local", false),
            ("*.svc.local", "evilsvc.local", false),
            ("*.svc.local", "a.svc.local.evil.example", false),
            ("db", "db", true),
            ("bücher.example", "xn--bcher-kva.example", true),
        ];
        for (pattern, host, expected) in table {
            let pattern: HostPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(host), expected, "{pattern} and {host}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(64);
        for text in [
            "",
            "*",
            "*.",
            ".",
            "a..b",
            "*.*.b",
            "a.*",
            "10.0.0.1",
            "127.1",
            "[::1]",
            "a:443",
            "a/b",
            "https://a",
            "a b",
            &long,
        ] {
            assert_eq!(text.parse::<HostPattern>(), Err(InvalidHostPattern), "{text:?}");
        }
    }
}
