//! `webhook vault`: keys that seal the secrets of endpoints, and what is sealed with them.

use clap::Subcommand;
use serde::Serialize;
use webhook_registry::{
    database::{Resealed, SealStatus},
    signing::VaultKey,
};

use crate::{
    error::{End, Error},
    options::Options,
    output::{View, fields},
    store::open_store,
};

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Print a new key, a line for the file that WEBHOOK_VAULT_KEY_FILE names
    Keygen,
    /// Count the endpoints whose secrets are sealed with the current key, and the others
    Status,
    /// Seal the secrets of every endpoint with the current key, the first in the file
    ///
    /// To replace a key: put the new one before the old one in the file of every process and
    /// restart them, reseal, and remove the old one when nothing is left of it.
    Reseal,
}

#[derive(Serialize)]
struct KeyView<'a> {
    key: &'a str,
}

impl View for KeyView<'_> {
    fn text(&self) -> String {
        self.key.to_owned()
    }
}

#[derive(Serialize)]
struct SealStatusView {
    current: u64,
    former: u64,
    plain: u64,
    unreadable: u64,
}

impl View for SealStatusView {
    fn text(&self) -> String {
        fields([
            ("current key", format!("{} endpoints", self.current)),
            ("former keys", self.former.to_string()),
            ("not sealed", self.plain.to_string()),
            ("unreadable", self.unreadable.to_string()),
        ])
    }
}

#[derive(Serialize)]
struct ResealedView {
    resealed: u64,
    current: u64,
    edited: u64,
    unreadable: u64,
}

impl View for ResealedView {
    fn text(&self) -> String {
        fields([
            ("resealed", format!("{} endpoints", self.resealed)),
            ("before", format!("{} were sealed with the current key", self.current)),
            ("edited", format!("{} at the same moment, by somebody else", self.edited)),
            ("unreadable", format!("{} are left as they are", self.unreadable)),
        ])
    }
}

pub(crate) async fn run(options: &Options, command: VaultCommand) -> Result<End, Error> {
    match command {
        VaultCommand::Keygen => {
            let key = VaultKey::generate()?.reveal();
            options.output().show(&KeyView { key: &key })?;
            Ok(End::Done)
        }
        VaultCommand::Status => status(options).await,
        VaultCommand::Reseal => reseal(options).await,
    }
}

async fn status(options: &Options) -> Result<End, Error> {
    let found = open_store(options, &options.settings()?).await?.seal_status().await?;
    let SealStatus { current, former, plain, unreadable, .. } = found;
    options.output().show(&SealStatusView { current, former, plain, unreadable })?;
    Ok(if unreadable == 0 { End::Done } else { End::Failed })
}

async fn reseal(options: &Options) -> Result<End, Error> {
    let done = open_store(options, &options.settings()?).await?.reseal().await?;
    let Resealed { resealed, current, edited, unreadable, .. } = done;
    options.output().show(&ResealedView { resealed, current, edited, unreadable })?;
    Ok(if unreadable == 0 { End::Done } else { End::Failed })
}
