//! Columns that hold secrets, sealed if the store has a vault.
//!
//! The whole text of a column is sealed, bound to the column and the endpoint. A text that was
//! stored without a vault is JSON and stays readable, because no JSON begins like a sealed text.

use std::sync::Arc;

use sea_orm::Value;
use webhook_core::{
    EndpointId, StoreErrorKind,
    store::{SEALED, SecretVault, VaultErrorKind},
};
use zeroize::Zeroizing;

use crate::db::fault::Fault;

/// Seals and opens columns with the vault of a store, if it has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecretColumns(Option<Arc<dyn SecretVault>>);

/// Key with which a stored text is sealed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum SealedWith {
    CurrentKey,
    FormerKey,
    /// The text is not sealed.
    Nothing,
}

impl SecretColumns {
    pub(crate) fn new(vault: Arc<dyn SecretVault>) -> Self {
        Self(Some(vault))
    }

    pub(crate) const fn has_vault(&self) -> bool {
        self.0.is_some()
    }

    /// Seals a text for storage.
    pub(crate) fn seal(
        &self,
        id: EndpointId,
        column: &str,
        plain: &Zeroizing<String>,
    ) -> Result<Value, Fault> {
        let Some(vault) = &self.0 else { return Ok(plain.as_str().into()) };
        let sealed = vault.seal(plain.as_bytes(), associated_data(id, column).as_bytes());
        // Never stored unsealed: it would not be secret any longer.
        sealed.map(Into::into).map_err(|error| Fault::new(StoreErrorKind::Other, error))
    }

    /// Opens a stored text.
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
        let opened = vault.open(&stored, associated_data(id, column).as_bytes());
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

    /// Key with which a stored text is sealed. It is found without opening the text.
    pub(crate) fn sealed_with(&self, stored: &str) -> SealedWith {
        match &self.0 {
            _ if !stored.starts_with(SEALED) => SealedWith::Nothing,
            Some(vault) if vault.is_current(stored) => SealedWith::CurrentKey,
            _ => SealedWith::FormerKey,
        }
    }
}

/// Associated data of a sealed text: its endpoint and column.
fn associated_data(id: EndpointId, column: &str) -> String {
    format!("endpoint/{}/{column}", id.as_uuid().simple())
}

fn no_key(column: &str) -> Fault {
    Fault::corrupt(format!(
        "the column {column} is sealed and its key is missing here; name the file that has it in \
         WEBHOOK_VAULT_KEY_FILE"
    ))
}
