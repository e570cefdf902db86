//! Verdicts, told by their rules.

use super::*;

fn url(text: &str) -> EndpointUrl {
    text.parse().unwrap()
}

/// The rule that refuses `address` behind a name, at port 443.
fn rule_of(policy: &AddressPolicy, address: &str) -> Option<String> {
    let verdict = policy.judge_address(&url("https://billing.example/"), address.parse().unwrap());
    verdict.err().map(|refused| refused.rule().into_owned())
}

/// The rule that refuses a URL as it stands.
fn url_rule(policy: &AddressPolicy, text: &str) -> Option<String> {
    policy.judge(&url(text)).err().map(|refused| refused.rule().into_owned())
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

#[test]
fn each_refusal_names_its_own_rule() {
    let table = [
        ("0.0.0.0", "this host (RFC 1122)"),
        ("0.0.0.1", "this network (RFC 791)"),
        ("10.0.0.1", "private network (RFC 1918)"),
        ("100.100.100.200", "cloud metadata (Alibaba)"),
        ("100.100.100.201", "shared address space (RFC 6598)"),
        ("127.0.0.1", "loopback (RFC 1122)"),
        ("168.63.129.16", "cloud metadata (Azure)"),
        ("169.254.169.254", "cloud metadata (AWS, Azure, Google and others)"),
        ("169.254.170.2", "cloud metadata (AWS ECS)"),
        ("169.254.170.23", "cloud metadata (AWS EKS)"),
        ("169.254.1.1", "link-local (RFC 3927)"),
        ("172.31.255.255", "private network (RFC 1918)"),
        ("192.0.0.192", "cloud metadata (Oracle)"),
        ("192.0.0.9", "port control anycast (RFC 7723)"),
        ("192.0.0.171", "NAT64 discovery (RFC 8880)"),
        ("192.0.0.200", "protocol assignments (RFC 6890)"),
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
        ("64:ff9b::169.254.169.254", "cloud metadata (AWS, Azure, Google and others)"),
        ("64:ff9b:1::1", "local NAT64 prefix (RFC 8215)"),
        ("64:ff9b:0:0:0:1::1", "reserved beside NAT64 (RFC 6052)"),
        ("100::1", "discarded (RFC 6666)"),
        ("200::1", "not allocated for global use (RFC 4291)"),
        ("1fff:ffff::1", "not allocated for global use (RFC 4291)"),
        ("4000::1", "not allocated for global use (RFC 4291)"),
        ("2001::1", "Teredo tunnels (RFC 4380)"),
        ("2001:20::1", "ORCHID (RFC 7343)"),
        ("2001:100::1", "protocol assignments (RFC 2928)"),
        ("2002:7f00:1::", "6to4 tunnels (RFC 3056)"),
        ("2606:4700::5efe:127.0.0.1", "loopback (RFC 1122)"),
        ("2606:4700::200:5efe:10.0.0.1", "private network (RFC 1918)"),
        ("fd00:ec2::254", "cloud metadata (AWS)"),
        ("fd20:ce::254", "cloud metadata (Google)"),
        ("fd12::1", "private network (RFC 4193)"),
        ("fe80::1", "link-local (RFC 4291)"),
        ("fec0::1", "site-local (RFC 3879)"),
        ("ff02::1", "multicast (RFC 4291)"),
        ("ff0e::1", "multicast (RFC 4291)"),
    ];
    for (address, rule) in table {
        assert_eq!(rule_of(&AddressPolicy::new(), address).as_deref(), Some(rule), "{address}");
    }
}

#[test]
fn urls_are_judged_by_what_they_mean_not_by_how_they_are_spelt() {
    let metadata = "cloud metadata (AWS, Azure, Google and others)";
    let table = [
        ("http://billing.example/", "plain http"),
        ("https://2130706433/", "loopback (RFC 1122)"),
        ("https://0x7f.1/", "loopback (RFC 1122)"),
        ("https://0177.0.0.1/", "loopback (RFC 1122)"),
        ("https://127.1/", "loopback (RFC 1122)"),
        ("https://127.0.0.1./", "loopback (RFC 1122)"),
        ("https://0/", "this host (RFC 1122)"),
        ("https://0xA9FEA9FE/", metadata),
        ("https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/", "loopback (RFC 1122)"),
        ("https://[::ffff:127.0.0.1]/", "IPv4-mapped address (RFC 4291)"),
        ("https://[64:ff9b::a9fe:a9fe]/", metadata),
        ("https://localhost/", "localhost (RFC 6761)"),
        ("https://LOCALHOST./", "localhost (RFC 6761)"),
        ("https://loc%61lhost/", "localhost (RFC 6761)"),
        ("https://a.localhost/", "localhost (RFC 6761)"),
        ("https://printer.local/", ".local names of the link (RFC 6762)"),
        ("https://metadata.google.internal/", ".internal names of a private network"),
        ("https://db/", "host name of a single label"),
        ("https://db./", "host name of a single label"),
        ("https://billing.example:25/", "port 25 is for smtp"),
        ("https://billing.example:6379/", "port 6379 is for redis"),
    ];
    for (text, rule) in table {
        assert_eq!(url_rule(&AddressPolicy::new(), text).as_deref(), Some(rule), "{text}");
        let dangerous = AddressPolicy::new().dangerous_allow_private_addresses();
        assert_eq!(url_rule(&dangerous, text), (rule == metadata).then(|| rule.into()), "{text}");
    }
    for text in ["https://billing.example/", "https://localhost.example/", "https://1.1.1.1/"] {
        assert_eq!(url_rule(&AddressPolicy::new(), text), None, "{text}");
    }
}

/// Who wins, wherever two rules speak of the same address.
#[test]
fn denied_beats_own_beats_metadata_beats_allowed_beats_the_table() {
    let new = AddressPolicy::new;
    let own = || new().own_address("10.1.2.3:443".parse().unwrap());
    let allow_all = |policy: AddressPolicy| {
        policy
            .allow_net(net("0.0.0.0/0"))
            .allow_net(net("::/0"))
            .allow_name("billing.example".parse().unwrap())
            .dangerous_allow_private_addresses()
    };
    let metadata = "cloud metadata (AWS, Azure, Google and others)";
    let ours = "our own endpoint: events would come back to their sender";
    let denied = "denied by the operator: 10.1.0.0/16";
    let table = [
        (own().deny_net(net("10.1.9.9/16")), "10.1.2.3", Some(denied)),
        (own().deny_net(net("10.1.9.9/16")), "64:ff9b::10.1.2.3", Some(denied)),
        (own().deny_net(net("10.1.9.9/16")), "2002:a01:203::", Some(denied)),
        (allow_all(new().deny_net(net("10.1.0.0/16"))), "10.1.2.3", Some(denied)),
        (new().deny_net(net("10.1.0.0/16")), "1.1.1.1", None),
        (allow_all(own()), "10.1.2.3", Some(ours)),
        (allow_all(own()), "::ffff:10.1.2.3", Some(ours)),
        (allow_all(own()), "10.1.2.4", None),
        (own().dangerous_allow_metadata_addresses(), "10.1.2.3", Some(ours)),
        (allow_all(new()), "169.254.169.254", Some(metadata)),
        (allow_all(new()), "2002:a9fe:a9fe::", Some(metadata)),
        (allow_all(new()), "::a9fe:a9fe", Some(metadata)),
        (allow_all(new()), "::1", None),
        (new().allow_net(net("10.1.0.0/16")), "10.1.2.3", None),
        (new().allow_net(net("10.1.0.0/16")), "64:ff9b::10.1.2.3", None),
        (new().allow_net(net("10.1.0.0/16")), "2a00::5efe:10.1.2.3", None),
        (
            new().allow_net(net("10.1.0.0/16")),
            "fd00::5efe:10.1.2.3",
            Some("private network (RFC 4193)"),
        ),
        (
            new().allow_net(net("10.1.0.0/16")),
            "::ffff:10.1.2.3",
            Some("IPv4-mapped address (RFC 4291)"),
        ),
        (new().allow_net(net("10.1.0.0/16")), "10.2.0.0", Some("private network (RFC 1918)")),
        (new().dangerous_allow_metadata_addresses(), "169.254.169.254", None),
        (new().dangerous_allow_metadata_addresses(), "64:ff9b::169.254.169.254", None),
        (new().dangerous_allow_metadata_addresses(), "fd00:ec2::254", None),
        (
            new().dangerous_allow_metadata_addresses(),
            "169.254.169.253",
            Some("link-local (RFC 3927)"),
        ),
        (
            new().dangerous_allow_metadata_addresses(),
            "2002:a9fe:a9fe::",
            Some("6to4 tunnels (RFC 3056)"),
        ),
    ];
    for (policy, address, rule) in table {
        assert_eq!(rule_of(&policy, address).as_deref(), rule, "{address} by {policy:?}");
    }
}

#[test]
fn every_metadata_address_is_refused_in_every_embedding_whatever_is_allowed() {
    let policy = AddressPolicy::new()
        .dangerous_allow_private_addresses()
        .nat64_prefix("2a00:64::/32".parse().unwrap());
    for (alias, _) in &table::METADATA_ADDRESSES {
        let IpAddr::V4(v4) = alias else {
            assert!(rule_of(&policy, &alias.to_string()).is_some());
            continue;
        };
        let [a, b, c, d] = v4.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        for spelt in [
            v4.to_string(),
            format!("::{v4}"),
            format!("::ffff:{v4}"),
            format!("::ffff:0:{v4}"),
            format!("64:ff9b::{v4}"),
            format!("64:ff9b:1::{v4}"),
            format!("2a00:64:{high:x}:{low:x}::"),
            format!("2002:{high:x}:{low:x}::"),
            format!("2001:0:{high:x}:{low:x}::"),
            format!("2001::{:x}:{:x}", !high, !low),
            format!("fe80::5efe:{v4}"),
            format!("2a00::200:5efe:{v4}"),
        ] {
            let rule = rule_of(&policy, &spelt).unwrap_or_default();
            assert!(rule.starts_with("cloud metadata"), "{spelt}: {rule}");
        }
    }
}

#[test]
fn a_name_of_ones_own_passes_with_whatever_address_but_metadata_and_what_is_denied() {
    let policy = AddressPolicy::new()
        .allow_name("*.svc.cluster.local".parse().unwrap())
        .deny_net(net("10.9.0.0/16"));
    let inside = url("https://hooks.svc.cluster.local/");
    assert_eq!(policy.judge(&inside), Ok(()));
    let verdict = |address: &str| policy.judge_address(&inside, address.parse().unwrap());
    assert_eq!(verdict("10.0.0.1"), Ok(()));
    assert_eq!(verdict("127.0.0.1"), Ok(()));
    assert!(matches!(verdict("169.254.169.254"), Err(Refused::Metadata(_))));
    assert!(matches!(verdict("10.9.0.1"), Err(Refused::Denied(_))));
    assert_eq!(
        url_rule(&policy, "https://svc.cluster.local/").as_deref(),
        Some(".local names of the link (RFC 6762)")
    );
    assert_eq!(url_rule(&policy, "http://a.svc.cluster.local/").as_deref(), Some("plain http"));
    assert!(rule_of(&policy, "10.0.0.1").is_some(), "another name");
}

#[test]
fn plain_http_and_single_ports_are_permitted_without_permitting_anything_else() {
    let policy = AddressPolicy::new().allow_http().allow_port(25);
    for (text, rule) in [
        ("http://billing.example/", None),
        ("http://1.1.1.1:25/", None),
        ("https://1.1.1.1:22/", Some("port 22 is for ssh")),
        ("http://127.0.0.1/", Some("loopback (RFC 1122)")),
        ("http://db/", Some("host name of a single label")),
    ] {
        assert_eq!(url_rule(&policy, text).as_deref(), rule, "{text}");
    }
}

#[test]
fn a_nat64_of_ones_own_is_judged_by_the_address_behind_it() {
    let plain = AddressPolicy::new();
    let with_prefix = AddressPolicy::new().nat64_prefix("2a00:64::/96".parse().unwrap());
    assert_eq!(rule_of(&plain, "2a00:64::10.0.0.1"), None, "it looks like any other");
    assert_eq!(
        rule_of(&with_prefix, "2a00:64::10.0.0.1").as_deref(),
        Some("private network (RFC 1918)")
    );
    assert_eq!(rule_of(&with_prefix, "2a00:64::1.1.1.1"), None);
    let local = AddressPolicy::new().nat64_prefix("64:ff9b:1::/48".parse().unwrap());
    assert_eq!(rule_of(&local, "64:ff9b:1:101:1:100::"), None);
    assert!(rule_of(&local, "64:ff9b:1:a00:0:100::").is_some());
}

#[test]
fn our_own_listeners_and_names_are_refused() {
    let own = |address: &str| {
        AddressPolicy::new()
            .dangerous_allow_private_addresses()
            .own_address(address.parse().unwrap())
            .own_name("api.example.com".parse().unwrap())
    };
    let table = [
        ("0.0.0.0:8080", "http://127.0.0.1:8080/", true),
        ("0.0.0.0:8080", "http://127.9.9.9:8080/", true),
        ("0.0.0.0:8080", "http://0.0.0.0:8080/", true),
        ("0.0.0.0:8080", "http://[::1]:8080/", true),
        ("[::]:8080", "http://127.0.0.1:8080/", true),
        ("[::]:8080", "http://[::ffff:127.0.0.1]:8080/", true),
        ("0.0.0.0:8080", "http://127.0.0.1:8081/", false),
        ("0.0.0.0:8080", "http://10.0.0.1:8080/", false),
        ("127.0.0.1:8080", "http://0.0.0.0:8080/", true),
        ("127.0.0.1:8080", "http://127.0.0.2:8080/", false),
        ("10.0.0.1:8080", "http://10.0.0.1:8080/", true),
        ("10.0.0.1:8080", "https://api.example.com:9999/", true),
        ("10.0.0.1:8080", "https://API.example.com./", true),
        ("10.0.0.1:8080", "https://v2.api.example.com/", false),
    ];
    for (listener, text, refused) in table {
        let verdict = own(listener).judge(&url(text));
        assert_eq!(verdict, if refused { Err(Refused::Own) } else { Ok(()) }, "{text}");
    }
}

#[test]
fn a_connection_whose_ends_are_one_machine_is_ours_at_a_port_we_listen_at() {
    let policy = AddressPolicy::new().own_address("0.0.0.0:8080".parse().unwrap());
    let ends = |ours: &str, theirs: &str| {
        policy.judge_ends(ours.parse().unwrap(), theirs.parse().unwrap()).is_ok()
    };
    assert!(!ends("203.0.113.5:40000", "203.0.113.5:8080"));
    assert!(!ends("203.0.113.5:40000", "[::ffff:203.0.113.5]:8080"));
    assert!(ends("203.0.113.5:40000", "203.0.113.5:8081"));
    assert!(ends("203.0.113.5:40000", "203.0.113.6:8080"));
    let single = AddressPolicy::new().own_address("127.0.0.1:8080".parse().unwrap());
    let (ours, theirs) = ("127.0.0.2:4000".parse().unwrap(), "127.0.0.2:8080".parse().unwrap());
    assert_eq!(single.judge_ends(ours, theirs), Ok(()));
}

#[test]
fn an_address_behind_a_name_is_another_kind_of_refusal() {
    let kind = |text| blocked(&url(text), Refused::Scheme).kind();
    assert_eq!(kind("https://billing.example/"), TransportErrorKind::BlockedName);
    assert_eq!(kind("https://10.0.0.1/"), TransportErrorKind::BlockedLiteral);
}
