use std::{sync::Arc, time::Duration};

use webhook_core::{NewEvent, store::SecretVault};

use crate::{
    db::{
        connect_error::{ConnectError, without_secrets},
        database::Database,
        dialect::{
            self,
            open::open,
            opened::{OpenRequest, OpenedDatabase},
        },
        notify::{Notifier, NotifyChannel},
        secret_columns::SecretColumns,
        sql::{Sql, is_plain},
    },
    store::SeaOrmStore,
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
    schema: Option<String>,
    poll_only: bool,
    secrets: SecretColumns,
}

impl SeaOrmStoreBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            pool_size: 4,
            unit_limit: Duration::from_secs(10),
            table_prefix: "webhook_".to_owned(),
            max_body: NewEvent::MAX_BODY,
            schema: None,
            poll_only: false,
            secrets: SecretColumns::default(),
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

    /// Sets the schema in which the tables live, on PostgreSQL; migrating creates it when it is
    /// missing. By default they live in the first schema of the user's search path.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Does without everything that needs a session of one's own: no prepared statements, no
    /// settings of a session, and no `LISTEN` for notifications of other processes. For poolers in
    /// transaction mode such as PgBouncer, at a price: PostgreSQL plans each statement anew. The
    /// other databases poll anyway.
    pub const fn poll_only(mut self) -> Self {
        self.poll_only = true;
        self
    }

    /// Sets the vault that seals the secrets of endpoints before they are stored: signing keys and the
    /// values of headers. URLs stay readable. What was stored without a vault still reads, and is sealed
    /// by its next edit or by [`reseal`](SeaOrmStore::reseal).
    ///
    /// Every process that reads endpoints needs it. To one without the key an endpoint is a damaged row:
    /// its deliveries wait, and so do its tenant's events until a process with the key routes them.
    pub fn vault(mut self, vault: Arc<dyn SecretVault>) -> Self {
        self.secrets = SecretColumns::new(vault);
        self
    }

    /// Opens the database.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] when it cannot be opened: for want of an answer within the limit of a unit,
    /// too.
    pub async fn connect(self) -> Result<SeaOrmStore, ConnectError> {
        if !is_plain(&self.table_prefix) {
            return Err(ConnectError::Prefix);
        }
        if !self.schema.as_deref().is_none_or(is_plain) {
            return Err(ConnectError::Schema);
        }
        let dialect = dialect::of_url(&self.url).ok_or(ConnectError::Scheme)?;
        if self.schema.is_some() && !dialect.has_schemas() {
            return Err(ConnectError::NoSchemas);
        }
        let request = OpenRequest {
            url: &self.url,
            size: self.pool_size,
            limit: self.unit_limit,
            poll_only: self.poll_only,
        };
        let opened = open(dialect, request)?.await;
        let OpenedDatabase { pools, schema, listener } =
            opened.map_err(|error| ConnectError::of(dialect, &self.url, error))?;
        let schema = self.schema.or(schema);
        if dialect.has_schemas() && schema.is_none() {
            return Err(ConnectError::NoSearchPath { database: without_secrets(&self.url) });
        }
        let sql = Sql::new(dialect, schema, self.table_prefix);
        let channel = |open| NotifyChannel { open, name: sql.channel(), gate: pools.gate() };
        let notifier = Notifier::new(listener.map(channel));
        let database = Database::new(sql, pools, notifier, self.unit_limit, self.secrets);
        Ok(SeaOrmStore::new(database, self.max_body))
    }
}

impl std::fmt::Debug for SeaOrmStoreBuilder {
    /// Not the URL: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeaOrmStoreBuilder")
            .field("pool_size", &self.pool_size)
            .field("unit_limit", &self.unit_limit)
            .field("table_prefix", &self.table_prefix)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}
