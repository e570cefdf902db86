//! A refusal: by which rule, and what to do about it.

use std::borrow::Cow;

use ipnet::IpNet;

use super::table::AddressBlock;

/// A URL or an address is refused, by this rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}; {}{}", self.rule(), self.advice(), self.way_out())]
pub(in crate::transport) enum Refused {
    /// Plain `http`.
    Scheme,
    /// Another protocol lives at this port.
    Port(u16, &'static str),
    /// The name can only mean something local.
    Name(&'static str),
    /// In a net that the operator has denied.
    Denied(IpNet),
    /// Where this service itself listens.
    Own,
    /// A metadata service, of these clouds.
    Metadata(&'static str),
    /// In a refused block of the table.
    Block(RefusedBlock),
}

/// A refused block of the table, opaque outside of the guard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::transport) struct RefusedBlock(pub(super) &'static AddressBlock);

impl Refused {
    /// The rule, and where it is written down.
    pub(in crate::transport) fn rule(&self) -> Cow<'static, str> {
        match self {
            Self::Scheme => "plain http".into(),
            Self::Port(port, service) => format!("port {port} is for {service}").into(),
            Self::Name(rule) => (*rule).into(),
            Self::Denied(net) => format!("denied by the operator: {net}").into(),
            Self::Own => "our own endpoint: events would come back to their sender".into(),
            Self::Metadata(clouds) => format!("cloud metadata ({clouds})").into(),
            Self::Block(RefusedBlock(block)) => block.to_string().into(),
        }
    }

    /// What to do about it.
    pub(in crate::transport) const fn advice(&self) -> &'static str {
        match self {
            Self::Port(..) => "use the port of a web server",
            Self::Denied(_) | Self::Own => "use the URL of another host",
            Self::Scheme | Self::Name(_) | Self::Metadata(_) | Self::Block(_) => {
                "use an https URL of a public host"
            }
        }
    }

    /// What permits it, for those who run this service.
    const fn way_out(&self) -> &'static str {
        match self {
            Self::Denied(_) | Self::Own | Self::Metadata(_) => "",
            Self::Scheme => ", or permit it by allow_http()",
            Self::Name(_) => ", or permit it by allow_name()",
            Self::Port(..) => ", or permit it by allow_port()",
            Self::Block(_) => ", or permit its net by allow_net()",
        }
    }
}
