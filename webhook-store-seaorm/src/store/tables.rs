//! Creating, updating and comparing the tables of a store.

use webhook_core::StoreError;

use super::SeaOrmStore;
use crate::schema::{
    SchemaStatus,
    migrate::{migrate, schema_status},
};

impl SeaOrmStore {
    /// Creates the tables, or brings them up to date. Does nothing when they are.
    ///
    /// # Errors
    ///
    /// [`Schema`](webhook_core::StoreErrorKind::Schema) when the tables are newer than this
    /// program, or not ours.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrate(&self.inner.database).await
    }

    /// How the tables compare with those this version needs. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database cannot be read.
    pub async fn schema_status(&self) -> Result<SchemaStatus, StoreError> {
        schema_status(&self.inner.database).await
    }
}
