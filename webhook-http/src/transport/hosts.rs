//! The hosts that requests are on their way to: how many at once, and what is kept for the next.
//!
//! A tenant may register any number of endpoints, all of them at a host of somebody else. Each has
//! few attempts at once, but together they would be an attack in our name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};
use webhook_core::{
    EndpointUrl,
    transport::{TransportError, TransportErrorKind},
};

use super::pool::{Pool, PoolBudget};

/// Number of known hosts from which hosts without requests and idle connections are removed.
const HOSTS_BEFORE_CLEANUP: usize = 1024;

/// The hosts that requests are on their way to, or were.
#[derive(Debug)]
pub(super) struct Hosts {
    max_requests: usize,
    known: Mutex<HashMap<Box<str>, Arc<KnownHost>>>,
    /// Limit on the idle connections of all of them together.
    budget: PoolBudget,
}

/// One host.
#[derive(Debug)]
pub(super) struct KnownHost {
    max_requests: usize,
    permits: Semaphore,
    /// Idle connections to it.
    pub(super) pool: Pool,
}

/// No permit was released in time.
#[derive(Debug, thiserror::Error)]
#[error("{0} requests are on their way to this host already; see `max_per_host`")]
struct HostIsFull(usize);

impl Hosts {
    /// Permits `max_requests` concurrent requests to each host, at least one.
    pub(super) fn with_limit(max_requests: usize) -> Self {
        let max_requests = max_requests.clamp(1, Semaphore::MAX_PERMITS);
        Self { max_requests, known: Mutex::default(), budget: PoolBudget::default() }
    }

    /// The host of `url`.
    pub(super) fn at(&self, url: &EndpointUrl) -> Arc<KnownHost> {
        let name = name(url);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = known.get(name) {
            return Arc::clone(host);
        }
        if known.len() >= HOSTS_BEFORE_CLEANUP {
            // Requests that run or wait hold a reference as well.
            known.retain(|_, host| Arc::strong_count(host) > 1 || !host.pool.is_empty());
        }
        let (max_requests, pool) = (self.max_requests, Pool::new(self.budget.clone()));
        let host =
            Arc::new(KnownHost { max_requests, permits: Semaphore::new(max_requests), pool });
        known.insert(name.into(), Arc::clone(&host));
        host
    }
}

impl KnownHost {
    /// Waits for a permit to send a request to this host; dropping the permit releases it.
    pub(super) async fn acquire(
        &self,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, TransportError> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        // Boxed: waiting is rare, and every exchange would contain this future.
        match Box::pin(timeout_at(deadline, self.permits.acquire())).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed, so the time ran out.
            _ => Err(TransportError::because(
                TransportErrorKind::Local,
                HostIsFull(self.max_requests),
            )),
        }
    }
}

/// The host as the URL names it, without its port: all ports of one host are one host.
fn name(url: &EndpointUrl) -> &str {
    let authority = url.authority();
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        // No port, or the end of an address in brackets.
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::connection::Connection, *};

    fn url(text: &str) -> EndpointUrl {
        text.parse().unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[test]
    fn hosts_are_told_apart_by_name_or_address_and_not_by_port() {
        for (text, expected) in [
            ("https://a.example/x:1", "a.example"),
            ("https://a.example:8443/", "a.example"),
            ("https://192.0.2.1:8443/", "192.0.2.1"),
            ("https://[2001:db8::1]/", "[2001:db8::1]"),
            ("https://[2001:db8::1]:8443/", "[2001:db8::1]"),
        ] {
            assert_eq!(name(&url(text)), expected, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_host_lets_nobody_in_until_somebody_leaves_and_harms_no_other_host() {
        let hosts = Hosts::with_limit(2);
        let at = |text: &str| hosts.at(&url(text));
        let (host, other_port) = (at("https://a.example/1"), at("https://a.example:8443/2"));
        let first = host.acquire(soon()).await.unwrap();
        let _second = other_port.acquire(soon()).await.unwrap();
        let full = at("https://a.example/3").acquire(soon()).await.unwrap_err();
        assert_eq!(full.kind(), TransportErrorKind::Local);
        assert!(at("https://b.example/").acquire(soon()).await.is_ok());

        let waits = other_port.acquire(soon());
        let leaves = async { drop(first) };
        assert!(tokio::join!(waits, leaves).0.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_where_nobody_is_and_nothing_is_kept_are_forgotten() {
        let hosts = Hosts::with_limit(1);
        let at = |text: &str| hosts.at(&url(text));
        let busy = at("https://busy.example/");
        let _permit = busy.acquire(soon()).await.unwrap();
        let (ours, _theirs) = tokio::io::duplex(64);
        at("https://kept.example/").pool.put("origin", Connection::open(ours).await.unwrap());
        for n in 0..3 * HOSTS_BEFORE_CLEANUP {
            drop(at(&format!("https://h{n}.example/")));
        }
        assert!(hosts.known.lock().unwrap().len() <= HOSTS_BEFORE_CLEANUP);
        assert!(at("https://busy.example/").acquire(soon()).await.is_err());
        assert!(at("https://kept.example/").pool.take("origin").is_some());
    }
}
