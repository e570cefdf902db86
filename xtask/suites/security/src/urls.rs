//! A: URLs, as customers enter them.

use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};
use webhook_core::{
    EndpointUrl,
    transport::{Transport, TransportErrorKind},
};
use webhook_http::{AddressPolicy, HttpTransport};

use crate::{
    canary::Canary,
    case::Seen,
    dns::{DnsAnswer, NameServer},
    ids::Id,
    literal,
    sending::{post, reason},
};

/// Every name there is leads to loopback: whoever looks one up reaches the canary.
async fn all_names_lead_here() -> NameServer {
    let here = ["127.0.0.1", "::1"].map(|address| address.parse().expect("an address"));
    NameServer::answering([DnsAnswer { addresses: here.into(), ..DnsAnswer::default() }]).await
}

pub(crate) async fn play(_id: Id, input: &str) -> Seen {
    let text = literal::text(input);
    let (names, canary) = (all_names_lead_here().await, Canary::everywhere().await);
    let world = World { names, canary };
    Seen::new(world.guarded(&text).await, world.unguarded(&text).await)
}

struct World {
    names: NameServer,
    canary: Canary,
}

impl World {
    fn transport(&self, policy: AddressPolicy) -> HttpTransport {
        let builder = HttpTransport::builder().addresses(policy.allow_http());
        builder.name_servers([self.names.addr()]).build().expect("a transport")
    }

    /// At the door, and again where it is dialled.
    async fn guarded(&self, text: &str) -> String {
        let url: EndpointUrl = match text.parse() {
            Ok(url) => url,
            Err(error) => return format!("{error}"),
        };
        let transport = self.transport(AddressPolicy::new());
        let registered = transport.accepts(&url);
        if let Some(here) = self.at_the_canary(&url) {
            let sent = post(&transport, &here).await;
            if self.canary.is_reached().await {
                return "reaches the canary".to_owned();
            }
            return match (registered, sent) {
                (Err(refused), Err(_)) => reason(&refused),
                (Ok(()), Err(refused)) if refused.kind() == TransportErrorKind::BlockedName => {
                    format!("registered; when sent, {}", reason(&refused))
                }
                (registered, sent) => format!("{registered:?}, {sent:?}"),
            };
        }
        registered.map_or_else(|refused| reason(&refused), |()| "is let through".to_owned())
    }

    async fn unguarded(&self, text: &str) -> String {
        let Ok(url) = text.parse::<EndpointUrl>() else { return lenient(text) };
        let open = AddressPolicy::new()
            .dangerous_allow_private_addresses()
            .dangerous_allow_metadata_addresses();
        let transport = self.transport(open);
        if let Err(refused) = transport.accepts(&url) {
            return reason(&refused);
        }
        // Others are not dialled: nobody here knows who lives there.
        let Some(here) = self.at_the_canary(&url).filter(leads_here) else {
            return "is let through".to_owned();
        };
        let _ = post(&transport, &here).await;
        // A machine without IPv6 has nobody at ::1; who dials it would have gone there.
        let nobody = matches!(url.host(), Host::Ipv6(_)) && !self.canary.has_v6();
        let reached = nobody || self.canary.is_reached().await;
        if reached { "reaches the canary" } else { "is let through" }.to_owned()
    }

    /// The same with the canary's port, unless the row is about the port.
    fn at_the_canary(&self, url: &EndpointUrl) -> Option<EndpointUrl> {
        let mut here = Url::parse(url.as_str()).ok().filter(|url| url.port().is_none())?;
        here.set_port(Some(self.canary.port())).ok()?;
        here.set_scheme("http").ok()?;
        here.as_str().parse().ok()
    }
}

/// Whether dialling it stays on this machine.
fn leads_here(url: &EndpointUrl) -> bool {
    let here = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    match url.host() {
        Host::Domain(_) => true,
        Host::Ipv4(address) => here(address.into()),
        Host::Ipv6(address) => here(address.into()) || here(Ipv6Addr::to_canonical(&address)),
    }
}

/// What a parser makes of it that repairs what it can (WHATWG), or whoever asks none.
fn lenient(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) => match url.host_str() {
            Some(host) if host.len() < 60 => format!("read as `{}://{host}`", url.scheme()),
            Some(_) => "read as it stands".to_owned(),
            None => format!("read as `{}`", url.scheme()),
        },
        Err(_) => "kept as it is".to_owned(),
    }
}
