//! Connections to one host, kept for a moment, by origin.
//!
//! Deliveries to one receiver come in bursts, and a new TLS connection costs more than the request.
//! But a kept connection may be closed by the other side at any time, so it is kept only briefly,
//! read from before it is written to, and the freshest is taken first.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::connection::Connection;

/// Time that an idle connection is kept: less than the 5 s after which Node.js closes it.
const MAX_IDLE_TIME: Duration = Duration::from_secs(3);
/// Idle connections of all hosts together: a fraction of the file descriptors a process may have.
const MAX_IDLE_CONNECTIONS: usize = 256;
/// Time between two searches for connections that were idle for too long.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Limit on idle connections that the pools of all hosts share, and the task that closes old ones.
#[derive(Clone, Debug, Default)]
pub(super) struct PoolBudget(Arc<BudgetState>);

#[derive(Debug, Default)]
struct BudgetState {
    used: AtomicUsize,
    has_sweeper: AtomicBool,
    /// Pools that may have idle connections.
    pools_with_idle: Mutex<Vec<Weak<Mutex<IdleConnections>>>>,
}

impl PoolBudget {
    /// Takes a permit for one more connection, released when dropped.
    fn take(&self) -> Option<BudgetPermit> {
        let more = |used: usize| (used < MAX_IDLE_CONNECTIONS).then_some(used + 1);
        self.0.used.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(BudgetPermit(self.clone()))
    }

    /// Starts a sweeper if none runs: the runtime of the last one may have ended.
    fn start_sweeper(&self) {
        if !self.0.has_sweeper.load(Relaxed) && !self.0.has_sweeper.swap(true, Relaxed) {
            tokio::spawn(sweep_until_empty(Sweeper(Arc::downgrade(&self.0))));
        }
    }
}

struct BudgetPermit(PoolBudget);

impl Drop for BudgetPermit {
    fn drop(&mut self) {
        self.0.0.used.fetch_sub(1, Relaxed);
    }
}

/// The idle connections of a host.
pub(super) struct Pool {
    connections: Arc<Mutex<IdleConnections>>,
    budget: PoolBudget,
}

#[derive(Default)]
struct IdleConnections {
    /// By scheme, host, port and TLS client, the newest last: two customers must not share a
    /// connection that is authenticated as one of them.
    by_origin: BTreeMap<Box<str>, VecDeque<IdleConnection>>,
    /// True if the sweeper knows it.
    is_listed: bool,
}

struct IdleConnection {
    connection: Connection,
    since: Instant,
    _permit: BudgetPermit,
}

impl IdleConnection {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < MAX_IDLE_TIME
    }
}

impl Pool {
    /// Creates a pool that shares `budget` with others.
    pub(super) fn new(budget: PoolBudget) -> Self {
        Self { connections: Arc::default(), budget }
    }

    /// The freshest connection to `origin`; those kept too long are closed.
    pub(super) fn take(&self, origin: &str) -> Option<Connection> {
        loop {
            let idle = lock(&self.connections).by_origin.get_mut(origin)?.pop_back()?;
            if idle.is_fresh() && idle.connection.belongs_to_this_runtime() {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps `connection` for the next request to `origin`, if it can be used again and the budget
    /// permits. An origin has at most as many of them as its host may have concurrent requests.
    pub(super) fn put(&self, origin: &str, mut connection: Connection) {
        if !connection.end_exchange() {
            return;
        }
        let Some(permit) = self.budget.take() else { return };
        let idle = IdleConnection { connection, since: Instant::now(), _permit: permit };
        let mut connections = lock(&self.connections);
        connections.push(origin, idle);
        let was_listed = std::mem::replace(&mut connections.is_listed, true);
        drop(connections);
        if !was_listed {
            lock(&self.budget.0.pools_with_idle).push(Arc::downgrade(&self.connections));
        }
        self.budget.start_sweeper();
    }

    /// True if the pool keeps no connection.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.connections).by_origin.values().all(VecDeque::is_empty)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl IdleConnections {
    fn push(&mut self, origin: &str, idle: IdleConnection) {
        match self.by_origin.get_mut(origin) {
            Some(kept) => kept.push_back(idle),
            None => drop(self.by_origin.insert(origin.into(), VecDeque::from([idle]))),
        }
    }

    /// Removes all connections that were idle for too long. An empty list leaves the sweeper.
    fn expire(&mut self) -> Vec<IdleConnection> {
        let mut expired = Vec::new();
        self.by_origin.retain(|_, kept| {
            let stale = kept.iter().take_while(|idle| !idle.is_fresh()).count();
            expired.extend(kept.drain(..stale));
            !kept.is_empty()
        });
        self.is_listed = !self.by_origin.is_empty();
        expired
    }
}

/// Records the end of the sweeper, including an end of its runtime.
struct Sweeper(Weak<BudgetState>);

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.has_sweeper.store(false, Relaxed);
        }
    }
}

/// Closes old connections until none is left or the pools are dropped.
async fn sweep_until_empty(sweeper: Sweeper) {
    loop {
        sleep(SWEEP_INTERVAL).await;
        let Some(shared) = sweeper.0.upgrade() else { return };
        let mut expired = Vec::new();
        let mut pools_with_idle = lock(&shared.pools_with_idle);
        pools_with_idle.retain(|connections| {
            let Some(connections) = connections.upgrade() else { return false };
            let mut connections = lock(&connections);
            expired.extend(connections.expire());
            connections.is_listed
        });
        if pools_with_idle.is_empty() {
            // Under the lock: the next pool with a connection starts a new sweeper.
            drop(sweeper);
            return;
        }
        drop(pools_with_idle);
        drop(expired);
    }
}

/// A panic elsewhere leaves what is locked as it was: every change to it is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_hosts_together_keep_no_more_than_there_is_room_for() {
        let budget = PoolBudget::default();
        let (mut pools, mut others) = (Vec::new(), Vec::new());
        for _ in 0..=MAX_IDLE_CONNECTIONS {
            let (ours, theirs) = tokio::io::duplex(64);
            let pool = Pool::new(budget.clone());
            pool.put("origin", Connection::open(ours).await.unwrap());
            pools.push(pool);
            others.push(theirs);
        }
        let last = pools.pop().unwrap();
        assert!(last.is_empty() && pools.iter().all(|pool| !pool.is_empty()));

        drop(pools.pop());
        let (ours, _theirs) = tokio::io::duplex(64);
        last.put("origin", Connection::open(ours).await.unwrap());
        assert!(last.take("origin").is_some(), "a dropped pool releases its permits");
    }

    #[test]
    fn what_an_ended_runtime_kept_is_closed_by_whoever_keeps_next_at_any_host() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true);
        let (here, there) = (runtime.build().unwrap(), runtime.build().unwrap());
        let budget = PoolBudget::default();
        let (one, other) = (Pool::new(budget.clone()), Pool::new(budget.clone()));
        let (ours, _theirs) = tokio::io::duplex(64);
        here.block_on(async { one.put("origin", Connection::open(ours).await.unwrap()) });
        // Takes the task along that was sweeping.
        drop(here);
        assert!(!one.is_empty());
        there.block_on(async {
            let (ours, _theirs) = tokio::io::duplex(64);
            other.put("origin", Connection::open(ours).await.unwrap());
            sleep(MAX_IDLE_TIME + 2 * SWEEP_INTERVAL).await;
        });
        assert!(one.is_empty() && other.is_empty());
        assert_eq!(budget.0.used.load(Relaxed), 0);
        assert!(!budget.0.has_sweeper.load(Relaxed), "with nothing left there is nothing to do");
    }
}
