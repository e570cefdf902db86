use std::{ffi::OsString, fmt, time::Duration};

use webhook_core::{TenantId, WorkerName};

use super::{
    InvalidSetting, Settings,
    dispatcher::{DisableAfter, DispatcherValues},
    reading::Reading,
};

/// Values that take the place of variables, such as options on a command line.
///
/// The variable of a value that is set here is not read, so an invalid one does not matter. All
/// other variables are read as by [`Settings::from_env`].
///
/// ```
/// use std::time::Duration;
/// use webhook_registry::{DispatcherConfig, Settings};
///
/// let invalid = |name: &str| (name == "WEBHOOK_POLL").then(|| "often".into());
/// assert!(Settings::from_lookup(invalid).is_err());
/// assert!(Settings::builder().poll(Duration::from_secs(5)).from_lookup(invalid).is_ok());
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct SettingsBuilder {
    pub(super) db: Option<String>,
    pub(super) max_body: Option<usize>,
    pub(super) dispatcher: DispatcherValues,
    pub(super) notices_to: Option<TenantId>,
}

impl SettingsBuilder {
    /// Sets the URL of the database, in place of `WEBHOOK_DB`; an empty one counts as none.
    pub fn db(mut self, url: impl Into<String>) -> Self {
        self.db = Some(url.into());
        self
    }

    /// Sets the largest body in bytes, in place of `WEBHOOK_MAX_BODY`.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Sets the largest number of attempts in flight, in place of `WEBHOOK_CONCURRENCY`.
    pub const fn concurrency(mut self, most: usize) -> Self {
        self.dispatcher.concurrency = Some(most);
        self
    }

    /// Sets the length of a lease, in place of `WEBHOOK_LEASE`.
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.dispatcher.lease = Some(lease);
        self
    }

    /// Sets the longest attempt, in place of `WEBHOOK_MAX_TIMEOUT`.
    pub const fn max_timeout(mut self, most: Duration) -> Self {
        self.dispatcher.max_timeout = Some(most);
        self
    }

    /// Sets the longest wait between two polls, in place of `WEBHOOK_POLL`.
    pub const fn poll(mut self, poll: Duration) -> Self {
        self.dispatcher.poll = Some(poll);
        self
    }

    /// Sets the longest wait of a shutdown for attempts in flight, in place of `WEBHOOK_DRAIN`.
    pub const fn drain(mut self, drain: Duration) -> Self {
        self.dispatcher.drain = Some(drain);
        self
    }

    /// Sets the largest number of attempts that one tenant has in flight while another one has
    /// work, in place of `WEBHOOK_TENANT_SHARE`.
    pub const fn tenant_share(mut self, most: usize) -> Self {
        self.dispatcher.tenant_share = Some(most);
        self
    }

    /// Sets the time without a success after which an endpoint is disabled, in place of
    /// `WEBHOOK_DISABLE_AFTER`; None disables none.
    pub const fn disable_after(mut self, after: Option<Duration>) -> Self {
        self.dispatcher.disable_after = Some(DisableAfter(after));
        self
    }

    /// Sets the tenant as whose events notices are published, in place of `WEBHOOK_NOTICES_TO`.
    pub fn notices_to(mut self, tenant: TenantId) -> Self {
        self.notices_to = Some(tenant);
        self
    }

    /// Sets the worker's name, in place of `WEBHOOK_WORKER_NAME`.
    pub fn worker_name(mut self, name: WorkerName) -> Self {
        self.dispatcher.worker_name = Some(name);
        self
    }

    /// Reads all other settings from the environment of this process.
    ///
    /// # Errors
    ///
    /// As [`Settings::from_env`].
    pub fn from_env(self) -> Result<Settings, InvalidSetting> {
        self.from_lookup(|name| std::env::var_os(name))
    }

    /// Reads all other settings with `lookup`, which returns the value of a variable.
    ///
    /// # Errors
    ///
    /// As [`Settings::from_env`].
    pub fn from_lookup(
        self,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Settings, InvalidSetting> {
        Settings::read(self, &Reading::new(&lookup))
    }
}

impl fmt::Debug for SettingsBuilder {
    /// Not the database: its URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingsBuilder")
            .field("max_body", &self.max_body)
            .field("dispatcher", &self.dispatcher)
            .field("notices_to", &self.notices_to)
            .finish_non_exhaustive()
    }
}
