//! Ports at which other protocols listen.
//!
//! A request is text, and some services do what a line of text says. No receiver of events lives at
//! their ports.

/// What is refused at `port`, if anything.
pub(super) fn service_at(port: u16) -> Option<&'static str> {
    let bad = BAD_PORTS.binary_search_by_key(&port, |(refused, _)| *refused);
    let bad = bad.ok().and_then(|at| BAD_PORTS.get(at));
    let listed = bad.or_else(|| LINE_PORTS.iter().find(|(refused, _)| *refused == port));
    listed.map(|(_, service)| *service)
}

/// The "bad ports" of the Fetch standard, to which no browser connects either, in order.
const BAD_PORTS: [(u16, &str); 83] = [
    (0, "no service"),
    (1, "tcpmux"),
    (7, "echo"),
    (9, "discard"),
    (11, "systat"),
    (13, "daytime"),
    (15, "netstat"),
    (17, "qotd"),
    (19, "chargen"),
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (37, "time"),
    (42, "name"),
    (43, "nicname"),
    (53, "domain"),
    (69, "tftp"),
    (77, "rje"),
    (79, "finger"),
    (87, "link"),
    (95, "supdup"),
    (101, "hostname"),
    (102, "iso-tsap"),
    (103, "gppitnp"),
    (104, "acr-nema"),
    (109, "pop2"),
    (110, "pop3"),
    (111, "sunrpc"),
    (113, "auth"),
    (115, "sftp"),
    (117, "uucp-path"),
    (119, "nntp"),
    (123, "ntp"),
    (135, "epmap"),
    (137, "netbios-ns"),
    (139, "netbios-ssn"),
    (143, "imap"),
    (161, "snmp"),
    (179, "bgp"),
    (389, "ldap"),
    (427, "svrloc"),
    (465, "submissions"),
    (512, "exec"),
    (513, "login"),
    (514, "shell"),
    (515, "printer"),
    (526, "tempo"),
    (530, "courier"),
    (531, "chat"),
    (532, "netnews"),
    (540, "uucp"),
    (548, "afp"),
    (554, "rtsp"),
    (556, "remotefs"),
    (563, "nntps"),
    (587, "submission"),
    (601, "syslog-conn"),
    (636, "ldaps"),
    (989, "ftps-data"),
    (990, "ftps"),
    (993, "imaps"),
    (995, "pop3s"),
    (1719, "h323gatestat"),
    (1720, "h323hostcall"),
    (1723, "pptp"),
    (2049, "nfs"),
    (3659, "apple-sasl"),
    (4045, "npp"),
    (4190, "sieve"),
    (5060, "sip"),
    (5061, "sips"),
    (6000, "x11"),
    (6566, "sane-port"),
    (6665, "irc"),
    (6666, "irc"),
    (6667, "irc"),
    (6668, "irc"),
    (6669, "irc"),
    (6679, "osaut"),
    (6697, "ircs-u"),
    (10080, "amanda"),
];

/// Two more that obey lines of text, and that browsers have left out.
const LINE_PORTS: [(u16, &str); 2] = [(6379, "redis"), (11211, "memcached")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_the_web_are_free_and_the_list_is_whole() {
        for port in [80, 443, 3000, 8000, 8080, 8443, 9443, 49152, 65535] {
            assert_eq!(service_at(port), None, "{port}");
        }
        assert!(BAD_PORTS.is_sorted_by(|(one, _), (next, _)| one < next));
        let listed = "0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 \
            104 109 110 111 113 115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 \
            526 530 531 532 540 548 554 556 563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 \
            4045 4190 5060 5061 6000 6566 6665 6666 6667 6668 6669 6679 6697 10080";
        for (port, service) in BAD_PORTS.into_iter().chain(LINE_PORTS) {
            assert_eq!(service_at(port), Some(service));
        }
        let ports = BAD_PORTS.map(|(port, _)| port.to_string());
        assert_eq!(ports.join(" "), listed);
    }
}
