//! Where events may be sent, as a deployment says it.

use std::{net::SocketAddr, str::FromStr};

use webhook_http::{AddressPolicy, HttpTransport, HttpTransportBuilder, Proxy};

use super::{InvalidSetting, Reading};

/// The addresses that may be sent to, and by which way.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetworkSettings {
    addresses: AddressPolicy,
    name_servers: Vec<SocketAddr>,
    max_per_host: Option<usize>,
    proxy: Option<Proxy>,
}

impl NetworkSettings {
    pub(super) fn read(reading: &Reading<'_>) -> Result<Self, InvalidSetting> {
        const EXPECTED_NETS: &str = "nets such as 10.20.0.0/16, separated by commas";
        const EXPECTED_NAMES: &str =
            "names such as api.example.com or *.svc.cluster.local, separated by commas";
        let mut policy = AddressPolicy::new();
        if reading.parsed("WEBHOOK_ALLOW_HTTP", "true or false")?.unwrap_or_default() {
            policy = policy.allow_http();
        }
        policy = list(reading, "WEBHOOK_ALLOW_NETS", EXPECTED_NETS)?
            .into_iter()
            .fold(policy, AddressPolicy::allow_net);
        policy = list(reading, "WEBHOOK_DENY_NETS", EXPECTED_NETS)?
            .into_iter()
            .fold(policy, AddressPolicy::deny_net);
        policy = list(reading, "WEBHOOK_ALLOW_NAMES", EXPECTED_NAMES)?
            .into_iter()
            .fold(policy, AddressPolicy::allow_name);
        policy = list(reading, "WEBHOOK_OWN_NAMES", EXPECTED_NAMES)?
            .into_iter()
            .fold(policy, AddressPolicy::own_name);
        let own = "addresses with ports such as 0.0.0.0:8080, separated by commas";
        policy = list(reading, "WEBHOOK_OWN_ADDRESSES", own)?
            .into_iter()
            .fold(policy, AddressPolicy::own_address);
        let prefixes = "prefixes such as 2001:db8:64::/96, separated by commas";
        policy = list(reading, "WEBHOOK_NAT64_PREFIXES", prefixes)?
            .into_iter()
            .fold(policy, AddressPolicy::nat64_prefix);
        let servers = "addresses with ports such as 10.0.0.53:53, separated by commas";
        Ok(Self {
            addresses: policy,
            name_servers: list(reading, "WEBHOOK_NAME_SERVERS", servers)?,
            max_per_host: reading.parsed("WEBHOOK_MAX_PER_HOST", "a number such as 64")?,
            proxy: proxy(reading)?,
        })
    }

    /// The transport that keeps to it.
    pub(crate) fn transport(&self) -> HttpTransportBuilder {
        let most = self.max_per_host.unwrap_or(HttpTransportBuilder::MAX_PER_HOST);
        let builder = HttpTransport::builder()
            .addresses(self.addresses.clone())
            .name_servers(self.name_servers.iter().copied())
            .max_per_host(most);
        match &self.proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            None => builder,
        }
    }
}

fn list<T: FromStr>(
    reading: &Reading<'_>,
    variable: &'static str,
    expected: &str,
) -> Result<Vec<T>, InvalidSetting> {
    let Some(text) = reading.text(variable)? else { return Ok(Vec::new()) };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read: Result<Vec<T>, _> = parts.map(str::parse).collect();
    read.map_err(|_| InvalidSetting::new(variable, &text, expected))
}

/// Not shown when it is wrong: it may hold a password.
fn proxy(reading: &Reading<'_>) -> Result<Option<Proxy>, InvalidSetting> {
    const PROXY_VARIABLE: &str = "WEBHOOK_PROXY";
    let wrong =
        |_| InvalidSetting::hidden(PROXY_VARIABLE, "a URL such as http://proxy.example:3128");
    reading.text(PROXY_VARIABLE)?.map(|text| text.trim().parse().map_err(wrong)).transpose()
}

#[cfg(test)]
mod tests {
    use webhook_core::{EndpointUrl, transport::Transport as _};

    use crate::settings::tests::read;

    #[test]
    fn each_variable_changes_where_events_may_go() {
        let table = [
            ("WEBHOOK_ALLOW_NETS", "10.20.0.0/16, 10.30.0.0/16", "https://10.30.0.1/", true),
            ("WEBHOOK_DENY_NETS", "1.1.1.0/24", "https://1.1.1.1/", false),
            ("WEBHOOK_ALLOW_NAMES", "*.svc.cluster.local", "https://a.svc.cluster.local/", true),
            ("WEBHOOK_OWN_NAMES", "api.example.com", "https://api.example.com/", false),
            ("WEBHOOK_OWN_ADDRESSES", "1.1.1.1:8443", "https://1.1.1.1:8443/", false),
            ("WEBHOOK_ALLOW_HTTP", "true", "http://billing.example/", true),
            ("WEBHOOK_NAT64_PREFIXES", "2606:4700::/96", "https://[2606:4700::7f00:1]/", false),
        ];
        let accepts = |values: &[(&str, &str)], url: &EndpointUrl| {
            let transport = read(values).unwrap().transport();
            transport.build().unwrap().accepts(url).is_ok()
        };
        for (variable, value, url, expected) in table {
            let url = url.parse().unwrap();
            assert_eq!(accepts(&[(variable, value)], &url), expected, "{variable}");
            assert_eq!(accepts(&[], &url), !expected, "without {variable}");
        }
    }

    #[test]
    fn name_servers_and_the_limit_of_a_host_reach_the_transport() {
        let set =
            [("WEBHOOK_NAME_SERVERS", "10.0.0.53:53, [::1]:5353"), ("WEBHOOK_MAX_PER_HOST", "7")];
        let shown = format!("{:?}", read(&set).unwrap().transport());
        for part in ["[10.0.0.53:53, [::1]:5353]", "max_per_host: Some(7)"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_a_password_is_not_shown() {
        for (variable, value) in [
            ("WEBHOOK_ALLOW_NETS", "10.20.0.0/16,10.20.0.0/99"),
            ("WEBHOOK_DENY_NETS", "all"),
            ("WEBHOOK_ALLOW_NAMES", "a b"),
            ("WEBHOOK_OWN_ADDRESSES", "8080"),
            ("WEBHOOK_NAT64_PREFIXES", "64:ff9b::/13"),
            ("WEBHOOK_ALLOW_HTTP", "perhaps"),
            ("WEBHOOK_NAME_SERVERS", "10.0.0.53"),
            ("WEBHOOK_MAX_PER_HOST", "many"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            assert_eq!((error.variable(), error.found()), (variable, Some(value)));
        }
        let wrong = read(&[("WEBHOOK_PROXY", "socks5://me:hunter2@proxy.example")]).unwrap_err();
        assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
        let right = read(&[("WEBHOOK_PROXY", "http://me:hunter2@proxy.example:3128")]).unwrap();
        assert!(!format!("{right:?} {:?}", right.transport()).contains("hunter2"));
    }
}
