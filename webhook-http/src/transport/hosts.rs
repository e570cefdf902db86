//! The hosts that requests are on their way to: how many at once, and what is kept for the next.
//!
//! A tenant may register any number of endpoints, all of them at a host of somebody else. Each has few
//! attempts at once, but together they would be an attack in our name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};
use webhook_core::{EndpointUrl, TransportError, TransportErrorKind};

use super::pool::{Pool, Room};

/// Once so many hosts are known, those where nobody is and nothing is kept are forgotten.
const MANY: usize = 1024;

/// The hosts that requests are on their way to, or were.
#[derive(Debug)]
pub(super) struct Hosts {
    most: usize,
    known: Mutex<HashMap<Box<str>, Arc<KnownHost>>>,
    /// For the connections kept of all of them together.
    room: Room,
}

/// One host.
#[derive(Debug)]
pub(super) struct KnownHost {
    most: usize,
    places: Semaphore,
    /// The connections to it that nobody uses.
    pub(super) pool: Pool,
}

/// No place became free in time.
#[derive(Debug, thiserror::Error)]
#[error("{0} requests are on their way to this host already; see `max_per_host`")]
struct Full(usize);

impl Hosts {
    /// Hosts that take `most` requests at once, and one at least.
    pub(super) fn taking(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self { most, known: Mutex::default(), room: Room::default() }
    }

    /// The host of `url`.
    pub(super) fn at(&self, url: &EndpointUrl) -> Arc<KnownHost> {
        let name = name(url);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = known.get(name) {
            return Arc::clone(host);
        }
        if known.len() >= MANY {
            // Whoever is there, or waits, holds it as well.
            known.retain(|_, host| Arc::strong_count(host) > 1 || !host.pool.is_empty());
        }
        let (most, pool) = (self.most, Pool::within(self.room.clone()));
        let host = Arc::new(KnownHost { most, places: Semaphore::new(most), pool });
        known.insert(name.into(), Arc::clone(&host));
        host
    }
}

impl KnownHost {
    /// A place among the requests on their way to it; dropping it gives it back.
    pub(super) async fn place(
        &self,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, TransportError> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        // Boxed: it is rare, and every exchange would carry its room.
        match Box::pin(timeout_at(deadline, self.places.acquire())).await {
            Ok(Ok(place)) => Ok(place),
            // Nobody closes it, so it is the time that ran out.
            _ => Err(TransportError::because(TransportErrorKind::Local, Full(self.most))),
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
        let hosts = Hosts::taking(2);
        let at = |text: &str| hosts.at(&url(text));
        let (host, other_port) = (at("https://a.example/1"), at("https://a.example:8443/2"));
        let first = host.place(soon()).await.unwrap();
        let _second = other_port.place(soon()).await.unwrap();
        let full = at("https://a.example/3").place(soon()).await.unwrap_err();
        assert_eq!(full.kind(), TransportErrorKind::Local);
        assert!(at("https://b.example/").place(soon()).await.is_ok());

        let waits = other_port.place(soon());
        let leaves = async { drop(first) };
        assert!(tokio::join!(waits, leaves).0.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_where_nobody_is_and_nothing_is_kept_are_forgotten() {
        let hosts = Hosts::taking(1);
        let at = |text: &str| hosts.at(&url(text));
        let busy = at("https://busy.example/");
        let _place = busy.place(soon()).await.unwrap();
        let (ours, _theirs) = tokio::io::duplex(64);
        at("https://kept.example/").pool.put("origin", Connection::open(ours).await.unwrap());
        for n in 0..3 * MANY {
            drop(at(&format!("https://h{n}.example/")));
        }
        assert!(hosts.known.lock().unwrap().len() <= MANY);
        assert!(at("https://busy.example/").place(soon()).await.is_err());
        assert!(at("https://kept.example/").pool.take("origin").is_some());
    }
}
