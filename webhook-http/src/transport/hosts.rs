//! How many requests are on their way to one host.
//!
//! A tenant may register any number of endpoints, all of them at a host of somebody else. Each has few
//! attempts at once, but together they would be an attack in our name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use webhook_core::{EndpointUrl, TransportError, TransportErrorKind};

/// Once so many hosts are known, those where nobody is are forgotten.
const MANY: usize = 1024;

/// The hosts that requests are on their way to, or were.
#[derive(Debug)]
pub(super) struct Hosts {
    most: usize,
    busy: Mutex<HashMap<Box<str>, Arc<Semaphore>>>,
}

/// No place became free in time.
#[derive(Debug, thiserror::Error)]
#[error("{0} requests are on their way to this host already; see `max_per_host`")]
struct Full(usize);

impl Hosts {
    /// Hosts that take `most` requests at once, and one at least.
    pub(super) fn taking(most: usize) -> Self {
        Self { most: most.clamp(1, Semaphore::MAX_PERMITS), busy: Mutex::default() }
    }

    /// A place among the requests on their way to the host of `url`; dropping it gives it back.
    pub(super) async fn place(
        &self,
        url: &EndpointUrl,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, TransportError> {
        let places = self.at(name(url));
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            return Ok(place);
        }
        // Boxed: it is rare, and every exchange would carry its room.
        match Box::pin(timeout_at(deadline, places.acquire_owned())).await {
            Ok(Ok(place)) => Ok(place),
            // Nobody closes it, so it is the time that ran out.
            _ => Err(TransportError::because(TransportErrorKind::Local, Full(self.most))),
        }
    }

    fn at(&self, name: &str) -> Arc<Semaphore> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = busy.get(name) {
            return Arc::clone(places);
        }
        if busy.len() >= MANY {
            // Whoever is there, or waits, holds it as well.
            busy.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let places = Arc::new(Semaphore::new(self.most));
        busy.insert(name.into(), Arc::clone(&places));
        places
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

    use super::*;

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
        let first = hosts.place(&url("https://a.example/1"), soon()).await.unwrap();
        let _second = hosts.place(&url("https://a.example:8443/2"), soon()).await.unwrap();
        let full = hosts.place(&url("https://a.example/3"), soon()).await.unwrap_err();
        assert_eq!(full.kind(), TransportErrorKind::Local);
        assert!(hosts.place(&url("https://b.example/"), soon()).await.is_ok());

        let third = url("https://a.example/3");
        let waits = hosts.place(&third, soon());
        let leaves = async { drop(first) };
        assert!(tokio::join!(waits, leaves).0.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_where_nobody_is_are_forgotten() {
        let hosts = Hosts::taking(1);
        let kept = hosts.place(&url("https://kept.example/"), soon()).await.unwrap();
        for n in 0..3 * MANY {
            drop(hosts.place(&url(&format!("https://h{n}.example/")), soon()).await.unwrap());
        }
        assert!(hosts.busy.lock().unwrap().len() <= MANY);
        assert!(hosts.place(&url("https://kept.example/"), soon()).await.is_err());
        drop(kept);
    }
}
