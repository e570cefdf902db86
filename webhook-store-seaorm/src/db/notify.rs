//! Hints from process to process that there may be work: PostgreSQL's `LISTEN` and `NOTIFY`.
//!
//! A hint saves the wait for the next poll, and nothing depends on it. A `NOTIFY` takes a lock on the
//! whole database server at its commit, so a process sends a few a second at most, outside of the
//! transactions that store the work.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

#[cfg(feature = "postgres")]
use crate::db::raw_sqlx::failed;
use crate::db::{pools::OpenPool, reconnect::ReconnectGate, sql::quoted};

/// The shortest time between two hints of a process.
const PAUSE: Duration = Duration::from_millis(250);

/// How long the listener waits after its connection was lost.
const LOST: Duration = Duration::from_secs(5);

/// What a process says and hears.
pub(crate) struct Hints {
    wire: Option<Wire>,
    heard: Arc<Notify>,
    listener: Mutex<Option<JoinHandle<()>>>,
    last: Mutex<Option<Instant>>,
    /// Whether one is on its way.
    saying: AtomicBool,
}

/// How hints travel.
pub(crate) struct Wire {
    /// Opens a pool of one connection that does nothing but listen.
    pub(crate) open: OpenPool,
    pub(crate) channel: String,
    /// Passed before a connection is opened.
    pub(crate) gate: Arc<ReconnectGate>,
}

impl Hints {
    pub(crate) fn over(wire: Option<Wire>) -> Self {
        Self {
            wire,
            heard: Arc::default(),
            listener: Mutex::default(),
            last: Mutex::default(),
            saying: AtomicBool::new(false),
        }
    }

    /// Tells the other processes, now or a moment later. One that is on its way tells of this as well.
    pub(crate) fn say(self: &Arc<Self>, pool: DatabaseConnection) {
        let (Some(wire), Ok(runtime)) = (&self.wire, Handle::try_current()) else { return };
        if self.saying.swap(true, Ordering::AcqRel) {
            return;
        }
        let sql = format!("SELECT pg_notify({}, '')", quoted(&wire.channel, '\''));
        let on_its_way = OnItsWay(Arc::clone(self));
        runtime.spawn(async move {
            if let Some(next) = on_its_way.0.next() {
                sleep_until(next).await;
            }
            // Before it is sent: what is stored from now on needs another.
            drop(on_its_way);
            if let Err(error) = pool.execute_unprepared(&sql).await {
                tracing::debug!(%error, "could not hint that there is work");
            }
        });
    }

    /// When the next one may go out, which is hereby taken.
    fn next(&self) -> Option<Instant> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let next = last.map(|last| last + PAUSE).filter(|next| *next > now);
        *last = Some(next.unwrap_or(now));
        next
    }

    /// Returns when there may be work; never, without a wire.
    pub(crate) async fn heard(&self) {
        self.listen(false);
        if self.wire.is_none() {
            return std::future::pending().await;
        }
        self.heard.notified().await;
    }

    /// Listens on a new connection, if it listened at all: the present one may be dead.
    pub(crate) fn renew(&self) {
        let listens = self.listener.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if listens {
            self.listen(true);
        }
    }

    #[cfg(feature = "postgres")]
    fn listen(&self, anew: bool) {
        let Some(wire) = &self.wire else { return };
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        // It ends with the runtime that it began on.
        if let Some(present) = listener.take_if(|present| anew || present.is_finished()) {
            present.abort();
        }
        if listener.is_none() {
            let (pool, channel, gate) =
                ((wire.open)(), wire.channel.clone(), Arc::clone(&wire.gate));
            *listener = Some(tokio::spawn(listen(pool, channel, gate, Arc::clone(&self.heard))));
        }
    }

    #[cfg(not(feature = "postgres"))]
    const fn listen(&self, _: bool) {}
}

/// A hint that waits for its turn. Should its runtime end before, the next one may go.
struct OnItsWay(Arc<Hints>);

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.saying.store(false, Ordering::Release);
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = listener.take() {
            listener.abort();
        }
    }
}

impl fmt::Debug for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hints").field("travel", &self.wire.is_some()).finish_non_exhaustive()
    }
}

/// Listens for ever.
#[cfg(feature = "postgres")]
async fn listen(
    pool: DatabaseConnection,
    channel: String,
    gate: Arc<ReconnectGate>,
    heard: Arc<Notify>,
) {
    use sea_orm::sqlx::postgres::PgListener;

    loop {
        let listener = PgListener::connect_with(pool.get_postgres_connection_pool());
        let listener = async { listener.await.map_err(failed) };
        match gate.pass(|| true, listener).await {
            Ok(mut listener) => {
                // It would look for the database by itself, as often as it likes.
                listener.eager_reconnect(false);
                let mut listens = listener.listen(&channel).await.is_ok();
                while listens {
                    // At first as well: something may have been said before anybody listened.
                    heard.notify_one();
                    listens = matches!(listener.try_recv().await, Ok(Some(_)));
                }
                gate.trip();
                tracing::debug!("the connection that listens for hints was lost");
            }
            Err(error) => tracing::debug!(%error, "cannot listen for hints; polling"),
        }
        sleep(LOST).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn hints_keep_their_distance_and_the_first_one_goes_at_once() {
        let hints = Hints::over(None);
        assert_eq!(hints.next(), None);
        let second = hints.next().unwrap();
        assert_eq!(second, Instant::now() + PAUSE);
        assert_eq!(hints.next(), Some(second + PAUSE));
        tokio::time::advance(PAUSE * 3).await;
        assert_eq!(hints.next(), None);
    }

    #[test]
    fn a_hint_that_dies_with_its_runtime_keeps_no_other_from_being_said() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let open: OpenPool = Box::new(DatabaseConnection::default);
        let gate = Arc::new(ReconnectGate::new(None));
        let wire = Wire { open, channel: "work".to_owned(), gate };
        let hints = Arc::new(Hints::over(Some(wire)));
        let first = runtime();
        first.block_on(async { hints.say(DatabaseConnection::default()) });
        assert!(hints.saying.load(Ordering::Acquire));
        drop(first);
        assert!(!hints.saying.load(Ordering::Acquire));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_wire_nothing_is_ever_heard() {
        let hints = Hints::over(None);
        assert!(tokio::time::timeout(PAUSE * 1000, hints.heard()).await.is_err());
    }
}
