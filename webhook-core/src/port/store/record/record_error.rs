//! Errors of records.

use crate::port::{
    store::error::{StoreError, StoreErrorKind},
    vault::VaultError,
};

/// A record cannot be made, or holds no valid value. The messages never repeat a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Another release wrote the record.
    #[error(
        "unknown version {0} of a record; read it by the release that wrote it, or a later one"
    )]
    UnknownVersion(u32),
    /// The text is not JSON, or not that of the record.
    #[error("cannot read the record at line {line}, column {column}; the stored text is damaged")]
    InvalidJson {
        /// Line of the fault, from 1 on.
        line: usize,
        /// Column of the fault.
        column: usize,
    },
    /// The field has an invalid value.
    #[error("cannot read the field {0} of the record")]
    Unreadable(&'static str),
    /// The field is sealed, and the caller has no vault.
    #[error("cannot open the sealed field {0} of the record without a vault")]
    NoVault(&'static str),
    /// The vault cannot open the field.
    #[error("cannot open the sealed field {0} of the record")]
    NotOpened(&'static str, #[source] VaultError),
    /// The vault cannot seal the field. It is never stored unsealed instead.
    #[error("cannot seal the field {0} of the record")]
    NotSealed(&'static str, #[source] VaultError),
}

impl From<RecordError> for StoreError {
    /// A record of an unknown version is [`Schema`](StoreErrorKind::Schema). One that cannot be
    /// read is [`Corrupt`](StoreErrorKind::Corrupt).
    fn from(error: RecordError) -> Self {
        let kind = match error {
            RecordError::NotSealed(..) => StoreErrorKind::Other,
            RecordError::UnknownVersion(_) => StoreErrorKind::Schema,
            _ => StoreErrorKind::Corrupt,
        };
        Self::because(kind, error)
    }
}
