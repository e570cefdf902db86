//! The store: the ports of `webhook-core` and the methods of its own, each as a unit of work.

mod ports;
mod sealing;
mod tables;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use webhook_core::StoreError;

use crate::{
    builder::SeaOrmStoreBuilder,
    db::{connect_error::ConnectError, database::Database, group_commit::GroupCommit, unit::Unit},
    schema::migrate::check_fit,
    work::{
        claim::UnreadableEndpoints,
        write::{WriteGroup, WriteItem, Written, write},
    },
};

/// A store in a database. Clones share everything.
///
/// Opening one changes nothing in the database; [`migrate`](Self::migrate) creates and updates the
/// tables. A store whose tables are missing or do not fit answers every call with
/// [`Schema`](webhook_core::StoreErrorKind::Schema).
///
/// It needs a running tokio runtime with time enabled.
#[derive(Clone)]
pub struct SeaOrmStore {
    pub(crate) inner: Arc<Inner>,
}

/// State that the clones of a store share.
pub(crate) struct Inner {
    pub(crate) database: Arc<Database>,
    /// Bytes that the body of an event may have when a caller's transaction brings it.
    pub(crate) max_body: usize,
    /// Whether the tables were found to fit. They do not stop to.
    ready: AtomicBool,
    /// Group commits of events and of outcomes: the same one if the database has a single writer.
    events: Arc<WriteGroup>,
    outcomes: Arc<WriteGroup>,
    unreadable: Arc<UnreadableEndpoints>,
    /// Size of the largest body that this process expects, in bytes: the limit for bodies, or more
    /// if it has met a larger one.
    largest_body: AtomicUsize,
}

impl Inner {
    /// Returns true if the bodies of `limit` events may exceed `max_bytes`.
    fn may_exceed(&self, limit: usize, max_bytes: usize) -> bool {
        limit.saturating_mul(self.largest_body.load(Ordering::Relaxed)) > max_bytes
    }

    /// Remembers the largest of these sizes.
    fn note_bodies(&self, sizes: impl Iterator<Item = usize>) {
        if let Some(largest) = sizes.max() {
            self.largest_body.fetch_max(largest, Ordering::Relaxed);
        }
    }
}

impl SeaOrmStore {
    /// Opens the database at `url` with the default settings.
    ///
    /// `sqlite://webhooks.db?mode=rwc` opens a file and creates it when it is missing;
    /// `sqlite::memory:` is a database that ends with the store.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] when it cannot be opened. It names the database, and never a password.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Settings for opening the database at `url`.
    pub fn builder(url: impl Into<String>) -> SeaOrmStoreBuilder {
        SeaOrmStoreBuilder::new(url.into())
    }

    pub(crate) fn new(database: Database, max_body: usize) -> Self {
        let writers = database.sql.dialect.writers();
        let group = || Arc::new(GroupCommit::new(database.limit, writers));
        let events = group();
        let outcomes = if writers == 1 { Arc::clone(&events) } else { group() };
        Self {
            inner: Arc::new(Inner {
                database: Arc::new(database),
                max_body,
                ready: AtomicBool::new(false),
                events,
                outcomes,
                unreadable: Arc::default(),
                largest_body: AtomicUsize::new(max_body),
            }),
        }
    }

    /// Closes the connections, after the work under way. Later calls fail.
    pub async fn close(&self) {
        self.inner.database.pools.close().await;
    }

    /// The connections that write. For tests that ask the database what it has read.
    #[cfg(feature = "__test-clock")]
    #[doc(hidden)]
    pub fn connection(&self) -> sea_orm::DatabaseConnection {
        self.inner.database.pools.writer()
    }

    /// Stops the store's clock at `now`. For tests.
    #[cfg(feature = "__test-clock")]
    #[doc(hidden)]
    pub fn set_clock(&self, now: webhook_core::Timestamp) {
        self.inner.database.set_clock(now);
    }

    /// How often a unit of work ran again, because something stopped it that passes. For tests.
    #[cfg(feature = "__test-clock")]
    #[doc(hidden)]
    pub fn runs_again(&self) -> u64 {
        self.inner.database.runs_again.load(Ordering::Relaxed)
    }

    /// What the database finds wrong with its own file: nothing, when it says `ok`. SQLite alone.
    #[cfg(feature = "__crash-points")]
    #[doc(hidden)]
    pub async fn check_integrity(&self) -> Result<String, sea_orm::DbErr> {
        use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
        let ask = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check");
        let row = self.inner.database.pools.writer().query_one_raw(ask).await?;
        row.map_or_else(|| Ok("no answer".to_owned()), |row| row.try_get_by_index(0))
    }

    /// The database, once its tables are known to fit.
    async fn ready(&self) -> Result<&Arc<Database>, StoreError> {
        let Inner { database, ready, .. } = &*self.inner;
        if !ready.load(Ordering::Acquire) {
            check_fit(database).await?;
            ready.store(true, Ordering::Release);
        }
        Ok(database)
    }

    /// Runs a unit of work on tables that are known to fit.
    async fn perform<U: Unit>(&self, unit: U) -> Result<U::Output, StoreError> {
        self.ready().await?.perform(unit).await
    }

    /// Writes a batch, possibly in one commit with those of other calls in this group.
    async fn write(
        &self,
        group: &Arc<WriteGroup>,
        batch: Vec<WriteItem>,
    ) -> Result<Vec<Written>, StoreError> {
        let store = self.clone();
        let commit = move |batch: Vec<WriteItem>| {
            let store = store.clone();
            async move { write(store.ready().await?, batch).await }
        };
        group.submit(batch, commit).await
    }
}

impl fmt::Debug for SeaOrmStore {
    /// Not the URL: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sql = &self.inner.database.sql;
        f.debug_struct("SeaOrmStore")
            .field("dialect", &sql.dialect)
            .field("schema", &sql.schema)
            .field("table_prefix", &sql.prefix)
            .finish_non_exhaustive()
    }
}
