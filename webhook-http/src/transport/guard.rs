//! The guard: which URLs and addresses may be sent to.
//!
//! Endpoints come from customers, so a URL may be an attempt to reach what only this machine can
//! reach: its loopback, its network, the metadata service of its cloud. A name proves nothing; what
//! counts is the address that is dialled. The [`policy`] holds what the operator has settled, the
//! [`table`] what nobody may send to unless it is permitted, and here is the order of their rules.
//!
//! The table is stricter than the registries it follows: some blocks are called globally reachable
//! there although no receiver can live in them. For IPv6 it is an allow-list: what lies outside of
//! 2000::/3 is refused, listed or not. `IpAddr::is_global` would admit `64:ff9b::7f00:1`, `fec0::1`
//! and multicast, so it is not used.

mod embedded;
mod names;
#[cfg(test)]
mod oracle;
mod policy;
mod ports;
mod refused;
mod table;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use url::Host;
use webhook_core::{
    EndpointUrl,
    transport::{TransportError, TransportErrorKind},
};

pub use embedded::{InvalidNat64Prefix, Nat64Prefix};
pub use names::{HostPattern, InvalidHostPattern};
pub use policy::AddressPolicy;
pub(super) use refused::Refused;
use refused::RefusedBlock;

/// The error for a refusal of what `url` says itself: it has to change.
pub(super) fn blocked_literal(refused: Refused) -> TransportError {
    TransportError::because(TransportErrorKind::BlockedLiteral, refused)
}

/// The error for a refusal of an address that `url` leads to: names change.
pub(super) fn blocked(url: &EndpointUrl, refused: Refused) -> TransportError {
    match url.host() {
        Host::Domain(_) => TransportError::because(TransportErrorKind::BlockedName, refused),
        Host::Ipv4(_) | Host::Ipv6(_) => blocked_literal(refused),
    }
}

impl AddressPolicy {
    /// Judges a URL by what it says itself: scheme, port, literal address, name.
    pub(super) fn judge(&self, url: &EndpointUrl) -> Result<(), Refused> {
        if !url.is_https() && !self.permits_http() {
            return Err(Refused::Scheme);
        }
        match url.host() {
            Host::Ipv4(address) => self.judge_address(url, address.into()),
            Host::Ipv6(address) => self.judge_address(url, address.into()),
            Host::Domain(name) => self.judge_name(name),
        }?;
        self.judge_port(url.port())
    }

    /// Whether plain `http` is permitted.
    pub(super) const fn permits_http(&self) -> bool {
        self.allow_http || self.allow_private
    }

    fn judge_port(&self, port: u16) -> Result<(), Refused> {
        match ports::service_at(port) {
            Some(service) if !self.allow_private && !self.allowed_ports.contains(&port) => {
                Err(Refused::Port(port, service))
            }
            _ => Ok(()),
        }
    }

    fn judge_name(&self, name: &str) -> Result<(), Refused> {
        if self.own_names.iter().any(|own| own.matches(name)) {
            return Err(Refused::Own);
        }
        match names::local(name) {
            Some(rule) if !self.allow_private && !self.allows_name(name) => {
                Err(Refused::Name(rule))
            }
            _ => Ok(()),
        }
    }

    fn allows_name(&self, name: &str) -> bool {
        self.allowed_names.iter().any(|allowed| allowed.matches(name))
    }

    /// Judges an address that `url` leads to, by the rules in their order.
    pub(super) fn judge_address(&self, url: &EndpointUrl, address: IpAddr) -> Result<(), Refused> {
        let meanings = embedded::meanings(address, &self.nat64);
        if !self.denied.is_empty() {
            self.judge_denied(meanings.clone())?;
        }
        if !self.own_addresses.is_empty() {
            self.judge_own(meanings.clone(), url.port())?;
        }
        self.judge_metadata(meanings)?;
        let trusted = matches!(url.host(), Host::Domain(name) if self.allows_name(name));
        if trusted || self.allow_private { Ok(()) } else { self.judge_place(address) }
    }

    fn judge_denied(&self, meanings: impl Iterator<Item = IpAddr> + Clone) -> Result<(), Refused> {
        let holds = |net: &&IpNet| meanings.clone().any(|address| net.contains(&address));
        self.denied.iter().find(holds).map_or(Ok(()), |net| Err(Refused::Denied(*net)))
    }

    fn judge_own(
        &self,
        meanings: impl Iterator<Item = IpAddr> + Clone,
        port: u16,
    ) -> Result<(), Refused> {
        let is_own = |own: &SocketAddr| {
            own.port() == port && meanings.clone().any(|address| leads_to(address, own.ip()))
        };
        if self.own_addresses.iter().any(is_own) { Err(Refused::Own) } else { Ok(()) }
    }

    fn judge_metadata(&self, mut meanings: impl Iterator<Item = IpAddr>) -> Result<(), Refused> {
        if self.allow_metadata {
            return Ok(());
        }
        let found = meanings.find_map(table::clouds_at);
        found.map_or(Ok(()), |clouds| Err(Refused::Metadata(clouds)))
    }

    /// Judges an address by where it lies, and by what is permitted there.
    fn judge_place(&self, address: IpAddr) -> Result<(), Refused> {
        if self.allows_address(address) {
            return Ok(());
        }
        match address {
            IpAddr::V4(address) => judge_v4(address),
            IpAddr::V6(address) => self.judge_v6(address),
        }
    }

    fn allows_address(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|net| net.contains(&address))
            || (self.allow_metadata && table::clouds_at(address).is_some())
    }

    fn judge_v6(&self, address: Ipv6Addr) -> Result<(), Refused> {
        let nat64 = self.nat64.iter().chain([&Nat64Prefix::WELL_KNOWN]);
        if let Some(carried) = nat64.into_iter().find_map(|prefix| prefix.carried(address)) {
            return self.judge_place(carried.into());
        }
        let bits = address.to_bits();
        let row = table::REFUSED_V6_BLOCKS.iter().find(|row| row.holds(bits));
        // The last row holds everything: it is for what lies outside of the global block.
        match row {
            Some(row) if row.len > 0 || !table::GLOBAL_UNICAST_V6.holds(bits) => {
                Err(Refused::Block(RefusedBlock(row)))
            }
            _ => {
                embedded::isatap(address).map_or(Ok(()), |carried| self.judge_place(carried.into()))
            }
        }
    }

    /// Judges a connection by its two ends, before anything is written to it.
    pub(super) fn judge_ends(&self, ours: SocketAddr, theirs: SocketAddr) -> Result<(), Refused> {
        let same = ours.ip().to_canonical() == theirs.ip().to_canonical();
        let listens = |own: &SocketAddr| own.ip().is_unspecified() && own.port() == theirs.port();
        if same && self.own_addresses.iter().any(listens) { Err(Refused::Own) } else { Ok(()) }
    }
}

fn judge_v4(address: Ipv4Addr) -> Result<(), Refused> {
    let bits = address.to_bits();
    table::REFUSED_V4_BLOCKS
        .iter()
        .find(|row| row.holds_v4(bits))
        .map_or(Ok(()), |row| Err(Refused::Block(RefusedBlock(row))))
}

/// Whether dialling `address` leads to a listener at `own`. Where nobody says which address is
/// meant, it is this machine: the one to dial and the one to listen at.
fn leads_to(address: IpAddr, own: IpAddr) -> bool {
    let here = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    address == own
        || (here(address) && own.is_unspecified())
        || (address.is_unspecified() && here(own))
}
