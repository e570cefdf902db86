//! From a name to addresses, without a thread that could hang.
//!
//! The system's own look-up blocks a thread and cannot be given up; this one ends with the attempt
//! that asked. It reads the system's settings and hosts file, but never its search domains: `db`
//! must not become `db.corp.example`.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::OnceLock,
    time::Duration,
};

use async_trait::async_trait;
use hickory_resolver::{
    TokioResolver,
    config::{
        ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
        ResolverOpts,
    },
    net::{NetError, runtime::TokioRuntimeProvider},
};
use tokio::sync::Semaphore;
use webhook_core::transport::{TransportError, TransportErrorKind};

use super::error::is_exhaustion;

/// Finds the addresses of a name: one look-up, all answers.
#[async_trait]
pub(super) trait Resolve: fmt::Debug + Send + Sync {
    /// All addresses of `name`, in the order they should be tried. Dropping the future gives up.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, TransportError>;
}

/// Resolver over DNS: asks the name servers of the system and reads its hosts file, or asks the
/// servers of the operator.
#[derive(Debug)]
pub(super) struct DnsResolver {
    /// Empty for those of the system.
    servers: Vec<SocketAddr>,
    /// Made at the first look-up: literal addresses work without any settings.
    resolver: OnceLock<TokioResolver>,
    /// So that one hanging name server does not fill memory and sockets with questions.
    running: Semaphore,
}

impl DnsResolver {
    /// Concurrent look-ups. A look-up uses no thread, so that names with hanging servers delay no
    /// others.
    const MAX_RUNNING_LOOKUPS: usize = 1024;

    /// Creates a resolver that asks `servers`, or those of the system if the list is empty.
    pub(super) fn with_servers(servers: Vec<SocketAddr>) -> Self {
        let running = Semaphore::new(Self::MAX_RUNNING_LOOKUPS);
        Self { servers, resolver: OnceLock::new(), running }
    }

    fn resolver(&self) -> Result<&TokioResolver, NetError> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let mut builder = if self.servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let provider = TokioRuntimeProvider::default();
            TokioResolver::builder_with_config(named(&self.servers), provider)
        };
        if !self.servers.is_empty() {
            builder.options_mut().use_hosts_file = ResolveHosts::Never;
        }
        adjust(builder.options_mut());
        let built = builder.build()?;
        Ok(self.resolver.get_or_init(|| built))
    }
}

/// These servers and nothing else, by UDP, and by TCP where an answer is too long for that.
fn named(servers: &[SocketAddr]) -> ResolverConfig {
    let at = |mut way: ConnectionConfig, server: &SocketAddr| {
        way.port = server.port();
        way
    };
    let server = |server: &SocketAddr| {
        let ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
        NameServerConfig::new(server.ip(), true, ways.map(|way| at(way, server)).into())
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

/// All answers, so that each is vetted; a cache that only joins bursts.
fn adjust(options: &mut ResolverOpts) {
    const MAX_CACHE_TTL: Option<Duration> = Some(Duration::from_secs(1));
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = 256;
    options.timeout = Duration::from_secs(2);
    options.positive_max_ttl = MAX_CACHE_TTL;
    options.negative_max_ttl = MAX_CACHE_TTL;
}

#[async_trait]
impl Resolve for DnsResolver {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, TransportError> {
        // Closed never happens: nobody closes it.
        let _permit = self.running.acquire().await.ok();
        let resolver = self
            .resolver()
            .map_err(|error| TransportError::because(TransportErrorKind::Local, error))?;
        let found = resolver.lookup_ip(absolute(name)).await.map_err(lookup_error)?;
        Ok(found.iter().collect())
    }
}

/// The name with a final dot: no search domain is ever tried.
fn absolute(name: &str) -> String {
    format!("{}.", name.strip_suffix('.').unwrap_or(name))
}

fn lookup_error(error: NetError) -> TransportError {
    let ours = matches!(&error, NetError::Io(cause) if is_exhaustion(cause));
    let kind = if ours { TransportErrorKind::Local } else { TransportErrorKind::Resolve };
    TransportError::because(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_as_they_are() {
        assert_eq!(absolute("billing.example"), "billing.example.");
        assert_eq!(absolute("billing.example."), "billing.example.");
    }

    #[test]
    fn a_failed_look_up_is_retried() {
        let error = lookup_error(NetError::Timeout);
        assert_eq!(error.kind(), TransportErrorKind::Resolve);
        let full = NetError::from(std::io::Error::from_raw_os_error(24));
        let kind = lookup_error(full).kind();
        assert_eq!(kind == TransportErrorKind::Local, cfg!(unix));
    }
}
