//! What can be said on the command line. What a word means is checked here, at the door.

use std::time::{Duration, SystemTime};

use clap::{Args, Parser, Subcommand};
use webhook_registry::{
    InvalidDuration, InvalidSetting, Settings, Timeout, Timestamp, parse_duration,
};

use crate::{
    delivery::DeliveryCommand, demo::DemoArgs, endpoint::EndpointCommand, listen::ListenArgs,
    migrate::MigrateArgs, notice::NoticeCommand, output::Output, plan::PlanArgs, prune::PruneArgs,
    publish::PublishArgs, replay::ReplayArgs, run::RunArgs, send::SendArgs, sign::SignArgs,
    vault::VaultCommand, verify::VerifyArgs,
};

/// Deliver events to other people's servers, and keep at it.
#[derive(Debug, Parser)]
#[command(name = "webhook", version, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done, 1 failed, 2 wrong usage, 3 work is left.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Args)]
pub(crate) struct Options {
    /// The database; the tables of a new SQLite file are created on first use
    #[arg(long, global = true, env = "WEBHOOK_DB", hide_env_values = true)]
    #[arg(value_name = "URL", default_value = "sqlite://webhooks.db?mode=rwc")]
    pub(crate) db: String,
    /// Print one JSON object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Permit plain http and private addresses, for adding endpoints and for sending to them
    #[arg(long, global = true)]
    pub(crate) dangerous_allow_private_addresses: bool,
}

impl Options {
    /// The settings: what `flags` say, by the variables they stand for, then the environment.
    pub(crate) fn settings(
        &self,
        flags: &[(&str, Option<String>)],
    ) -> Result<Settings, InvalidSetting> {
        Settings::from_lookup(|variable| {
            // It has a default, and may come from the environment itself.
            if variable == "WEBHOOK_DB" {
                return Some(self.db.clone().into());
            }
            let flag = flags.iter().find(|(name, _)| *name == variable);
            let value = flag.and_then(|(_, value)| value.clone());
            value.map_or_else(|| std::env::var_os(variable), |value| Some(value.into()))
        })
    }

    /// The same, for another database.
    pub(crate) const fn with_db(&self, db: String) -> Self {
        let Self { json, dangerous_allow_private_addresses, .. } = *self;
        Self { db, json, dangerous_allow_private_addresses }
    }

    /// How results are shown.
    pub(crate) const fn output(&self) -> Output {
        Output { json: self.json }
    }
}

impl std::fmt::Debug for Options {
    /// Not the database: its URL may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("json", &self.json).finish_non_exhaustive()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it work: local receivers, a dozen events, retries, a table of what happened
    Demo(DemoArgs),
    /// Register endpoints, look at them, pause, disable and test them
    Endpoint {
        #[command(subcommand)]
        command: EndpointCommand,
    },
    /// Store an event for delivery, or many
    Publish(PublishArgs),
    /// Deliver what is stored, until told to stop
    Run(RunArgs),
    /// Look at deliveries and their attempts, try them again, call them off
    Delivery {
        #[command(subcommand)]
        command: DeliveryCommand,
    },
    /// Send an endpoint's deliveries again: what it did not take, or missed while it was disabled
    ///
    /// Counts them first, then makes them due page by page, at a rate. What is still open is delivered
    /// anyway, and what has changed since the replay began is left alone: it is safe to interrupt and to
    /// repeat.
    Replay(ReplayArgs),
    /// Post one event to a URL now, without a database
    Send(SendArgs),
    /// Receive events and show whether their signatures verify, for development
    Listen(ListenArgs),
    /// Print the signature headers of a body
    Sign(SignArgs),
    /// Check the signature headers of a body
    Verify(VerifyArgs),
    /// Show when a retry policy tries again
    Plan(PlanArgs),
    /// Read what has to be told: endpoints that fail, are disabled or recover, deliveries given up
    Notice {
        #[command(subcommand)]
        command: NoticeCommand,
    },
    /// Remove what is over and old: deliveries with their attempts, then events, then endpoints
    Prune(PruneArgs),
    /// Tell how the store is doing: what is left, how far behind, which endpoints fail
    Status,
    /// Make keys that seal secrets at rest, see what is sealed, seal it anew
    Vault {
        #[command(subcommand)]
        command: VaultCommand,
    },
    /// Create the tables, or bring them up to date
    Migrate(MigrateArgs),
}

/// Reads the deadline of one attempt.
pub(crate) fn timeout(text: &str) -> Result<Timeout, String> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    Timeout::new(duration).map_err(|error| error.to_string())
}

/// Reads a duration such as `60s`.
pub(crate) fn duration(text: &str) -> Result<Duration, InvalidDuration> {
    parse_duration(text)
}

/// Reads a point in time such as `2026-11-24T08:00:00Z`, or how long ago it is, such as `2h`.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(ago) = parse_duration(text) {
        let then = SystemTime::now().checked_sub(ago);
        return then.map(Timestamp::from).ok_or_else(|| "before all time".to_owned());
    }
    let at = text.parse::<jiff::Timestamp>();
    let at = at
        .map_err(|_| "expected a time such as 2026-11-24T08:00:00Z, or how long ago, such as 2h")?;
    Ok(Timestamp::from_unix_millis(at.as_millisecond()))
}

/// Reads a header such as `Name: value`.
pub(crate) fn header(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or("expected 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Reads a note such as `name=value`.
pub(crate) fn note(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected 'name=value'")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
