//! The database of a store: everything that a unit of work needs.

use std::{sync::Arc, time::Duration};

use webhook_core::Timestamp;

use crate::db::{notify::Notifier, pools::Pools, secret_columns::SecretColumns, sql::Sql};

/// Connections, SQL, clock and limits that all units of work share.
pub(crate) struct Database {
    pub(crate) sql: Arc<Sql>,
    pub(crate) pools: Pools,
    pub(crate) notifier: Arc<Notifier>,
    /// Time limit of one unit of work.
    pub(crate) limit: Duration,
    /// Seals and opens the columns that hold secrets.
    pub(crate) secrets: SecretColumns,
    #[cfg(feature = "__test-clock")]
    fixed_now: std::sync::Mutex<Option<Timestamp>>,
    /// Number of times that a unit was run again.
    #[cfg(feature = "__test-clock")]
    pub(crate) runs_again: std::sync::atomic::AtomicU64,
}

impl Database {
    pub(crate) fn new(
        sql: Sql,
        pools: Pools,
        notifier: Notifier,
        limit: Duration,
        secrets: SecretColumns,
    ) -> Self {
        Self {
            sql: Arc::new(sql),
            pools,
            notifier: Arc::new(notifier),
            limit,
            secrets,
            #[cfg(feature = "__test-clock")]
            fixed_now: std::sync::Mutex::default(),
            #[cfg(feature = "__test-clock")]
            runs_again: std::sync::atomic::AtomicU64::default(),
        }
    }

    /// The time by the database's clock, as an expression.
    pub(crate) fn now(&self) -> String {
        let fixed = self.fixed_now().map(|now| now.as_unix_millis().to_string());
        fixed.unwrap_or_else(|| self.sql.dialect.now().to_owned())
    }

    /// Stops the clock at `now`.
    #[cfg(feature = "__test-clock")]
    pub(crate) fn set_clock(&self, now: Timestamp) {
        *self.fixed_now.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(now);
    }

    /// Time at which a test stopped the clock; `None` if the clock runs.
    #[cfg(feature = "__test-clock")]
    pub(crate) fn fixed_now(&self) -> Option<Timestamp> {
        *self.fixed_now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Time at which a test stopped the clock; `None` if the clock runs.
    #[cfg(not(feature = "__test-clock"))]
    pub(crate) const fn fixed_now(&self) -> Option<Timestamp> {
        None
    }
}
