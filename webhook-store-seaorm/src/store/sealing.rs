//! Sealing the secrets of a store's endpoints.

use webhook_core::StoreError;

use super::SeaOrmStore;
use crate::work::reseal::{Resealed, SealStatus, needs_vault, reseal, seal_status};

impl SeaOrmStore {
    /// Seals the secrets of every endpoint with the vault's current key, page by page. Safe to
    /// interrupt and to repeat; an edit at the same moment wins.
    ///
    /// It raises neither revision nor version: nothing that a reader sees changes, so no process loads
    /// anything anew. When nothing is left that is [plain or sealed otherwise](Self::seal_status), and
    /// no process seals with a former key any more, that key can go. Old pages of the database, its
    /// journal and its backups may still hold what stood there before.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store has no vault, or fails.
    pub async fn reseal(&self) -> Result<Resealed, StoreError> {
        needs_vault(&self.inner.database)?;
        reseal(self.ready().await?).await
    }

    /// Counts how the secrets of endpoints are kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database cannot be read.
    pub async fn seal_status(&self) -> Result<SealStatus, StoreError> {
        seal_status(self.ready().await?).await
    }
}
