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

/// How long a connection is kept: less than the 5 s after which Node.js closes it.
const KEEP: Duration = Duration::from_secs(3);
/// How many are kept of all hosts together: a fraction of the file descriptors a process may have.
const MAX_KEPT: usize = 256;
/// How often connections that nobody took are closed.
const SWEEP: Duration = Duration::from_secs(1);

/// What the pools of all hosts share: room for their connections, and who closes those that nobody took.
#[derive(Clone, Debug, Default)]
pub(super) struct Room(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    taken: AtomicUsize,
    is_swept: AtomicBool,
    /// Those that may hold something.
    filled: Mutex<Vec<Weak<Mutex<Shelf>>>>,
}

impl Room {
    /// Room for one more, given back when dropped.
    fn take(&self) -> Option<Taken> {
        let more = |taken: usize| (taken < MAX_KEPT).then_some(taken + 1);
        self.0.taken.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Taken(self.clone()))
    }

    /// Sees to it that somebody sweeps. The runtime of whoever did may have ended.
    fn sweep(&self) {
        if !self.0.is_swept.load(Relaxed) && !self.0.is_swept.swap(true, Relaxed) {
            tokio::spawn(sweep_while_filled(Sweeper(Arc::downgrade(&self.0))));
        }
    }
}

struct Taken(Room);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.0.taken.fetch_sub(1, Relaxed);
    }
}

/// The idle connections of a host.
pub(super) struct Pool {
    shelf: Arc<Mutex<Shelf>>,
    room: Room,
}

#[derive(Default)]
struct Shelf {
    /// By scheme, host, port, and what secures them, the freshest last: two customers must not share a
    /// connection that speaks for one of them.
    idle: BTreeMap<Box<str>, VecDeque<Idle>>,
    /// Whether it is among those that are swept.
    is_listed: bool,
}

struct Idle {
    connection: Connection,
    since: Instant,
    _room: Taken,
}

impl Idle {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < KEEP
    }
}

impl Pool {
    /// A pool that shares `room` with others.
    pub(super) fn within(room: Room) -> Self {
        Self { shelf: Arc::default(), room }
    }

    /// The freshest connection to `origin`; those kept too long are closed.
    pub(super) fn take(&self, origin: &str) -> Option<Connection> {
        loop {
            let idle = lock(&self.shelf).idle.get_mut(origin)?.pop_back()?;
            if idle.is_fresh() && idle.connection.belongs_to_this_runtime() {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps `connection` for the next request to `origin`, if it can take one and there is room. An origin
    /// has no more of them than its host may have requests at once.
    pub(super) fn put(&self, origin: &str, mut connection: Connection) {
        if !connection.end_exchange() {
            return;
        }
        let Some(room) = self.room.take() else { return };
        let idle = Idle { connection, since: Instant::now(), _room: room };
        let mut shelf = lock(&self.shelf);
        shelf.push(origin, idle);
        let was_listed = std::mem::replace(&mut shelf.is_listed, true);
        drop(shelf);
        if !was_listed {
            lock(&self.room.0.filled).push(Arc::downgrade(&self.shelf));
        }
        self.room.sweep();
    }

    /// Whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.shelf).idle.values().all(VecDeque::is_empty)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Shelf {
    fn push(&mut self, origin: &str, idle: Idle) {
        match self.idle.get_mut(origin) {
            Some(kept) => kept.push_back(idle),
            None => drop(self.idle.insert(origin.into(), VecDeque::from([idle]))),
        }
    }

    /// Takes out all that have been kept too long. With nothing left it is listed no more.
    fn expire(&mut self) -> Vec<Idle> {
        let mut expired = Vec::new();
        self.idle.retain(|_, kept| {
            let stale = kept.iter().take_while(|idle| !idle.is_fresh()).count();
            expired.extend(kept.drain(..stale));
            !kept.is_empty()
        });
        self.is_listed = !self.idle.is_empty();
        expired
    }
}

/// Says that nobody sweeps any more, also when its runtime ends under it.
struct Sweeper(Weak<Shared>);

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.is_swept.store(false, Relaxed);
        }
    }
}

/// Closes what nobody takes, and ends once nothing is left or the pools are gone.
async fn sweep_while_filled(sweeper: Sweeper) {
    loop {
        sleep(SWEEP).await;
        let Some(shared) = sweeper.0.upgrade() else { return };
        let mut expired = Vec::new();
        let mut filled = lock(&shared.filled);
        filled.retain(|shelf| {
            let Some(shelf) = shelf.upgrade() else { return false };
            let mut shelf = lock(&shelf);
            expired.extend(shelf.expire());
            shelf.is_listed
        });
        if filled.is_empty() {
            // Under the lock: whoever lists a shelf next finds that nobody sweeps.
            drop(sweeper);
            return;
        }
        drop(filled);
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
        let room = Room::default();
        let (mut pools, mut others) = (Vec::new(), Vec::new());
        for _ in 0..=MAX_KEPT {
            let (ours, theirs) = tokio::io::duplex(64);
            let pool = Pool::within(room.clone());
            pool.put("origin", Connection::open(ours).await.unwrap());
            pools.push(pool);
            others.push(theirs);
        }
        let last = pools.pop().unwrap();
        assert!(last.is_empty() && pools.iter().all(|pool| !pool.is_empty()));

        drop(pools.pop());
        let (ours, _theirs) = tokio::io::duplex(64);
        last.put("origin", Connection::open(ours).await.unwrap());
        assert!(last.take("origin").is_some(), "whoever is gone gives its room back");
    }

    #[test]
    fn what_an_ended_runtime_kept_is_closed_by_whoever_keeps_next_at_any_host() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true);
        let (here, there) = (runtime.build().unwrap(), runtime.build().unwrap());
        let room = Room::default();
        let (one, other) = (Pool::within(room.clone()), Pool::within(room.clone()));
        let (ours, _theirs) = tokio::io::duplex(64);
        here.block_on(async { one.put("origin", Connection::open(ours).await.unwrap()) });
        // Takes the task along that was sweeping.
        drop(here);
        assert!(!one.is_empty());
        there.block_on(async {
            let (ours, _theirs) = tokio::io::duplex(64);
            other.put("origin", Connection::open(ours).await.unwrap());
            sleep(KEEP + 2 * SWEEP).await;
        });
        assert!(one.is_empty() && other.is_empty());
        assert_eq!(room.0.taken.load(Relaxed), 0);
        assert!(!room.0.is_swept.load(Relaxed), "with nothing left there is nothing to do");
    }
}
