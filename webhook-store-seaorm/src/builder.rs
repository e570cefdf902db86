use std::{error::Error, time::Duration};
#[cfg(feature = "sqlite")]
use std::{future::Future, pin::Pin};

use webhook_core::NewEvent;

use crate::{
    dialect::{self, Sql},
    store::{Pools, SeaOrmStore},
};

/// Settings for opening a [`SeaOrmStore`].
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), webhook_store_seaorm::ConnectError> {
/// use std::time::Duration;
/// use webhook_store_seaorm::SeaOrmStore;
///
/// let store = SeaOrmStore::builder("sqlite::memory:")
///     .unit_limit(Duration::from_secs(5))
///     .table_prefix("hooks_")
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
#[must_use]
pub struct SeaOrmStoreBuilder {
    url: String,
    pool_size: u32,
    unit_limit: Duration,
    table_prefix: String,
    max_body: usize,
}

impl SeaOrmStoreBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            pool_size: 4,
            unit_limit: Duration::from_secs(10),
            table_prefix: "webhook_".to_owned(),
            max_body: NewEvent::MAX_BODY,
        }
    }

    /// Sets how many connections there are at most, at least 1. On SQLite these are the ones that
    /// read; one more writes.
    pub fn pool_size(mut self, size: u32) -> Self {
        self.pool_size = size.max(1);
        self
    }

    /// Sets how long a unit of work may take, by default 10 s. Past it the caller gets
    /// [`Unavailable`](webhook_core::StoreErrorKind::Unavailable), or
    /// [`Unknown`](webhook_core::StoreErrorKind::Unknown) when it may have been written.
    ///
    /// At least 1 ms and at most an hour: what lies outside is moved to the nearer end.
    pub fn unit_limit(mut self, limit: Duration) -> Self {
        self.unit_limit = limit.clamp(Duration::from_millis(1), Duration::from_secs(60 * 60));
        self
    }

    /// Sets what the names of all tables begin with, by default `webhook_`.
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.table_prefix = prefix.into();
        self
    }

    /// Sets how many bytes the body of an event may have that is published inside a caller's
    /// transaction, by default [`NewEvent::MAX_BODY`].
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Opens the database.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] when it cannot be opened.
    pub async fn connect(self) -> Result<SeaOrmStore, ConnectError> {
        if !is_prefix(&self.table_prefix) {
            return Err(ConnectError::Prefix);
        }
        let dialect = dialect::of_url(&self.url).ok_or(ConnectError::Scheme)?;
        let pools = self.open().await?;
        let sql = Sql::new(dialect, self.table_prefix);
        Ok(SeaOrmStore::new(sql, pools, self.unit_limit, self.max_body))
    }

    #[cfg(feature = "sqlite")]
    async fn open(&self) -> Result<Pools, ConnectError> {
        if !self.url.starts_with("sqlite:") {
            return Err(ConnectError::NotYet);
        }
        // Boxed: the futures of the database library nest deeper than a caller's compiler may like.
        let opened: Pin<Box<dyn Future<Output = _> + Send + '_>> =
            Box::pin(dialect::open_sqlite::open(&self.url, self.pool_size, self.unit_limit));
        opened.await.map_err(|error| ConnectError::open(&self.url, error))
    }

    #[cfg(not(feature = "sqlite"))]
    async fn open(&self) -> Result<Pools, ConnectError> {
        Err(ConnectError::NotYet)
    }
}

impl std::fmt::Debug for SeaOrmStoreBuilder {
    /// Not the URL: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeaOrmStoreBuilder")
            .field("pool_size", &self.pool_size)
            .field("unit_limit", &self.unit_limit)
            .field("table_prefix", &self.table_prefix)
            .finish_non_exhaustive()
    }
}

/// It ends up in statements as it is.
fn is_prefix(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// The database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL names no database this crate knows.
    #[error("not a database URL; expected sqlite://FILE, postgres://... or mysql://...")]
    Scheme,
    /// The database is not compiled in, or not supported yet.
    #[error(
        "this version cannot open that kind of database yet; use sqlite://FILE, with the feature sqlite"
    )]
    NotYet,
    /// The prefix of the tables is not plain.
    #[error("not a valid table prefix; expected at most 32 of a-z 0-9 _, the first one a letter")]
    Prefix,
    /// The database is there, or not, but does not open.
    #[error("cannot open the database {database}{advice}")]
    Open {
        /// Which one, without user name, password and parameters.
        database: String,
        /// What may help.
        advice: &'static str,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ConnectError {
    #[cfg(feature = "sqlite")]
    fn open(url: &str, source: sea_orm::DbErr) -> Self {
        let database = without_secrets(url);
        // The usual mistake, told by an error of one word otherwise.
        let missing = !url.contains("mode=") && source.to_string().contains("unable to open");
        let advice = if missing { "; add ?mode=rwc to create a file that is missing" } else { "" };
        Self::Open { database, advice, source: Box::new(source) }
    }
}

/// What is left of a URL when user name, password and parameters are cut off.
#[cfg(any(feature = "sqlite", test))]
fn without_secrets(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) if scheme != "sqlite" => {
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{host}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_nobody_may_see() {
        let table = [
            ("sqlite://a@/b.db?mode=rwc", "sqlite://a@/b.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("postgres://user:p@ss@host:5432/db?sslmode=off", "postgres://host:5432/db"),
        ];
        for (url, shown) in table {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn a_prefix_is_a_plain_word() {
        for good in ["webhook_", "a", "app1_hooks_"] {
            assert!(is_prefix(good), "{good}");
        }
        for bad in ["", "1a", "A_", "a-b", "a;b", "a b", "_a", &"a".repeat(33)] {
            assert!(!is_prefix(bad), "{bad:?}");
        }
    }
}
