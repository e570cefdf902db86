//! Columns that hold secrets, sealed by a vault where there is one.
//!
//! A text is sealed whole, for the column and the endpoint it stands in. What was stored before there
//! was a vault is JSON and reads as ever: no JSON begins as a sealed text does.

use std::sync::Arc;

use sea_orm::Value;
use webhook_core::{EndpointId, SEALED, SecretVault, StoreErrorKind, VaultErrorKind};
use zeroize::Zeroizing;

use crate::db::fault::Fault;

/// The vault of a store, if it has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Safe(Option<Arc<dyn SecretVault>>);

/// How a stored text is kept.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kept {
    Current,
    Former,
    Plain,
}

impl Safe {
    pub(crate) fn new(vault: Arc<dyn SecretVault>) -> Self {
        Self(Some(vault))
    }

    pub(crate) const fn has_vault(&self) -> bool {
        self.0.is_some()
    }

    /// A text as it is stored.
    pub(crate) fn seal(
        &self,
        id: EndpointId,
        column: &str,
        plain: &Zeroizing<String>,
    ) -> Result<Value, Fault> {
        let Some(vault) = &self.0 else { return Ok(plain.as_str().into()) };
        let sealed = vault.seal(plain.as_bytes(), place(id, column).as_bytes());
        // Written down unsealed, it would be no secret any more.
        sealed.map(Into::into).map_err(|error| Fault::new(StoreErrorKind::Other, error))
    }

    /// A stored text as it was before it was sealed.
    pub(crate) fn open(
        &self,
        id: EndpointId,
        column: &str,
        stored: Zeroizing<String>,
    ) -> Result<Zeroizing<String>, Fault> {
        if !stored.starts_with(SEALED) {
            return Ok(stored);
        }
        let Some(vault) = &self.0 else { return Err(no_key(column)) };
        let opened = vault.open(&stored, place(id, column).as_bytes());
        let mut opened = opened.map_err(|error| match error.kind() {
            VaultErrorKind::NoKey => no_key(column),
            kind => Fault::corrupt(format!("cannot open the sealed column {column}: {kind}")),
        })?;
        let text = String::from_utf8(std::mem::take(&mut *opened)).map(Zeroizing::new);
        text.map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            Fault::corrupt(format!("cannot read the column {column}"))
        })
    }

    /// How a stored text is kept; the text need not open.
    pub(crate) fn kept(&self, stored: &str) -> Kept {
        match &self.0 {
            _ if !stored.starts_with(SEALED) => Kept::Plain,
            Some(vault) if vault.is_current(stored) => Kept::Current,
            _ => Kept::Former,
        }
    }
}

/// What a text is sealed for.
fn place(id: EndpointId, column: &str) -> String {
    format!("endpoint/{}/{column}", id.as_uuid().simple())
}

fn no_key(column: &str) -> Fault {
    Fault::corrupt(format!(
        "the column {column} is sealed and its key is missing here; name the file that has it in \
         WEBHOOK_VAULT_KEY_FILE"
    ))
}
