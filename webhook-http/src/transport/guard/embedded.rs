//! IPv4 addresses inside of IPv6 addresses: whom does such an address lead to?

use std::{
    fmt, iter,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::Ipv6Net;

/// The prefix under which the NAT64 of one's own network leads to IPv4 (RFC 6052): such an address
/// is judged by the IPv4 address that it carries.
///
/// ```
/// use webhook_http::Nat64Prefix;
///
/// assert!("2001:67c:2960:6464::/96".parse::<Nat64Prefix>().is_ok());
/// assert!("2001:67c:2960::/44".parse::<Nat64Prefix>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Nat64Prefix(Ipv6Net);

impl Nat64Prefix {
    /// The prefix that is the same everywhere (RFC 6052, section 2.1).
    pub(super) const WELL_KNOWN: Self =
        Self(Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96));

    /// The IPv4 address that `address` carries, if it begins with this prefix.
    pub(super) fn carried(self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        self.0.contains(&address).then(|| behind(address, self.0.prefix_len().into()))
    }
}

impl FromStr for Nat64Prefix {
    type Err = InvalidNat64Prefix;

    fn from_str(text: &str) -> Result<Self, InvalidNat64Prefix> {
        let net: Ipv6Net = text.parse().map_err(|_| InvalidNat64Prefix)?;
        if NAT64_PREFIX_LENGTHS.contains(&usize::from(net.prefix_len())) {
            Ok(Self(net.trunc()))
        } else {
            Err(InvalidNat64Prefix)
        }
    }
}

impl fmt::Display for Nat64Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is no prefix of a NAT64.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a NAT64 prefix: expected an IPv6 net of 32, 40, 48, 56, 64 or 96 bits, such as 2001:db8:64::/96"
)]
pub struct InvalidNat64Prefix;

/// Permitted lengths of a NAT64 prefix in bits (RFC 6052, section 2.2).
const NAT64_PREFIX_LENGTHS: [usize; 6] = [32, 40, 48, 56, 64, 96];

/// The four bytes that follow a prefix of `len` bits, less the ninth, which is always 0.
fn behind(address: Ipv6Addr, len: usize) -> Ipv4Addr {
    let mut carried = [0; 4];
    let bytes = address.octets().into_iter().enumerate();
    let bytes = bytes.filter(|(at, _)| *at >= len / 8 && *at != 8);
    for (to, (_, byte)) in carried.iter_mut().zip(bytes) {
        *to = byte;
    }
    carried.into()
}

fn low(address: Ipv6Addr) -> Ipv4Addr {
    behind(address, 96)
}

/// The address that an ISATAP tunnel leads to: its interface id is `0000:5efe:a.b.c.d` or
/// `0200:5efe:a.b.c.d`, under any prefix (RFC 5214).
pub(super) fn isatap(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., e, f, _, _] = address.segments();
    (e & 0xfdff == 0 && f == 0x5efe).then(|| low(address))
}

/// Every address that `address` may mean: itself, and whatever it carries by any way of embedding.
pub(super) fn meanings(
    address: IpAddr,
    own: &[Nat64Prefix],
) -> impl Iterator<Item = IpAddr> + Clone {
    let v6 = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(address),
    };
    let carried = move |address| {
        let nat64 = own.iter().chain([&Nat64Prefix::WELL_KNOWN]);
        let carried = nat64.filter_map(move |prefix| prefix.carried(address));
        carried.chain(isatap(address)).chain(in_special_block(address))
    };
    iter::once(address).chain(v6.into_iter().flat_map(carried).map(IpAddr::V4))
}

/// What is carried in blocks that are there to carry.
fn in_special_block(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    match address.segments() {
        // Compatible and mapped (RFC 4291), translated (RFC 2765).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => vec![low(address)],
        // Local NAT64 (RFC 8215): its operator alone knows how long the prefix is.
        [0x64, 0xff9b, ..] => NAT64_PREFIX_LENGTHS.map(|len| behind(address, len)).into(),
        // Teredo (RFC 4380): the server, and the client with its bits turned over.
        [0x2001, 0, ..] => {
            vec![behind(address, 32), Ipv4Addr::from_bits(!low(address).to_bits())]
        }
        // 6to4 (RFC 3056).
        [0x2002, ..] => vec![behind(address, 16)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_6052_lead_to_their_address() {
        for (prefix, address) in [
            ("2001:db8::/32", "2001:db8:c000:221::"),
            ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
            ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
            ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
            ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
            ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
            ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
        ] {
            let prefix: Nat64Prefix = prefix.parse().unwrap();
            let carried = prefix.carried(address.parse().unwrap());
            assert_eq!(carried, Some(Ipv4Addr::new(192, 0, 2, 33)), "{prefix}");
            assert_eq!(prefix.carried("2001:4860::1".parse().unwrap()), None);
        }
    }

    #[test]
    fn what_is_no_prefix_of_a_nat64_is_refused() {
        for text in ["", "64:ff9b::", "64:ff9b::/95", "10.0.0.0/8", "::/0"] {
            assert_eq!(text.parse::<Nat64Prefix>(), Err(InvalidNat64Prefix), "{text:?}");
        }
    }

    #[test]
    fn every_way_to_carry_an_address_is_seen() {
        let hidden = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 33));
        for spelt in [
            "192.0.2.33",
            "::192.0.2.33",
            "::ffff:192.0.2.33",
            "::ffff:0:192.0.2.33",
            "64:ff9b::192.0.2.33",
            "64:ff9b:1::192.0.2.33",
            "64:ff9b:1:c000:2:2100::",
            "2002:c000:221::1",
            "2001:0:c000:221::",
            "2001:0:1:2:3:4:3fff:fdde",
            "2a00::5efe:192.0.2.33",
            "2a00::200:5efe:192.0.2.33",
            "2a00:64:c0:2:21::",
        ] {
            let own = ["2a00:64::/40".parse().unwrap()];
            let mut seen = meanings(spelt.parse().unwrap(), &own);
            assert!(seen.any(|address| address == hidden), "{spelt}");
        }
        assert_eq!(meanings("2a00::c000:221".parse().unwrap(), &[]).count(), 1);
    }
}
