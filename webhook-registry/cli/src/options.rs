//! Options that every command takes.

use clap::Args;
use webhook_registry::{Settings, SettingsBuilder, error::InvalidSetting};

use crate::output::Output;

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
    /// Settings of the environment, for the database of these options.
    pub(crate) fn settings(&self) -> Result<Settings, InvalidSetting> {
        self.settings_builder().from_env()
    }

    /// A builder for settings with options of one command.
    pub(crate) fn settings_builder(&self) -> SettingsBuilder {
        // The option has a default, and clap reads its variable.
        Settings::builder().db(&self.db)
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
