//! Settings of delivery, checked one by one and against each other.

use std::{str::FromStr, time::Duration};

use webhook_core::{
    DispatcherConfig, HealthPolicy, WorkerName,
    error::{InvalidDispatcherConfig, InvalidDuration},
    view::{format_duration, parse_duration},
};

use super::{
    InvalidSetting,
    reading::{EXPECTED_COUNT, EXPECTED_PERIOD, Reading, or_read},
};

/// Expected text of a worker's name.
pub(super) const EXPECTED_WORKER_NAME: &str = "1 to 128 characters of A-Z a-z 0-9 . _ - : /";

/// Values that take the place of variables.
#[derive(Clone, Debug, Default)]
pub(super) struct DispatcherValues {
    pub(super) concurrency: Option<usize>,
    pub(super) lease: Option<Duration>,
    pub(super) max_timeout: Option<Duration>,
    pub(super) poll: Option<Duration>,
    pub(super) drain: Option<Duration>,
    pub(super) tenant_share: Option<usize>,
    pub(super) disable_after: Option<DisableAfter>,
    pub(super) worker_name: Option<WorkerName>,
}

impl DispatcherValues {
    /// Reads the variables without a value. An error names the variable to change.
    pub(super) fn read(self, reading: &Reading<'_>) -> Result<DispatcherConfig, InvalidSetting> {
        let mut config = DispatcherConfig::new();
        if let Some(most) = or_read(self.concurrency, || reading.size("WEBHOOK_CONCURRENCY"))? {
            config = config.concurrency(most);
        }
        if let Some(most) = or_read(self.max_timeout, || reading.time("WEBHOOK_MAX_TIMEOUT"))? {
            config = config.max_timeout(most);
        }
        if let Some(budget) = reading.duration("WEBHOOK_RECORDING_BUDGET")? {
            config = config.recording_budget(budget);
        }
        if let Some(budget) = reading.duration("WEBHOOK_CLAIM_BUDGET")? {
            config = config.claim_budget(budget);
        }
        if let Some(poll) = or_read(self.poll, || reading.time("WEBHOOK_POLL"))? {
            config = config.poll(poll);
        }
        if let Some(drain) = or_read(self.drain, || reading.duration("WEBHOOK_DRAIN"))? {
            config = config.drain(drain);
        }
        if let Some(share) = or_read(self.tenant_share, || reading.size("WEBHOOK_TENANT_SHARE"))? {
            config = config.tenant_share(share);
        }
        let disable_after = || reading.parsed("WEBHOOK_DISABLE_AFTER", DisableAfter::EXPECTED_TEXT);
        if let Some(DisableAfter(after)) = or_read(self.disable_after, disable_after)? {
            config = config.health(HealthPolicy::new().with_disable_after(after));
        }
        let name = || reading.parsed("WEBHOOK_WORKER_NAME", EXPECTED_WORKER_NAME);
        if let Some(name) = or_read(self.worker_name, name)? {
            config = config.name(name);
        }
        let lease = or_read(self.lease, || reading.time("WEBHOOK_LEASE"))?;
        let lease = lease.unwrap_or(DispatcherConfig::LEASE);
        config = config.lease(lease);
        config.validate().map_err(|error| invalid(error, lease))?;
        Ok(config)
    }
}

/// Time without a success after which an endpoint is disabled; None disables none.
#[derive(Clone, Copy, Debug)]
pub(super) struct DisableAfter(pub(super) Option<Duration>);

impl DisableAfter {
    const EXPECTED_TEXT: &str = "a duration such as 5d, or never";
}

impl FromStr for DisableAfter {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        Ok(Self(if text == "never" { None } else { Some(parse_duration(text)?) }))
    }
}

/// Returns the error under the name of the variable to change. Zero comes from a value alone: in a
/// variable it is rejected when it is read. Values that do not fit together are told by the lease.
fn invalid(error: InvalidDispatcherConfig, lease: Duration) -> InvalidSetting {
    let (variable, found, expected) = match error {
        InvalidDispatcherConfig::Concurrency => {
            ("WEBHOOK_CONCURRENCY", "0".into(), EXPECTED_COUNT.into())
        }
        InvalidDispatcherConfig::Poll => ("WEBHOOK_POLL", "0s".into(), EXPECTED_PERIOD.into()),
        InvalidDispatcherConfig::MaxTimeout => {
            ("WEBHOOK_MAX_TIMEOUT", "0s".into(), EXPECTED_PERIOD.into())
        }
        InvalidDispatcherConfig::Lease { needed } => {
            let expected = format!(
                "at least {}: the longest attempt, and the budgets for its claim and its record; a shorter WEBHOOK_MAX_TIMEOUT permits a shorter lease",
                format_duration(needed)
            );
            ("WEBHOOK_LEASE", format_duration(lease), expected)
        }
        other => ("WEBHOOK_LEASE", format_duration(lease), other.to_string()),
    };
    InvalidSetting::new(variable, found, expected)
}
