//! What an operator permits and refuses, beyond the table.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::{HostPattern, Nat64Prefix};

/// Where events may be sent. The defaults are for URLs that strangers enter: `https` alone, to
/// addresses that are globally reachable, at ports where no other protocol lives.
///
/// The first rule that applies to an address decides:
///
/// 1. it is in a [denied](Self::deny_net) net, or carries an address that is (as NAT64 and 6to4
///    do): refused;
/// 2. it is [our own](Self::own_address): refused;
/// 3. it is a metadata service of a cloud, in whatever embedding: refused, unless
///    [permitted](Self::dangerous_allow_metadata_addresses);
/// 4. it is in an [allowed](Self::allow_net) net, or its name is an [allowed](Self::allow_name) one:
///    permitted;
/// 5. the table of special-purpose addresses (IANA, RFC 6890) refuses it, or it is an IPv6 address
///    outside of 2000::/3: refused.
///
/// What is left is permitted. An address of NAT64 or ISATAP means the IPv4 address that it carries,
/// and is judged by it. Where several rules permit a thing and one refuses it, the order above
/// counts, never the order of the calls.
///
/// ```
/// use webhook_http::{AddressPolicy, HttpTransport};
///
/// let policy = AddressPolicy::new()
///     .allow_name("*.svc.cluster.local".parse()?)
///     .allow_net("10.20.0.0/16".parse()?)
///     .deny_net("10.20.255.0/24".parse()?)
///     .own_name("api.example.com".parse()?)
///     .own_address("0.0.0.0:8080".parse()?);
/// # fn build(policy: AddressPolicy) -> Result<(), Box<dyn std::error::Error>> {
/// let transport = HttpTransport::builder().addresses(policy).build()?;
/// # Ok(()) }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AddressPolicy {
    pub(super) allow_http: bool,
    pub(super) allow_private: bool,
    pub(super) allow_metadata: bool,
    pub(super) allowed: Vec<IpNet>,
    pub(super) denied: Vec<IpNet>,
    pub(super) allowed_names: Vec<HostPattern>,
    pub(super) allowed_ports: Vec<u16>,
    pub(super) nat64: Vec<Nat64Prefix>,
    pub(super) own_addresses: Vec<SocketAddr>,
    pub(super) own_names: Vec<HostPattern>,
}

impl AddressPolicy {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Permits the addresses of `net`, whatever the table says: for receivers in a network of one's
    /// own. A literal of such an address is permitted, and a name that resolves to one.
    pub fn allow_net(mut self, net: IpNet) -> Self {
        self.allowed.push(net.trunc());
        self
    }

    /// Refuses the addresses of `net`, and all that carry one of them, whatever else permits them.
    pub fn deny_net(mut self, net: IpNet) -> Self {
        self.denied.push(net.trunc());
        self
    }

    /// Permits names of one's own, such as services inside a cluster: `*.svc.cluster.local`. To
    /// which addresses they resolve is up to those who run the name servers: the table is not
    /// asked.
    pub fn allow_name(mut self, names: HostPattern) -> Self {
        self.allowed_names.push(names);
        self
    }

    /// Permits plain `http`, to destinations that are permitted otherwise: whoever is on the way
    /// can read the events and change them.
    pub const fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Permits a port where by custom another protocol lives. By default the "bad ports" of the
    /// Fetch standard are refused, and those of Redis and memcached.
    pub fn allow_port(mut self, port: u16) -> Self {
        self.allowed_ports.push(port);
        self
    }

    /// Names the prefix of one's own NAT64, which looks like any other net. Without it, addresses
    /// of one's own network could be reached through the translator.
    pub fn nat64_prefix(mut self, prefix: Nat64Prefix) -> Self {
        self.nat64.push(prefix);
        self
    }

    /// Refuses an address where this service itself listens: an event would come back to its
    /// sender, and start the next one.
    ///
    /// An unspecified address (`0.0.0.0:8080`, `[::]:8080`) stands for all of this machine:
    /// loopback is refused at that port, and any connection at that port whose two ends turn out to
    /// have the same address, before anything is written. A machine that is reached by way of
    /// others, as behind a load balancer, has names: [`own_name`](Self::own_name).
    pub fn own_address(mut self, address: SocketAddr) -> Self {
        self.own_addresses.push(address);
        self
    }

    /// Refuses names under which this service itself is reached, at any port.
    pub fn own_name(mut self, names: HostPattern) -> Self {
        self.own_names.push(names);
        self
    }

    /// Permits plain `http`, local names, any port, and addresses that are not globally reachable.
    /// The addresses of metadata services stay refused, as do denied nets and our own addresses.
    ///
    /// For development and tests on one's own machine. Where strangers enter URLs, it opens the
    /// sender's network to them.
    pub const fn dangerous_allow_private_addresses(mut self) -> Self {
        self.allow_private = true;
        self
    }

    /// Permits the addresses at which clouds hand out credentials to whoever asks:
    /// `169.254.169.254`, `169.254.170.2`, `169.254.170.23`, `100.100.100.200`, `192.0.0.192`,
    /// `168.63.129.16`, `fd00:ec2::254` and `fd20:ce::254`.
    ///
    /// For a simulator of such a service. Where strangers enter URLs, it gives them the machine's
    /// identity.
    pub const fn dangerous_allow_metadata_addresses(mut self) -> Self {
        self.allow_metadata = true;
        self
    }
}
