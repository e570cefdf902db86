//! A second opinion on every verdict: another list, written as text, and a way to read it that is
//! too simple to be wrong. Nothing here is made from the table.
//!
//! The two tests that are left out by default take a minute or two on two cores:
//! `cargo test --release -p webhook-http --lib -- --ignored --nocapture oracle`.

use std::time::Instant;

use super::*;

/// Nets of IPv4 that nobody may send to, and why.
const REFUSED_V4: &str = "
    0.0.0.0/8           means this host or network when it is a source, and loopback on Linux
    10.0.0.0/8          private
    100.64.0.0/10       behind a carrier's NAT
    127.0.0.0/8         loopback
    168.63.129.16/32    Azure's host
    169.254.0.0/16      the link, and metadata
    172.16.0.0/12       private
    192.0.0.0/24        IETF protocols
    192.0.2.0/24        TEST-NET-1
    192.31.196.0/24     AS112-v4
    192.52.193.0/24     AMT
    192.88.99.0/24      6to4 relay anycast
    192.168.0.0/16      private
    192.175.48.0/24     direct delegation AS112
    198.18.0.0/15       benchmarking
    198.51.100.0/24     TEST-NET-2
    203.0.113.0/24      TEST-NET-3
    224.0.0.0/4         multicast
    240.0.0.0/4         reserved, and broadcast at its end
";

/// Nets of IPv6 within 2000::/3 that nobody may send to, and why. All outside of it is refused.
const REFUSED_V6: &str = "
    2001::/23           IETF protocols, Teredo and ORCHID among them
    2001:db8::/32       documentation
    2002::/16           6to4
    2620:4f:8000::/48   direct delegation AS112
    3ffe::/16           the former 6bone
    3fff::/20           documentation
";

/// Blocks outside of 2000::/3 that have a row of their own: their edges are tried too.
const OUTSIDE: &str = "
    ::/128 ::1/128 ::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 ::/8 64:ff9b::/96 64:ff9b:1::/48 64:ff9b::/32
    100::/64 100:0:0:1::/64 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
    fd00:ec2::254/128 fd20:ce::254/128 ::5efe:0:0/96
";

fn bits_of(address: IpAddr) -> Vec<bool> {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    octets.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect()
}

fn address_of(bits: &[bool]) -> IpAddr {
    let value = bits.iter().fold(0u128, |value, bit| value << 1 | u128::from(*bit));
    match u32::try_from(value) {
        Ok(value) if bits.len() == 32 => IpAddr::V4(value.into()),
        _ => IpAddr::V6(value.into()),
    }
}

/// The first so many bits of a net.
fn prefix_of(net: &str) -> Vec<bool> {
    let (address, len) = net.split_once('/').unwrap();
    let mut bits = bits_of(address.parse().unwrap());
    bits.truncate(len.parse().unwrap());
    bits
}

/// The simple reader of the lists.
struct Oracle {
    v4: Vec<Vec<bool>>,
    v6: Vec<Vec<bool>>,
    global: Vec<bool>,
    nat64: Vec<bool>,
}

impl Oracle {
    fn new() -> Self {
        let nets = |list: &str| {
            let lines = list.trim().lines().map(|line| line.split_whitespace().next().unwrap());
            lines.map(prefix_of).collect()
        };
        Self {
            v4: nets(REFUSED_V4),
            v6: nets(REFUSED_V6),
            global: prefix_of("2000::/3"),
            nat64: prefix_of("64:ff9b::/96"),
        }
    }

    fn permits(&self, address: IpAddr) -> bool {
        let bits = bits_of(address);
        let free =
            |nets: &[Vec<bool>], bits: &[bool]| !nets.iter().any(|net| bits.starts_with(net));
        if bits.len() == 32 || bits.starts_with(&self.nat64) {
            return free(&self.v4, bits.split_at(bits.len() - 32).1);
        }
        let interface = address.to_string().parse::<Ipv6Addr>().unwrap().segments();
        let isatap = (interface[4] == 0 || interface[4] == 0x200) && interface[5] == 0x5efe;
        bits.starts_with(&self.global)
            && free(&self.v6, &bits)
            && (!isatap || free(&self.v4, &bits[96..]))
    }
}

/// Numbers that look random and are the same in every run.
struct SeededRng(u64);

impl SeededRng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn v4(&mut self) -> Ipv4Addr {
        // The lower bits of this generator repeat early.
        Ipv4Addr::from_bits((self.next() >> 32) as u32)
    }

    fn v6(&mut self) -> Ipv6Addr {
        Ipv6Addr::from_bits(u128::from(self.next()) << 64 | u128::from(self.next()))
    }
}

fn permits(policy: &AddressPolicy, url: &EndpointUrl, address: IpAddr) -> bool {
    policy.judge_address(url, address).is_ok()
}

/// Whom to ask: the guard with its defaults.
fn guard() -> (AddressPolicy, EndpointUrl) {
    (AddressPolicy::new(), "https://billing.example/".parse().unwrap())
}

/// First, last, the one before and the one after.
fn edges(prefix: &[bool], len: usize) -> Vec<IpAddr> {
    let fill = |bit| [prefix, &vec![bit; len - prefix.len()]].concat();
    let (first, last) = (address_of(&fill(false)), address_of(&fill(true)));
    let step = |address, up: bool| match address {
        IpAddr::V4(address) => {
            let next = if up { u32::checked_add } else { u32::checked_sub };
            next(address.to_bits(), 1).map(|bits| IpAddr::V4(bits.into()))
        }
        IpAddr::V6(address) => {
            let next = if up { u128::checked_add } else { u128::checked_sub };
            next(address.to_bits(), 1).map(|bits| IpAddr::V6(bits.into()))
        }
    };
    [Some(first), Some(last), step(first, false), step(last, true)].into_iter().flatten().collect()
}

#[test]
fn both_agree_on_the_edges_of_every_row_of_either() {
    let (oracle, (policy, url)) = (Oracle::new(), guard());
    let mut tried: Vec<IpAddr> = Vec::new();
    for row in &table::REFUSED_V4_BLOCKS {
        let first = IpAddr::V4(Ipv4Addr::from_bits((row.first >> 96) as u32));
        tried.extend(edges(&bits_of(first)[..row.len as usize], 32));
    }
    for row in table::REFUSED_V6_BLOCKS.iter().chain([&table::GLOBAL_UNICAST_V6]) {
        let first = IpAddr::V6(row.first.into());
        tried.extend(edges(&bits_of(first)[..row.len as usize], 128));
    }
    let outside = OUTSIDE.split_whitespace().map(prefix_of);
    for prefix in &oracle.v4 {
        tried.extend(edges(prefix, 32));
    }
    for prefix in oracle.v6.iter().cloned().chain(outside).chain([oracle.global.clone()]) {
        tried.extend(edges(&prefix, 128));
    }
    tried.extend(table::METADATA_ADDRESSES.map(|(alias, _)| alias));
    assert!(tried.len() > 350, "{}", tried.len());
    for address in tried {
        assert_eq!(permits(&policy, &url, address), oracle.permits(address), "{address}");
    }
}

/// Makes an IPv6 address of an IPv4 one, and of noise where it has room for more.
type Embed = fn(u128, u128) -> u128;

/// The ways to write an IPv4 address into an IPv6 one, and whether such an address is judged by the
/// one it carries; the others are refused altogether.
const EMBEDDINGS: [(&str, Embed, bool); 10] = [
    ("mapped", |v4, _| 0xffff << 32 | v4, false),
    ("compatible", |v4, _| v4, false),
    ("translated", |v4, _| 0xffff << 48 | v4, false),
    ("NAT64", |v4, _| 0x64_ff9b << 96 | v4, true),
    ("local NAT64", |v4, _| 0x64_ff9b_0001 << 80 | v4, false),
    ("NAT64 of one's own", |v4, _| 0x2a00_0064 << 96 | v4 >> 16 << 80 | (v4 & 0xffff) << 64, true),
    ("6to4", |v4, random| 0x2002 << 112 | v4 << 80 | random >> 48, false),
    ("Teredo", |v4, random| 0x2001 << 112 | random >> 64 << 32 | (!v4 & 0xffff_ffff), false),
    ("ISATAP", |v4, random| 0x2a00 << 112 | random >> 80 << 64 | 0x5efe << 32 | v4, true),
    (
        "ISATAP, unique",
        |v4, random| 0x2a00 << 112 | random >> 80 << 64 | 0x0200_5efe << 32 | v4,
        true,
    ),
];

fn try_embeddings(each: u32) {
    let oracle = Oracle::new();
    let (policy, url) = guard();
    let with_prefix = policy.clone().nat64_prefix("2a00:64::/32".parse().unwrap());
    let mut random = SeededRng(0x9e37_79b9_7f4a_7c15);
    for (name, embed, inherits) in EMBEDDINGS {
        let own = name == "NAT64 of one's own";
        for _ in 0..each {
            let (v4, noise) = (random.v4(), random.v6().to_bits() >> 8);
            let address = Ipv6Addr::from_bits(embed(v4.to_bits().into(), noise));
            let expected = inherits && oracle.permits(v4.into());
            let asked = if own { &with_prefix } else { &policy };
            assert_eq!(permits(asked, &url, address.into()), expected, "{name}: {address}, {v4}");
            // The simple reader knows no prefix of one's own.
            assert!(own || oracle.permits(address.into()) == expected, "{name}: {address}");
            assert_eq!(permits(&policy, &url, v4.into()), oracle.permits(v4.into()), "{v4}");
        }
    }
    for _ in 0..each {
        let address = random.v6().into();
        assert_eq!(permits(&policy, &url, address), oracle.permits(address), "{address}");
    }
}

#[test]
fn both_agree_on_addresses_in_every_embedding() {
    try_embeddings(2_000);
}

#[test]
#[ignore = "takes a minute in a release build, many in another"]
fn both_agree_on_a_million_addresses_in_every_embedding() {
    let begun = Instant::now();
    try_embeddings(1_000_000);
    println!("a million in each of {} embeddings: {:?}", EMBEDDINGS.len(), begun.elapsed());
}

/// First and last of what the list refuses, in order and apart.
fn refused_ranges() -> Vec<(u32, u32)> {
    let nets = Oracle::new().v4;
    let mut ranges: Vec<_> = nets
        .iter()
        .map(|net| {
            let end = |bit| match address_of(&[net.as_slice(), &vec![bit; 32 - net.len()]].concat())
            {
                IpAddr::V4(address) => address.to_bits(),
                IpAddr::V6(_) => unreachable!(),
            };
            (end(false), end(true))
        })
        .collect();
    ranges.sort_unstable();
    ranges
}

/// Tries every address from `first` to `last`; the list is walked along.
fn try_all(first: u32, last: u32, policy: &AddressPolicy, url: &EndpointUrl) -> u64 {
    let (mut ranges, mut refused) = (refused_ranges().into_iter().peekable(), 0);
    for bits in first..=last {
        while ranges.next_if(|(_, end)| *end < bits).is_some() {}
        let expected = ranges.peek().is_none_or(|(begin, _)| bits < *begin);
        let address = Ipv4Addr::from_bits(bits);
        assert_eq!(permits(policy, url, address.into()), expected, "{address}");
        refused += u64::from(!expected);
    }
    refused
}

#[test]
#[ignore = "takes a minute or two in a release build, an hour in another"]
fn both_agree_on_every_ipv4_address_there_is() {
    let begun = Instant::now();
    let (policy, url) = guard();
    let refused: u64 = std::thread::scope(|scope| {
        let part = |part: u32| {
            let (policy, url) = (&policy, &url);
            scope.spawn(move || try_all(part << 29, part << 29 | 0x1fff_ffff, policy, url))
        };
        let parts: Vec<_> = (0..8).map(part).collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    println!("all of IPv4, {refused} refused: {:?}", begun.elapsed());
}
