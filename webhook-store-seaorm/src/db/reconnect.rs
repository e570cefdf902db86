//! Circuit breaker for connections: while the database is unreachable, one caller at a time probes
//! it.
//!
//! A pool would retry a refused connection after 10 ms, 20 ms, 40 ms, for each caller that waits.
//! So a caller that may have to open a connection first passes this gate, which probes at most once
//! a second.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sea_orm::{ConnAcquireErr, DbErr};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until, timeout},
};

/// Shortest time between two failed probes.
const MIN_PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Longest time that a caller waits for the probes of others.
const MAX_PROBE_WAIT: Duration = Duration::from_secs(10);

/// Opens one connection and closes it.
pub(crate) type Probe =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), DbErr>> + Send>> + Send + Sync>;

/// Gate before the connections. It is open until a connection is lost; then it is half open: one
/// caller at a time probes the database, and the first success opens the gate.
pub(crate) struct ReconnectGate {
    /// `None` if there is no network between the store and the database.
    probe: Option<Probe>,
    half_open: AtomicBool,
    /// Time of the last failed probe; `None` after a success. Held by the caller that probes.
    failed_at: Mutex<Option<Instant>>,
}

impl ReconnectGate {
    #[allow(dead_code, reason = "what is used depends on the databases compiled in")]
    pub(crate) const fn new(probe: Option<Probe>) -> Self {
        Self { probe, half_open: AtomicBool::new(false), failed_at: Mutex::const_new(None) }
    }

    /// Makes callers pass one at a time until one of them succeeds. Called after a connection was
    /// lost, because the database may be unreachable.
    pub(crate) fn trip(&self) {
        self.half_open.store(true, Ordering::Release);
    }

    /// Runs `begin`, which takes a connection. If the gate is half open, or no connection is open,
    /// it runs after those before it, and after a successful probe.
    pub(crate) async fn pass<T>(
        &self,
        none_is_open: impl Fn() -> bool,
        begin: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let may_pass = || !none_is_open() && !self.is_half_open();
        if may_pass() {
            return begin.await;
        }
        let late = || DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        let waited = timeout(MAX_PROBE_WAIT, self.failed_at.lock()).await;
        let mut failed_at = waited.map_err(|_| late())?;
        // The caller before this one may have succeeded.
        if may_pass() {
            drop(failed_at);
            return begin.await;
        }
        if let Some(last) = *failed_at {
            sleep_until(last + MIN_PROBE_INTERVAL).await;
        }
        let begun = match &self.probe {
            Some(probe) => match probe().await {
                Ok(()) => begin.await,
                Err(error) => Err(error),
            },
            None => begin.await,
        };
        match &begun {
            Ok(_) => {
                self.half_open.store(false, Ordering::Release);
                *failed_at = None;
            }
            Err(DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) => {
                self.trip();
                *failed_at = Some(Instant::now());
            }
            // The pool had another broken connection; the next one may work.
            Err(_) => {}
        }
        begun
    }

    fn is_half_open(&self) -> bool {
        self.half_open.load(Ordering::Acquire)
    }
}

impl fmt::Debug for ReconnectGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectGate")
            .field("half_open", &self.is_half_open())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicUsize};

    use super::*;

    fn unreachable() -> DbErr {
        DbErr::Conn(sea_orm::RuntimeErr::Internal("unreachable".into()))
    }

    /// A gate, the number of its probes, and a flag that makes the database reachable.
    fn new_gate() -> (Arc<ReconnectGate>, Arc<AtomicUsize>, Arc<AtomicBool>) {
        let (probes, reachable) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, is_reachable) = (Arc::clone(&probes), Arc::clone(&reachable));
        let probe: Probe = Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let result = is_reachable.load(Ordering::SeqCst).then_some(()).ok_or_else(unreachable);
            Box::pin(std::future::ready(result))
        });
        (Arc::new(ReconnectGate::new(Some(probe))), probes, reachable)
    }

    #[tokio::test(start_paused = true)]
    async fn an_unreachable_database_is_probed_once_a_second() {
        for none_is_open in [false, true] {
            let (gate, probes, reachable) = new_gate();
            if !none_is_open {
                gate.trip();
            }
            let mut units = tokio::task::JoinSet::new();
            for _ in 0..5 {
                let gate = Arc::clone(&gate);
                units.spawn(async move {
                    loop {
                        let pool = async { panic!("a pool connects without a probe") };
                        gate.pass::<()>(|| none_is_open, pool).await.unwrap_err();
                    }
                });
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
            units.shutdown().await;
            let probed = probes.load(Ordering::SeqCst);
            assert!((10..=20).contains(&probed), "{probed}");
            reachable.store(true, Ordering::SeqCst);
            gate.pass(|| false, async { Ok(()) }).await.unwrap();
            let began = Instant::now();
            gate.pass(|| none_is_open, async { Ok(()) }).await.unwrap();
            assert_eq!(began.elapsed(), Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_waited_do_not_probe_once_a_connection_is_open() {
        let (gate, probes, reachable) = new_gate();
        reachable.store(true, Ordering::SeqCst);
        let is_open = Arc::<AtomicBool>::default();
        let mut units = tokio::task::JoinSet::new();
        for _ in 0..300 {
            let (gate, is_open) = (Arc::clone(&gate), Arc::clone(&is_open));
            units.spawn(async move {
                let opened = async {
                    // The others arrive in the meantime.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    is_open.store(true, Ordering::SeqCst);
                    Ok(())
                };
                gate.pass(|| !is_open.load(Ordering::SeqCst), opened).await
            });
        }
        assert!(units.join_all().await.iter().all(Result::is_ok));
        assert_eq!(probes.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn open_connections_need_no_probe() {
        let (gate, probes, _) = new_gate();
        gate.pass(|| false, async { Ok(()) }).await.unwrap();
        assert_eq!(probes.load(Ordering::SeqCst), 0);
    }
}
