//! The guard: which URLs and addresses may be sent to.
//!
//! Endpoints come from customers, so a URL may be an attempt to reach what only this machine can
//! reach: its loopback, its network, the metadata service of its cloud. A name proves nothing; what
//! counts is the address that is dialled, and the verdict over it is a table.
//!
//! The table follows the special-purpose address registries of IANA (RFC 6890), and is stricter:
//! some blocks are called globally reachable there although no receiver can live in them. For IPv6
//! it is an allow-list: what lies outside of 2000::/3 is refused, listed or not.
//! `IpAddr::is_global` would admit `64:ff9b::7f00:1`, `fec0::1` and multicast, so it is not used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;
use webhook_core::{EndpointUrl, TransportError, TransportErrorKind};

/// What the transport may reach.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guard {
    /// Permits private addresses, local names and plain http.
    pub(super) allow_private: bool,
}

impl Guard {
    /// Admits a URL by what it says itself: scheme, literal address, local name.
    pub(super) fn admit(self, url: &EndpointUrl) -> Result<(), TransportError> {
        self.judge(url)
            .map_err(|refused| TransportError::because(TransportErrorKind::BlockedLiteral, refused))
    }

    /// The same, as a verdict.
    pub(super) fn judge(self, url: &EndpointUrl) -> Result<(), Refused> {
        if self.allow_private { Ok(()) } else { judge_url(url) }
    }

    /// Admits an address that a name resolved to.
    pub(super) fn admit_answer(self, address: IpAddr) -> Result<(), TransportError> {
        self.judge_answer(address)
            .map_err(|refused| TransportError::because(TransportErrorKind::BlockedName, refused))
    }

    /// The same, as a verdict.
    pub(super) fn judge_answer(self, address: IpAddr) -> Result<(), Refused> {
        if self.allow_private { Ok(()) } else { verdict(address) }
    }
}

/// An address, a name or a scheme is refused, by this rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{rule}; use an https URL of a public host, or dangerous_allow_private_addresses() for development"
)]
pub(super) struct Refused {
    pub(super) rule: &'static str,
}

fn judge_url(url: &EndpointUrl) -> Result<(), Refused> {
    if !url.is_https() {
        return Err(Refused { rule: "plain http" });
    }
    match url.host() {
        Host::Ipv4(address) => verdict(address.into()),
        Host::Ipv6(address) => verdict(address.into()),
        Host::Domain(name) => judge_name(name),
    }
}

/// Names that can only mean something local. The URL parser has made them lower case.
fn judge_name(name: &str) -> Result<(), Refused> {
    const ZONES: [(&str, &str); 3] = [
        ("localhost", "localhost (RFC 6761)"),
        ("local", ".local names of the link (RFC 6762)"),
        ("internal", ".internal names of a private network"),
    ];
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    if let Some((_, rule)) = ZONES.iter().find(|(zone, _)| *zone == last) {
        return Err(Refused { rule });
    }
    if last == name { Err(Refused { rule: "host name of a single label" }) } else { Ok(()) }
}

/// Whether an address may be dialled.
pub(super) fn verdict(address: IpAddr) -> Result<(), Refused> {
    match address {
        IpAddr::V4(address) => verdict_v4(address),
        IpAddr::V6(address) => verdict_v6(address),
    }
}

fn verdict_v4(address: Ipv4Addr) -> Result<(), Refused> {
    let bits = u32::from(address);
    let row = V4.iter().find(|(prefix, len, _)| {
        (bits ^ u32::from(Ipv4Addr::from(*prefix))).leading_zeros() >= *len
    });
    row.map_or(Ok(()), |(_, _, rule)| Err(Refused { rule }))
}

fn verdict_v6(address: Ipv6Addr) -> Result<(), Refused> {
    let bits = u128::from(address);
    if within_prefix(bits, (NAT64, 96)) {
        return verdict_v4(low_v4(bits));
    }
    if let Some((_, _, rule)) =
        V6.iter().find(|(prefix, len, _)| within_prefix(bits, (*prefix, *len)))
    {
        return Err(Refused { rule });
    }
    if !within_prefix(bits, (GLOBAL_UNICAST, 3)) {
        return Err(Refused { rule: "not allocated for global use (RFC 4291)" });
    }
    if is_isatap(bits) { verdict_v4(low_v4(bits)) } else { Ok(()) }
}

fn within_prefix(bits: u128, (prefix, len): (u128, u32)) -> bool {
    (bits ^ prefix).leading_zeros() >= len
}

/// The interface id `0000:5efe:a.b.c.d` or `0200:5efe:a.b.c.d` (RFC 5214): a tunnel to that IPv4.
fn is_isatap(bits: u128) -> bool {
    (bits >> 32) & 0xfdff_ffff == 0x5efe
}

fn low_v4(bits: u128) -> Ipv4Addr {
    let [.., a, b, c, d] = bits.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

/// Addresses that may be dialled start here, less the table.
const GLOBAL_UNICAST: u128 = v6([0x2000, 0, 0, 0, 0, 0, 0, 0]);

/// The well-known prefix of NAT64 (RFC 6052): it means what the IPv4 address in it means.
const NAT64: u128 = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0]);

/// Refused IPv4: prefix, its length, and why.
const V4: [([u8; 4], u32, &str); 20] = [
    ([0, 0, 0, 0], 8, "this network (RFC 791)"),
    ([10, 0, 0, 0], 8, "private network (RFC 1918)"),
    ([100, 64, 0, 0], 10, "shared address space (RFC 6598)"),
    ([127, 0, 0, 0], 8, "loopback (RFC 1122)"),
    ([168, 63, 129, 16], 32, "host services of Azure"),
    ([169, 254, 0, 0], 16, "link-local, cloud metadata (RFC 3927)"),
    ([172, 16, 0, 0], 12, "private network (RFC 1918)"),
    ([192, 0, 0, 0], 24, "protocol assignments (RFC 6890)"),
    ([192, 0, 2, 0], 24, "documentation (RFC 5737)"),
    ([192, 31, 196, 0], 24, "AS112 sink (RFC 7535)"),
    ([192, 52, 193, 0], 24, "multicast tunnelling (RFC 7450)"),
    ([192, 88, 99, 0], 24, "6to4 relays (RFC 7526)"),
    ([192, 168, 0, 0], 16, "private network (RFC 1918)"),
    ([192, 175, 48, 0], 24, "AS112 sink (RFC 7534)"),
    ([198, 18, 0, 0], 15, "benchmarking (RFC 2544)"),
    ([198, 51, 100, 0], 24, "documentation (RFC 5737)"),
    ([203, 0, 113, 0], 24, "documentation (RFC 5737)"),
    ([224, 0, 0, 0], 4, "multicast (RFC 5771)"),
    ([255, 255, 255, 255], 32, "broadcast (RFC 919)"),
    ([240, 0, 0, 0], 4, "reserved (RFC 1112)"),
];

/// Refused IPv6, the narrower prefix first where two overlap: each row has its own reason.
const V6: [(u128, u32, &str); 23] = [
    (v6([0, 0, 0, 0, 0, 0, 0, 0]), 128, "unspecified address (RFC 4291)"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1]), 128, "loopback (RFC 4291)"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0]), 96, "IPv4-compatible address (RFC 4291)"),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0]), 96, "IPv4-mapped address (RFC 4291)"),
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0]), 96, "IPv4-translated address (RFC 2765)"),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0]), 32, "local NAT64 prefix (RFC 8215)"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0]), 8, "reserved (RFC 4291)"),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0]), 64, "discarded (RFC 6666)"),
    (v6([0x100, 0, 0, 1, 0, 0, 0, 0]), 64, "dummy prefix (RFC 9780)"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0]), 32, "Teredo tunnels (RFC 4380)"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0]), 23, "protocol assignments (RFC 2928)"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0]), 32, "documentation (RFC 3849)"),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0]), 16, "6to4 tunnels (RFC 3056)"),
    (v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0]), 48, "AS112 sink (RFC 7534)"),
    (v6([0x3ffe, 0, 0, 0, 0, 0, 0, 0]), 16, "6bone, returned (RFC 3701)"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0]), 20, "documentation (RFC 9637)"),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0]), 16, "segment routing (RFC 9602)"),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]), 128, "cloud metadata (RFC 4193)"),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]), 128, "cloud metadata (RFC 4193)"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0]), 7, "private network (RFC 4193)"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10, "link-local (RFC 4291)"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0]), 10, "site-local (RFC 3879)"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8, "multicast (RFC 4291)"),
];

const fn v6(segments: [u16; 8]) -> u128 {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Addr::new(a, b, c, d, e, f, g, h).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule_of(address: &str) -> Option<&'static str> {
        verdict(address.parse().unwrap()).err().map(|refused| refused.rule)
    }

    #[test]
    fn the_first_and_the_last_address_of_every_row_are_refused() {
        for (prefix, len, rule) in V4 {
            let first = u32::from_be_bytes(prefix);
            let last = first | u32::MAX.checked_shr(len).unwrap_or(0);
            for bits in [first, last] {
                let address = Ipv4Addr::from(bits);
                assert!(verdict(address.into()).is_err(), "{address} of {rule}");
            }
        }
        for (prefix, len, rule) in V6 {
            let last = prefix | u128::MAX.checked_shr(len).unwrap_or(0);
            for bits in [prefix, last] {
                let address = Ipv6Addr::from(bits);
                // The well-known NAT64 prefix lies in a refused block; its embedded address counts.
                let embedded = within_prefix(bits, (NAT64, 96));
                assert!(verdict(address.into()).is_err() || embedded, "{address} of {rule}");
            }
        }
    }

    #[test]
    fn no_row_has_bits_beyond_its_prefix() {
        for (prefix, len, rule) in V4 {
            let host = u32::MAX.checked_shr(len).unwrap_or(0);
            assert_eq!(u32::from_be_bytes(prefix) & host, 0, "{rule}");
        }
        for (prefix, len, rule) in V6 {
            assert_eq!(prefix & u128::MAX.checked_shr(len).unwrap_or(0), 0, "{rule}");
        }
    }

    #[test]
    fn each_refusal_names_its_own_rule() {
        let table = [
            ("0.0.0.0", "this network (RFC 791)"),
            ("10.0.0.1", "private network (RFC 1918)"),
            ("100.100.100.200", "shared address space (RFC 6598)"),
            ("127.0.0.1", "loopback (RFC 1122)"),
            ("168.63.129.16", "host services of Azure"),
            ("169.254.169.254", "link-local, cloud metadata (RFC 3927)"),
            ("172.31.255.255", "private network (RFC 1918)"),
            ("192.0.0.192", "protocol assignments (RFC 6890)"),
            ("192.168.1.1", "private network (RFC 1918)"),
            ("224.0.0.1", "multicast (RFC 5771)"),
            ("250.0.0.1", "reserved (RFC 1112)"),
            ("255.255.255.255", "broadcast (RFC 919)"),
            ("::", "unspecified address (RFC 4291)"),
            ("::1", "loopback (RFC 4291)"),
            ("::7f00:1", "IPv4-compatible address (RFC 4291)"),
            ("::ffff:127.0.0.1", "IPv4-mapped address (RFC 4291)"),
            ("::ffff:8.8.8.8", "IPv4-mapped address (RFC 4291)"),
            ("::ffff:0:7f00:1", "IPv4-translated address (RFC 2765)"),
            ("::5efe:7f00:1", "reserved (RFC 4291)"),
            ("64:ff9b::127.0.0.1", "loopback (RFC 1122)"),
            ("64:ff9b::169.254.169.254", "link-local, cloud metadata (RFC 3927)"),
            ("64:ff9b:1::1", "local NAT64 prefix (RFC 8215)"),
            ("64:ff9b:0:0:0:1::1", "local NAT64 prefix (RFC 8215)"),
            ("100::1", "discarded (RFC 6666)"),
            ("200::1", "not allocated for global use (RFC 4291)"),
            ("1fff:ffff::1", "not allocated for global use (RFC 4291)"),
            ("4000::1", "not allocated for global use (RFC 4291)"),
            ("2001::1", "Teredo tunnels (RFC 4380)"),
            ("2001:20::1", "protocol assignments (RFC 2928)"),
            ("2002:7f00:1::", "6to4 tunnels (RFC 3056)"),
            ("2606:4700::5efe:127.0.0.1", "loopback (RFC 1122)"),
            ("2606:4700::200:5efe:10.0.0.1", "private network (RFC 1918)"),
            ("fd00:ec2::254", "cloud metadata (RFC 4193)"),
            ("fd12::1", "private network (RFC 4193)"),
            ("fe80::1", "link-local (RFC 4291)"),
            ("fec0::1", "site-local (RFC 3879)"),
            ("ff02::1", "multicast (RFC 4291)"),
            ("ff0e::1", "multicast (RFC 4291)"),
        ];
        for (address, rule) in table {
            assert_eq!(rule_of(address), Some(rule), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_admitted_up_to_the_edges_of_the_table() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "64:ff9b::8.8.8.8",
            "2001:200::",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700:4700::1111",
            "2606:4700::5efe:8.8.8.8",
            "2a00:1450::1",
            "3ffd:ffff::1",
        ] {
            assert_eq!(rule_of(address), None, "{address}");
        }
    }

    #[test]
    fn urls_are_judged_by_what_they_mean_not_by_how_they_are_spelt() {
        let table = [
            ("http://billing.example/", "plain http"),
            ("https://2130706433/", "loopback (RFC 1122)"),
            ("https://0x7f.1/", "loopback (RFC 1122)"),
            ("https://0177.0.0.1/", "loopback (RFC 1122)"),
            ("https://127.1/", "loopback (RFC 1122)"),
            ("https://127.0.0.1./", "loopback (RFC 1122)"),
            ("https://0/", "this network (RFC 791)"),
            ("https://0xA9FEA9FE/", "link-local, cloud metadata (RFC 3927)"),
            ("https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/", "loopback (RFC 1122)"),
            ("https://[::ffff:127.0.0.1]/", "IPv4-mapped address (RFC 4291)"),
            ("https://[64:ff9b::a9fe:a9fe]/", "link-local, cloud metadata (RFC 3927)"),
            ("https://localhost/", "localhost (RFC 6761)"),
            ("https://LOCALHOST./", "localhost (RFC 6761)"),
            ("https://loc%61lhost/", "localhost (RFC 6761)"),
            ("https://a.localhost/", "localhost (RFC 6761)"),
            ("https://printer.local/", ".local names of the link (RFC 6762)"),
            ("https://metadata.google.internal/", ".internal names of a private network"),
            ("https://db/", "host name of a single label"),
            ("https://db./", "host name of a single label"),
        ];
        for (url, rule) in table {
            let url: EndpointUrl = url.parse().unwrap();
            assert_eq!(judge_url(&url), Err(Refused { rule }), "{url}");
            let error = Guard::default().admit(&url).unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::BlockedLiteral);
            assert!(Guard { allow_private: true }.admit(&url).is_ok());
        }
        for url in ["https://billing.example/", "https://localhost.example/", "https://1.1.1.1/"] {
            assert_eq!(judge_url(&url.parse().unwrap()), Ok(()), "{url}");
        }
    }

    #[test]
    fn an_address_behind_a_name_is_another_kind_of_refusal() {
        let error = Guard::default().admit_answer("10.0.0.1".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::BlockedName);
    }
}
