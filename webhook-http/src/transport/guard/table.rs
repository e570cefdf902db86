//! The refused addresses, row by row: prefix, reason, and where that is written down.
//!
//! All rows of IANA's registries of special-purpose addresses (RFC 6890, RFC 8190) are here, those
//! too that are called globally reachable there: no receiver lives in them. To these come
//! multicast, deprecated blocks, and blocks that carry an IPv4 address inside.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A block of addresses, and why it is refused.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct AddressBlock {
    /// The first address: an IPv6 one, or an IPv4 one in the upper 32 bits.
    pub(super) first: u128,
    /// How many of the upper bits count.
    pub(super) len: u32,
    reason: &'static str,
    source: &'static str,
}

impl AddressBlock {
    /// Whether `bits`, aligned as [`first`](Self::first) is, lie in this block.
    pub(super) const fn holds(&self, bits: u128) -> bool {
        (bits ^ self.first).leading_zeros() >= self.len
    }

    /// The same for an IPv4 address, in a row of IPv4.
    pub(super) const fn holds_v4(&self, bits: u32) -> bool {
        (bits ^ (self.first >> 96) as u32).leading_zeros() >= self.len
    }
}

impl fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.source)
    }
}

const fn v4(first: [u8; 4], len: u32, reason: &'static str, source: &'static str) -> AddressBlock {
    AddressBlock { first: (u32::from_be_bytes(first) as u128) << 96, len, reason, source }
}

const fn v6(first: [u16; 8], len: u32, reason: &'static str, source: &'static str) -> AddressBlock {
    let [a, b, c, d, e, f, g, h] = first;
    AddressBlock { first: Ipv6Addr::new(a, b, c, d, e, f, g, h).to_bits(), len, reason, source }
}

/// Refused blocks of IPv4. Of two that overlap, the narrower one comes first: its reason is more
/// precise.
pub(super) static REFUSED_V4_BLOCKS: [AddressBlock; 25] = [
    v4([0, 0, 0, 0], 32, "this host", "RFC 1122"),
    v4([0, 0, 0, 0], 8, "this network", "RFC 791"),
    v4([10, 0, 0, 0], 8, "private network", "RFC 1918"),
    v4([100, 64, 0, 0], 10, "shared address space", "RFC 6598"),
    v4([127, 0, 0, 0], 8, "loopback", "RFC 1122"),
    v4([169, 254, 0, 0], 16, "link-local", "RFC 3927"),
    v4([172, 16, 0, 0], 12, "private network", "RFC 1918"),
    v4([192, 0, 0, 9], 32, "port control anycast", "RFC 7723"),
    v4([192, 0, 0, 10], 32, "TURN anycast", "RFC 8155"),
    v4([192, 0, 0, 0], 29, "IPv4 service continuity", "RFC 7335"),
    v4([192, 0, 0, 8], 32, "dummy address", "RFC 7600"),
    v4([192, 0, 0, 170], 31, "NAT64 discovery", "RFC 8880"),
    v4([192, 0, 0, 0], 24, "protocol assignments", "RFC 6890"),
    v4([192, 0, 2, 0], 24, "documentation", "RFC 5737"),
    v4([192, 31, 196, 0], 24, "AS112 sink", "RFC 7535"),
    v4([192, 52, 193, 0], 24, "multicast tunnelling", "RFC 7450"),
    v4([192, 88, 99, 0], 24, "6to4 and 6a44 relays", "RFC 7526, RFC 6751"),
    v4([192, 168, 0, 0], 16, "private network", "RFC 1918"),
    v4([192, 175, 48, 0], 24, "AS112 sink", "RFC 7534"),
    v4([198, 18, 0, 0], 15, "benchmarking", "RFC 2544"),
    v4([198, 51, 100, 0], 24, "documentation", "RFC 5737"),
    v4([203, 0, 113, 0], 24, "documentation", "RFC 5737"),
    v4([224, 0, 0, 0], 4, "multicast", "RFC 5771"),
    v4([255, 255, 255, 255], 32, "broadcast", "RFC 919"),
    v4([240, 0, 0, 0], 4, "reserved", "RFC 1112"),
];

/// Refused blocks of IPv6, in the same order.
pub(super) static REFUSED_V6_BLOCKS: [AddressBlock; 32] = [
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified address", "RFC 4291"),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback", "RFC 4291"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4-compatible address", "RFC 4291"),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4-mapped address", "RFC 4291"),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "IPv4-translated address", "RFC 2765"),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "local NAT64 prefix", "RFC 8215"),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 32, "reserved beside NAT64", "RFC 6052"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 8, "reserved", "RFC 4291"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discarded", "RFC 6666"),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, "dummy prefix", "RFC 9780"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128, "port control anycast", "RFC 7723"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128, "TURN anycast", "RFC 8155"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128, "service registration anycast", "RFC 9665"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "Teredo tunnels", "RFC 4380"),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "benchmarking", "RFC 5180"),
    v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32, "multicast tunnelling", "RFC 7450"),
    v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48, "AS112 sink", "RFC 7535"),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, "ORCHID, returned", "RFC 4843"),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, "ORCHID", "RFC 7343"),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, "remote identification of drones", "RFC 9374"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "protocol assignments", "RFC 2928"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation", "RFC 3849"),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4 tunnels", "RFC 3056"),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, "AS112 sink", "RFC 7534"),
    v6([0x3ffe, 0, 0, 0, 0, 0, 0, 0], 16, "6bone, returned", "RFC 3701"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation", "RFC 9637"),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "segment routing", "RFC 9602"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "private network", "RFC 4193"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local", "RFC 4291"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site-local", "RFC 3879"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast", "RFC 4291"),
    // Last: what no row above has named. IPv6 is an allow-list, see `GLOBAL_UNICAST_V6`.
    v6([0, 0, 0, 0, 0, 0, 0, 0], 0, "not allocated for global use", "RFC 4291"),
];

/// Block of the IPv6 addresses that may be dialled, unless one of [`REFUSED_V6_BLOCKS`] other than
/// the last contains them.
pub(super) static GLOBAL_UNICAST_V6: AddressBlock =
    v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, "global unicast", "RFC 4291");

/// Addresses at which clouds return credentials to any caller and control their machines. The last
/// one looks like a public address and is in no registry.
pub(super) static METADATA_ADDRESSES: [(IpAddr, &str); 8] = [
    (IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), "AWS, Azure, Google and others"),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)), "AWS ECS"),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)), "AWS EKS"),
    (IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), "Alibaba"),
    (IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)), "Oracle"),
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), "AWS"),
    (IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), "Google"),
    (IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), "Azure"),
];

/// The clouds that have a metadata service at `address`.
pub(super) fn clouds_at(address: IpAddr) -> Option<&'static str> {
    METADATA_ADDRESSES.iter().find(|(alias, _)| *alias == address).map(|(_, clouds)| *clouds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_has_bits_beyond_its_prefix_and_each_says_where_it_comes_from() {
        for row in REFUSED_V4_BLOCKS.iter().chain(&REFUSED_V6_BLOCKS) {
            assert_eq!(row.first & u128::MAX.checked_shr(row.len).unwrap_or(0), 0, "{row}");
            assert!(row.source.starts_with("RFC ") && !row.reason.is_empty(), "{row}");
        }
    }

    #[test]
    fn no_row_is_hidden_behind_a_wider_one() {
        for table in [&REFUSED_V4_BLOCKS[..], &REFUSED_V6_BLOCKS[..]] {
            for (at, row) in table.iter().enumerate() {
                let first = table.iter().position(|other| other.holds(row.first));
                let hidden = first.is_some_and(|first| first < at && table[first].len <= row.len);
                assert!(!hidden, "{row}");
            }
        }
    }
}
