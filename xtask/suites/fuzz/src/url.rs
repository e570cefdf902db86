//! The door for URLs, and the verdict on what came through it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use http::Uri;
use webhook_core::{EndpointUrl, transport::Transport as _};
use webhook_http::HttpTransport;

/// As strangers' URLs meet it.
static STRICT: LazyLock<HttpTransport> =
    LazyLock::new(|| HttpTransport::new().expect("a transport"));

/// A text becomes one URL, of which every part says the same, or is refused.
pub fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<EndpointUrl>() {
        Ok(url) => {
            is_stable(&url);
            is_one_value(&url);
            shows_no_query(&url);
            is_judged(&url);
        }
        Err(error) => assert!(error.to_string().len() < 200, "a refusal repeats what it refuses"),
    }
}

/// What was parsed parses again, to itself.
fn is_stable(url: &EndpointUrl) {
    let again: EndpointUrl = url.as_str().parse().expect("what was parsed parses again");
    assert_eq!(&again, url);
    assert_eq!(again.as_str(), url.as_str());
    assert!(url.as_str().len() <= EndpointUrl::MAX_LEN);
    assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
}

/// Host, port, authority and target are parts of one value, in the eyes of another parser as well.
fn is_one_value(url: &EndpointUrl) {
    let (scheme, usual) = if url.is_https() { ("https", 443) } else { ("http", 80) };
    let host = url.host().to_string();
    let port = if url.port() == usual { String::new() } else { format!(":{}", url.port()) };
    assert_eq!(url.authority(), format!("{host}{port}"));
    let whole = format!("{scheme}://{}{}", url.authority(), url.target());
    assert_eq!(url.as_str(), whole);
    assert_eq!(url.host_header(), url.authority());
    if let Ok(other) = url.as_str().parse::<Uri>() {
        assert_eq!(other.host(), Some(host.as_str()), "another parser goes elsewhere");
        assert_eq!(other.port_u16().unwrap_or(usual), url.port());
        assert_eq!(other.path_and_query(), Some(url.target()));
    }
}

fn shows_no_query(url: &EndpointUrl) {
    let shown = url.to_string();
    assert!(!shown.contains('?'), "a query shows");
    assert!(url.as_str().starts_with(&shown));
    assert_eq!(format!("{url:?}"), format!("EndpointUrl({shown})"));
}

/// What the transport accepts has a host that may be public.
fn is_judged(url: &EndpointUrl) {
    if STRICT.accepts(url).is_err() {
        return;
    }
    assert!(url.is_https(), "plain http is accepted");
    let host = url.host().to_string();
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => assert!(may_be_public_v4(address), "{address}"),
        Ok(IpAddr::V6(address)) => assert!(may_be_public_v6(address), "{address}"),
        Err(_) => {
            let name = host.trim_end_matches('.');
            assert!(name.contains('.'), "a single label is accepted");
            for zone in [".localhost", ".local", ".internal"] {
                assert!(!name.ends_with(zone), "{name}");
            }
        }
    }
}

/// A second look, by what the standard library knows and a few comparisons.
fn may_be_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 224.., ..)
            | (100, 64..=127, _)
            | (192, 0, 0)
            | (192, 88, 99)
            | (192, 31, 196)
            | (192, 52, 193)
            | (192, 175, 48)
            | (198, 18..=19, _)
    );
    !(special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address == Ipv4Addr::new(168, 63, 129, 16))
}

fn may_be_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let carried = Ipv4Addr::from(u32::from(g) << 16 | u32::from(h));
    if (a, b, c, d, e, f) == (0x64, 0xff9b, 0, 0, 0, 0) {
        return may_be_public_v4(carried);
    }
    let tunnel = (e == 0 || e == 0x200) && f == 0x5efe;
    let special = matches!(
        (a, b, c),
        (..=0x1fff | 0x4000.., ..)
            | (0x2001, ..=0x1ff | 0xdb8, _)
            | (0x2002 | 0x3ffe, ..)
            | (0x2620, 0x4f, 0x8000)
            | (0x3fff, ..=0xfff, _)
    );
    !special && (!tunnel || may_be_public_v4(carried))
}
