//! Options that every command takes.

use clap::Args;
use webhook_registry::{InvalidSetting, Settings};

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
