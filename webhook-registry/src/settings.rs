//! Settings as a deployment gives them: by variables of the environment.

mod dispatcher;
mod invalid;
#[cfg(feature = "http")]
mod network;
mod reading;
mod settings_builder;
mod vault;

use std::{ffi::OsString, fmt, sync::Arc, time::Duration};

use webhook_core::{DispatcherConfig, TenantId, store::SecretVault};

pub use invalid::InvalidSetting;
use reading::{Reading, or_read};
pub use settings_builder::SettingsBuilder;

use crate::mode::Mode;

/// Settings as a deployment gives them: the command `webhook` and programs that embed the library
/// read the same variables of the environment.
///
/// | variable | says | by default |
/// |---|---|---|
/// | `WEBHOOK_DB` | the URL of the database | none |
/// | `WEBHOOK_POOL_SIZE` | connections at most | 4 |
/// | `WEBHOOK_UNIT_LIMIT` | how long a unit of work in the database may take | `10s` |
/// | `WEBHOOK_SCHEMA` | the schema of the tables, on PostgreSQL | that of the search path |
/// | `WEBHOOK_TABLE_PREFIX` | what the names of the tables begin with | `webhook_` |
/// | `WEBHOOK_POLL_ONLY` | `true` behind a pooler in transaction mode, such as PgBouncer | `false` |
/// | `WEBHOOK_MAX_BODY` | bytes of a body at most | 262144 |
/// | `WEBHOOK_MODE` | `publish-only`, `worker` or `both` | `both` |
/// | `WEBHOOK_CONCURRENCY` | attempts in flight at once | 256 |
/// | `WEBHOOK_LEASE` | how long a claim is ours | `45s` |
/// | `WEBHOOK_MAX_TIMEOUT` | the longest attempt; a shorter one permits a shorter lease | `30s` |
/// | `WEBHOOK_RECORDING_BUDGET` | what a lease leaves for the record of an attempt | `10s` |
/// | `WEBHOOK_CLAIM_BUDGET` | what a lease leaves for the claim itself | `5s` |
/// | `WEBHOOK_POLL` | the longest wait between two looks at the database | `1s` |
/// | `WEBHOOK_TENANT_SHARE` | attempts one tenant may have in flight while another has work | half |
/// | `WEBHOOK_DISABLE_AFTER` | how long nothing but failures disables an endpoint, or `never` | `5d` |
/// | `WEBHOOK_NOTICES_TO` | the tenant as whose events notices are published | none |
/// | `WEBHOOK_WORKER_NAME` | what stands with the deliveries that this process has claimed | host and process |
/// | `WEBHOOK_VAULT_KEY_FILE` | the file with the keys that seal secrets at rest, one a line, the current one first | none |
/// | `WEBHOOK_VAULT_KEY` | the same keys themselves, instead of a file | none |
/// | `WEBHOOK_ALLOW_NETS` | nets that may be sent to whatever they are, such as `10.20.0.0/16`; a list by commas | none |
/// | `WEBHOOK_DENY_NETS` | nets that may not, whatever else permits them | none |
/// | `WEBHOOK_ALLOW_NAMES` | names of your own whose addresses are not judged, such as `*.svc.cluster.local` | none |
/// | `WEBHOOK_OWN_NAMES` | names under which this service itself is reached: refused, as a loop | none |
/// | `WEBHOOK_OWN_ADDRESSES` | addresses where it listens, such as `0.0.0.0:8080`: refused, too | none |
/// | `WEBHOOK_NAT64_PREFIXES` | prefixes of your own NAT64 | none |
/// | `WEBHOOK_ALLOW_HTTP` | `true` permits plain `http` | `false` |
/// | `WEBHOOK_NAME_SERVERS` | name servers to ask instead of those of the system, such as `10.0.0.53:53`, separated by commas | those of the system |
/// | `WEBHOOK_MAX_PER_HOST` | how many requests may be on their way to one host at once | `64` |
/// | `WEBHOOK_PROXY` | the URL of an HTTP proxy for all requests; it has to vet addresses itself | none |
/// | `WEBHOOK_DRAIN` | how long a shutdown waits for attempts in flight | `30s` |
///
/// An empty variable counts as none. A program with options of its own sets them by
/// [`builder`](Self::builder).
///
/// ```
/// use webhook_registry::{Mode, Settings};
///
/// let settings = Settings::from_lookup(|name| (name == "WEBHOOK_MODE").then(|| "worker".into()))?;
/// assert_eq!(settings.mode(), Mode::Worker);
///
/// let wrong = Settings::from_lookup(|name| (name == "WEBHOOK_LEASE").then(|| "40".into()));
/// assert_eq!(
///     wrong.unwrap_err().to_string(),
///     r#"WEBHOOK_LEASE is "40"; expected a duration such as 30s, longer than none"#
/// );
/// # Ok::<(), webhook_registry::error::InvalidSetting>(())
/// ```
#[derive(Clone)]
pub struct Settings {
    db: Option<String>,
    pool_size: Option<u32>,
    unit_limit: Option<Duration>,
    schema: Option<String>,
    table_prefix: Option<String>,
    poll_only: bool,
    max_body: Option<usize>,
    mode: Mode,
    dispatcher: DispatcherConfig,
    notices_to: Option<TenantId>,
    vault: Option<Arc<dyn SecretVault>>,
    #[cfg(feature = "http")]
    network: network::NetworkSettings,
}

impl Settings {
    /// The variables that are read.
    pub const VARIABLES: [&str; 31] = [
        "WEBHOOK_DB",
        "WEBHOOK_POOL_SIZE",
        "WEBHOOK_UNIT_LIMIT",
        "WEBHOOK_SCHEMA",
        "WEBHOOK_TABLE_PREFIX",
        "WEBHOOK_POLL_ONLY",
        "WEBHOOK_MAX_BODY",
        "WEBHOOK_MODE",
        "WEBHOOK_CONCURRENCY",
        "WEBHOOK_LEASE",
        "WEBHOOK_MAX_TIMEOUT",
        "WEBHOOK_RECORDING_BUDGET",
        "WEBHOOK_CLAIM_BUDGET",
        "WEBHOOK_POLL",
        "WEBHOOK_DRAIN",
        "WEBHOOK_TENANT_SHARE",
        "WEBHOOK_DISABLE_AFTER",
        "WEBHOOK_NOTICES_TO",
        "WEBHOOK_WORKER_NAME",
        "WEBHOOK_VAULT_KEY_FILE",
        "WEBHOOK_VAULT_KEY",
        "WEBHOOK_ALLOW_NETS",
        "WEBHOOK_DENY_NETS",
        "WEBHOOK_ALLOW_NAMES",
        "WEBHOOK_OWN_NAMES",
        "WEBHOOK_OWN_ADDRESSES",
        "WEBHOOK_NAT64_PREFIXES",
        "WEBHOOK_ALLOW_HTTP",
        "WEBHOOK_NAME_SERVERS",
        "WEBHOOK_MAX_PER_HOST",
        "WEBHOOK_PROXY",
    ];

    /// Reads the environment of this process.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] names the variable that is wrong, what it is and what is expected.
    pub fn from_env() -> Result<Self, InvalidSetting> {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// Reads from wherever `lookup` finds the value of a variable.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, InvalidSetting> {
        Self::builder().from_lookup(lookup)
    }

    /// Returns a builder for values that take the place of variables, such as options of a program.
    pub fn builder() -> SettingsBuilder {
        SettingsBuilder::default()
    }

    /// Reads each variable that has no value in `set`.
    fn read(set: SettingsBuilder, reading: &Reading<'_>) -> Result<Self, InvalidSetting> {
        let db = or_read(set.db, || reading.text("WEBHOOK_DB"))?;
        Ok(Self {
            db: db.filter(|url| !url.is_empty()),
            pool_size: reading.count("WEBHOOK_POOL_SIZE")?,
            unit_limit: reading.time("WEBHOOK_UNIT_LIMIT")?,
            schema: reading.text("WEBHOOK_SCHEMA")?,
            table_prefix: reading.text("WEBHOOK_TABLE_PREFIX")?,
            poll_only: reading.parsed("WEBHOOK_POLL_ONLY", "true or false")?.unwrap_or_default(),
            max_body: or_read(set.max_body, || reading.size("WEBHOOK_MAX_BODY"))?,
            mode: reading.parsed("WEBHOOK_MODE", Mode::EXPECTED_MODES)?.unwrap_or_default(),
            dispatcher: set.dispatcher.read(reading)?,
            notices_to: or_read(set.notices_to, || {
                reading.parsed("WEBHOOK_NOTICES_TO", "a tenant")
            })?,
            vault: vault::vault(reading)?,
            #[cfg(feature = "http")]
            network: network::NetworkSettings::read(reading)?,
        })
    }

    /// The URL of the database, where there is one. It may hold a password.
    pub fn db(&self) -> Option<&str> {
        self.db.as_deref()
    }

    /// The URL of the database.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] when there is none.
    pub fn required_db(&self) -> Result<&str, InvalidSetting> {
        let expected = "the URL of a database, such as sqlite://FILE";
        self.db().ok_or_else(|| InvalidSetting::missing("WEBHOOK_DB", expected))
    }

    /// Connections to the database at most, where that is set.
    pub const fn pool_size(&self) -> Option<u32> {
        self.pool_size
    }

    /// How long a unit of work in the database may take, where that is set.
    pub const fn unit_limit(&self) -> Option<Duration> {
        self.unit_limit
    }

    /// The schema of the tables, where that is set.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// What the names of the tables begin with, where that is set.
    pub fn table_prefix(&self) -> Option<&str> {
        self.table_prefix.as_deref()
    }

    /// Whether a pooler in transaction mode stands before the database.
    pub const fn poll_only(&self) -> bool {
        self.poll_only
    }

    /// Bytes of a body at most, where that is set.
    pub const fn max_body(&self) -> Option<usize> {
        self.max_body
    }

    /// What this process does.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The tenant as whose events notices are published, where that is set.
    pub const fn notices_to(&self) -> Option<&TenantId> {
        self.notices_to.as_ref()
    }

    /// What seals secrets at rest, where keys for it are set.
    pub fn vault(&self) -> Option<Arc<dyn SecretVault>> {
        self.vault.clone()
    }

    /// How it delivers.
    pub const fn dispatcher(&self) -> &DispatcherConfig {
        &self.dispatcher
    }
}

#[cfg(feature = "http")]
impl Settings {
    /// A transport that sends where these settings permit, ready to be built: what
    /// [`Webhooks::builder`](crate::Webhooks::builder) uses unless another one is given.
    pub fn transport(&self) -> webhook_http::HttpTransportBuilder {
        self.network.transport()
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
impl Settings {
    /// The store at `WEBHOOK_DB`, ready to be opened.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] when that variable is missing.
    pub fn store(&self) -> Result<webhook_store_seaorm::SeaOrmStoreBuilder, InvalidSetting> {
        let mut builder = webhook_store_seaorm::SeaOrmStore::builder(self.required_db()?);
        if let Some(size) = self.pool_size {
            builder = builder.pool_size(size);
        }
        if let Some(limit) = self.unit_limit {
            builder = builder.unit_limit(limit);
        }
        if let Some(schema) = &self.schema {
            builder = builder.schema(schema);
        }
        if let Some(prefix) = &self.table_prefix {
            builder = builder.table_prefix(prefix);
        }
        if self.poll_only {
            builder = builder.poll_only();
        }
        if let Some(bytes) = self.max_body {
            builder = builder.max_body(bytes);
        }
        if let Some(vault) = self.vault() {
            builder = builder.vault(vault);
        }
        Ok(builder)
    }
}

impl fmt::Debug for Settings {
    /// Not the database: its URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("pool_size", &self.pool_size)
            .field("unit_limit", &self.unit_limit)
            .field("schema", &self.schema)
            .field("table_prefix", &self.table_prefix)
            .field("poll_only", &self.poll_only)
            .field("max_body", &self.max_body)
            .field("mode", &self.mode)
            .field("dispatcher", &self.dispatcher)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
