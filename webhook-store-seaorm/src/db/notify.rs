//! Notifications between processes that there may be work, by `LISTEN` and `NOTIFY` of PostgreSQL.
//!
//! A notification saves the wait for the next poll, and nothing depends on it. The commit of a
//! `NOTIFY` takes a lock on the whole database server. A process therefore sends a few a second at
//! most, outside of the transactions that store the work.

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

/// Shortest time between two notifications of a process.
const MIN_NOTIFY_INTERVAL: Duration = Duration::from_millis(250);

/// Pause of the listener after its connection was lost.
const RELISTEN_PAUSE: Duration = Duration::from_secs(5);

/// Sends and receives the notifications of a process.
pub(crate) struct Notifier {
    /// `None` if the database has no notifications.
    channel: Option<NotifyChannel>,
    received: Arc<Notify>,
    listener: Mutex<Option<JoinHandle<()>>>,
    /// Time of the last notification, which may be in the future.
    last_sent: Mutex<Option<Instant>>,
    /// True while a notification waits to be sent.
    is_pending: AtomicBool,
}

/// Channel of the notifications of one store.
pub(crate) struct NotifyChannel {
    /// Opens a pool of one connection that only listens.
    pub(crate) open: OpenPool,
    pub(crate) name: String,
    /// Passed before a connection is opened.
    pub(crate) gate: Arc<ReconnectGate>,
}

impl Notifier {
    pub(crate) fn new(channel: Option<NotifyChannel>) -> Self {
        Self {
            channel,
            received: Arc::default(),
            listener: Mutex::default(),
            last_sent: Mutex::default(),
            is_pending: AtomicBool::new(false),
        }
    }

    /// Notifies the other processes, within [`MIN_NOTIFY_INTERVAL`]. A pending notification covers
    /// this call as well.
    pub(crate) fn notify(self: &Arc<Self>, pool: DatabaseConnection) {
        let (Some(channel), Ok(runtime)) = (&self.channel, Handle::try_current()) else { return };
        if self.is_pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let sql = format!("SELECT pg_notify({}, '')", quoted(&channel.name, '\''));
        let pending = PendingNotification(Arc::clone(self));
        runtime.spawn(async move {
            if let Some(next) = pending.0.next_send() {
                sleep_until(next).await;
            }
            // Before it is sent, because work that is stored from now on needs another one.
            drop(pending);
            if let Err(error) = pool.execute_unprepared(&sql).await {
                tracing::debug!(%error, "could not notify other processes of work");
            }
        });
    }

    /// Reserves the next notification, and returns its time; `None` for now.
    fn next_send(&self) -> Option<Instant> {
        let mut last = self.last_sent.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let next = last.map(|last| last + MIN_NOTIFY_INTERVAL).filter(|next| *next > now);
        *last = Some(next.unwrap_or(now));
        next
    }

    /// Waits until another process notifies of work; forever if there is no channel.
    pub(crate) async fn notified(&self) {
        self.listen(false);
        if self.channel.is_none() {
            return std::future::pending().await;
        }
        self.received.notified().await;
    }

    /// Replaces the connection of the listener, if there is one, because it may be dead.
    pub(crate) fn relisten(&self) {
        let listens = self.listener.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if listens {
            self.listen(true);
        }
    }

    #[cfg(feature = "postgres")]
    fn listen(&self, replace: bool) {
        let Some(channel) = &self.channel else { return };
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        // A listener ends with the runtime on which it was started.
        if let Some(present) = listener.take_if(|present| replace || present.is_finished()) {
            present.abort();
        }
        if listener.is_none() {
            let (pool, name, gate) =
                ((channel.open)(), channel.name.clone(), Arc::clone(&channel.gate));
            *listener = Some(tokio::spawn(listen(pool, name, gate, Arc::clone(&self.received))));
        }
    }

    #[cfg(not(feature = "postgres"))]
    const fn listen(&self, _: bool) {}
}

/// A notification that waits to be sent. If its runtime ends before, another one may be sent.
struct PendingNotification(Arc<Notifier>);

impl Drop for PendingNotification {
    fn drop(&mut self) {
        self.0.is_pending.store(false, Ordering::Release);
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = listener.take() {
            listener.abort();
        }
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier")
            .field("has_channel", &self.channel.is_some())
            .finish_non_exhaustive()
    }
}

/// Listens until the task is aborted.
#[cfg(feature = "postgres")]
async fn listen(
    pool: DatabaseConnection,
    channel: String,
    gate: Arc<ReconnectGate>,
    received: Arc<Notify>,
) {
    use sea_orm::sqlx::postgres::PgListener;

    loop {
        let listener = PgListener::connect_with(pool.get_postgres_connection_pool());
        let listener = async { listener.await.map_err(failed) };
        match gate.pass(|| true, listener).await {
            Ok(mut listener) => {
                // It would reconnect on its own, without the gate.
                listener.eager_reconnect(false);
                let mut listens = listener.listen(&channel).await.is_ok();
                while listens {
                    // After `LISTEN` as well: a notification may have been sent before.
                    received.notify_one();
                    listens = matches!(listener.try_recv().await, Ok(Some(_)));
                }
                gate.trip();
                tracing::debug!("the connection that listens for notifications was lost");
            }
            Err(error) => tracing::debug!(%error, "cannot listen for notifications; polling"),
        }
        sleep(RELISTEN_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn notifications_keep_their_interval_and_the_first_is_immediate() {
        let notifier = Notifier::new(None);
        assert_eq!(notifier.next_send(), None);
        let second = notifier.next_send().unwrap();
        assert_eq!(second, Instant::now() + MIN_NOTIFY_INTERVAL);
        assert_eq!(notifier.next_send(), Some(second + MIN_NOTIFY_INTERVAL));
        tokio::time::advance(MIN_NOTIFY_INTERVAL * 3).await;
        assert_eq!(notifier.next_send(), None);
    }

    #[test]
    fn a_notification_lost_with_its_runtime_blocks_no_other() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let open: OpenPool = Box::new(DatabaseConnection::default);
        let gate = Arc::new(ReconnectGate::new(None));
        let channel = NotifyChannel { open, name: "work".to_owned(), gate };
        let notifier = Arc::new(Notifier::new(Some(channel)));
        let first = runtime();
        first.block_on(async { notifier.notify(DatabaseConnection::default()) });
        assert!(notifier.is_pending.load(Ordering::Acquire));
        drop(first);
        assert!(!notifier.is_pending.load(Ordering::Acquire));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_channel_there_is_no_notification() {
        let notifier = Notifier::new(None);
        assert!(
            tokio::time::timeout(MIN_NOTIFY_INTERVAL * 1000, notifier.notified()).await.is_err()
        );
    }
}
