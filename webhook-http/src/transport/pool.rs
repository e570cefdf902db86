//! Connections kept for a moment, by origin.
//!
//! Deliveries to one receiver come in bursts, and a new TLS connection costs more than the request.
//! But a kept connection may be closed by the other side at any time, so it is kept only briefly,
//! read from before it is written to, and the freshest is taken first.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::connection::Connection;

/// How long a connection is kept: less than the 5 s after which Node.js closes it.
const KEEP: Duration = Duration::from_secs(3);
/// How many are kept in all: a fraction of the file descriptors a process may have.
const MAX_KEPT: usize = 256;
/// How often connections that nobody took are closed.
const SWEEP: Duration = Duration::from_secs(1);

/// The idle connections.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    /// By scheme, host, port, and what secures them, the freshest last: two customers must not share a
    /// connection that speaks for one of them.
    idle: HashMap<Box<str>, VecDeque<Idle>>,
    kept: usize,
    swept: bool,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Idle {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < KEEP
    }
}

impl Pool {
    /// The freshest connection to `origin`; those kept too long are closed.
    pub(super) fn take(&self, origin: &str) -> Option<Connection> {
        loop {
            let idle = self.pop(origin)?;
            if idle.is_fresh() && idle.connection.is_at_home() {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps `connection` for the next request to `origin`, if it can take one.
    pub(super) fn put(&self, origin: &str, mut connection: Connection) {
        if !connection.rest() {
            return;
        }
        let idle = Idle { connection, since: Instant::now() };
        let mut shelf = lock(&self.0);
        let overflow = shelf.push(origin, idle);
        let sweep = !std::mem::replace(&mut shelf.swept, true);
        drop(shelf);
        drop(overflow);
        if sweep {
            tokio::spawn(sweep_while_filled(Sweeper(Arc::downgrade(&self.0))));
        }
    }

    fn pop(&self, origin: &str) -> Option<Idle> {
        let mut shelf = lock(&self.0);
        let idle = shelf.idle.get_mut(origin)?.pop_back()?;
        shelf.kept = shelf.kept.saturating_sub(1);
        Some(idle)
    }
}

impl Shelf {
    /// Adds a connection; a full shelf gives it back. An origin has no more of them than its host may have
    /// requests at once.
    fn push(&mut self, origin: &str, idle: Idle) -> Option<Idle> {
        if self.kept >= MAX_KEPT {
            return Some(idle);
        }
        self.kept += 1;
        match self.idle.get_mut(origin) {
            Some(kept) => kept.push_back(idle),
            None => drop(self.idle.insert(origin.into(), VecDeque::from([idle]))),
        }
        None
    }

    /// Takes out all that have been kept too long.
    fn expire(&mut self) -> Vec<Idle> {
        let mut expired = Vec::new();
        self.idle.retain(|_, kept| {
            let stale = kept.iter().take_while(|idle| !idle.is_fresh()).count();
            expired.extend(kept.drain(..stale));
            !kept.is_empty()
        });
        self.kept = self.kept.saturating_sub(expired.len());
        expired
    }
}

/// Says that nobody sweeps any more, also when its runtime ends under it.
struct Sweeper(Weak<Mutex<Shelf>>);

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(shelf) = self.0.upgrade() {
            lock(&shelf).swept = false;
        }
    }
}

/// Closes what nobody takes, and ends once nothing is left or the pool is gone.
async fn sweep_while_filled(sweeper: Sweeper) {
    loop {
        sleep(SWEEP).await;
        let Some(shelf) = sweeper.0.upgrade() else { return };
        let mut guard = lock(&shelf);
        let expired = guard.expire();
        guard.swept = !guard.idle.is_empty();
        let filled = guard.swept;
        drop(guard);
        drop(expired);
        if !filled {
            return;
        }
    }
}

/// A panic elsewhere leaves the shelf as it was: every change to it is one step.
fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
