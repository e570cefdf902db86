use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use webhook_core::{
    Backlog, ClaimDue, Claimed, ClaimedUnrouted, DeliveryStore, Enqueue, Enqueued, Finish,
    Finished, Lease, Route, Routed, StoreError, Timestamp,
};

use crate::{
    builder::SeaOrmStoreBuilder,
    db::{
        connect_error::ConnectError, dialect::Sql, group_commit::Gather, notify::Hints,
        pools::Pools, secret_columns::Safe, unit::Unit,
    },
    work::{
        backlog::CountBacklog,
        claim::{ClaimDeliveries, Unreadable},
        finish::ReleaseDeliveries,
        route::{ClaimEvents, RouteEvents},
        write::{InLine, Work, Written},
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

/// What the clones of a store share.
pub(crate) struct Inner {
    pub(crate) sql: Arc<Sql>,
    pub(crate) pools: Pools,
    pub(crate) hints: Arc<Hints>,
    /// How long a unit of work may take.
    pub(crate) limit: Duration,
    /// Bytes that the body of an event may have when a caller's transaction brings it.
    pub(crate) max_body: usize,
    /// What seals secrets.
    pub(crate) safe: Safe,
    /// Whether the tables were found to fit. They do not stop to.
    ready: AtomicBool,
    /// Where events stand in line, and where outcomes do: in the same, if one alone can write.
    events: Arc<InLine>,
    outcomes: Arc<InLine>,
    unreadable: Arc<Unreadable>,
    #[cfg(feature = "test-clock")]
    fixed_now: std::sync::Mutex<Option<Timestamp>>,
    #[cfg(feature = "test-clock")]
    pub(crate) runs_again: std::sync::atomic::AtomicU64,
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

    pub(crate) fn new(
        sql: Sql,
        pools: Pools,
        hints: Hints,
        limit: Duration,
        max_body: usize,
        safe: Safe,
    ) -> Self {
        let line = || Arc::new(Gather::new(limit, sql.dialect.writers()));
        let events = line();
        let outcomes = if sql.dialect.writers() == 1 { Arc::clone(&events) } else { line() };
        Self {
            inner: Arc::new(Inner {
                sql: Arc::new(sql),
                pools,
                hints: Arc::new(hints),
                limit,
                max_body,
                safe,
                ready: AtomicBool::new(false),
                events,
                outcomes,
                unreadable: Arc::default(),
                #[cfg(feature = "test-clock")]
                fixed_now: std::sync::Mutex::default(),
                #[cfg(feature = "test-clock")]
                runs_again: std::sync::atomic::AtomicU64::default(),
            }),
        }
    }

    /// Closes the connections, after the work under way. Later calls fail.
    pub async fn close(&self) {
        self.inner.pools.close().await;
    }

    /// The connections that write. For tests that ask the database what it has read.
    #[cfg(feature = "test-clock")]
    #[doc(hidden)]
    pub fn connection(&self) -> sea_orm::DatabaseConnection {
        self.inner.pools.writer()
    }

    /// Stops the store's clock at `now`. For tests.
    #[cfg(feature = "test-clock")]
    #[doc(hidden)]
    pub fn set_clock(&self, now: Timestamp) {
        *self.inner.fixed_now.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(now);
    }

    /// How often a unit of work ran again, because something stopped it that passes. For tests.
    #[cfg(feature = "test-clock")]
    #[doc(hidden)]
    pub fn runs_again(&self) -> u64 {
        self.inner.runs_again.load(Ordering::Relaxed)
    }

    /// What the database finds wrong with its own file: nothing, when it says `ok`. SQLite alone.
    #[cfg(feature = "crash-points")]
    #[doc(hidden)]
    pub async fn check_integrity(&self) -> Result<String, sea_orm::DbErr> {
        use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
        let ask = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check");
        let row = self.inner.pools.writer().query_one_raw(ask).await?;
        row.map_or_else(|| Ok("no answer".to_owned()), |row| row.try_get_by_index(0))
    }

    /// Runs a unit of work on tables that are known to fit.
    pub(crate) async fn perform<U: Unit>(&self, unit: U) -> Result<U::Answer, StoreError> {
        if !self.inner.ready.load(Ordering::Acquire) {
            self.check_schema().await?;
            self.check_journal().await?;
            self.inner.ready.store(true, Ordering::Release);
        }
        self.inner.perform(unit).await
    }
}

impl Inner {
    /// The time by the database's clock, as an expression.
    pub(crate) fn now(&self) -> String {
        let fixed = self.fixed_now().map(|now| now.as_unix_millis().to_string());
        fixed.unwrap_or_else(|| self.sql.dialect.now().to_owned())
    }

    #[cfg(feature = "test-clock")]
    pub(crate) fn fixed_now(&self) -> Option<Timestamp> {
        *self.fixed_now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    #[cfg(not(feature = "test-clock"))]
    pub(crate) const fn fixed_now(&self) -> Option<Timestamp> {
        None
    }
}

impl fmt::Debug for SeaOrmStore {
    /// Not the URL: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sql = &self.inner.sql;
        f.debug_struct("SeaOrmStore")
            .field("dialect", &sql.dialect)
            .field("schema", &sql.schema)
            .field("table_prefix", &sql.prefix)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl DeliveryStore for SeaOrmStore {
    async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
        let batch = batch.into_iter().map(Work::Enqueue).collect();
        let written = self.write(&self.inner.events, batch).await?.into_iter();
        let answer = |it| if let Written::Enqueued(it) = it { Some(it) } else { None };
        Ok(written.filter_map(answer).collect())
    }

    async fn claim_unrouted(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ClaimedUnrouted, StoreError> {
        self.perform(ClaimEvents { limit, lease }).await
    }

    async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError> {
        self.perform(RouteEvents(batch)).await
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError> {
        let unreadable = Arc::clone(&self.inner.unreadable);
        self.perform(ClaimDeliveries { ask: claim, unreadable }).await
    }

    async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        let batch = batch.into_iter().map(Work::Finish).collect();
        let written = self.write(&self.inner.outcomes, batch).await?.into_iter();
        let answer = |it| if let Written::Finished(it) = it { Some(it) } else { None };
        Ok(written.filter_map(answer).collect())
    }

    async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError> {
        self.perform(ReleaseDeliveries(batch)).await
    }

    async fn work_hinted(&self) {
        self.inner.hints.heard().await;
    }

    fn hint_work(&self) {
        self.inner.hints.say(self.inner.pools.writer());
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.perform(CountBacklog).await
    }
}
