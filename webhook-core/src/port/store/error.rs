use std::error::Error;

use crate::port::store::capability::Capability;

/// A store could not do what it was asked.
///
/// The kind says what happens next, the source says why.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error of this kind, without a reason.
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error of this kind, with its reason.
    pub fn because(kind: StoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// Creates the error of a call that needs a missing capability.
    pub const fn unsupported(capability: Capability) -> Self {
        Self::new(StoreErrorKind::Unsupported(capability))
    }

    /// Sets the kind, and keeps the source.
    #[must_use]
    pub fn with_kind(mut self, kind: StoreErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Kind of the error, which tells the next step.
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Why it failed, as text for a log.
    pub(crate) fn cause(&self) -> String {
        std::error::Error::source(self).map(ToString::to_string).unwrap_or_default()
    }
}

/// Kinds of store errors, by the next step of the caller.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store cannot be reached, or is too busy. Nothing was written; try again.
    #[error("the store is not available")]
    Unavailable,
    /// The answer to a commit was lost: it may be written, or not. Say the same again: identifiers,
    /// keys and lease epochs make that safe.
    #[error("the store did not say whether it wrote")]
    Unknown,
    /// The store refuses to write: full, or read-only, or we lack the right. Nothing was written;
    /// an operator has to help.
    #[error("the store refuses; check our rights in it, its disk and whether it is read-only")]
    Refused,
    /// The tables are missing, older or newer than this program, or not ours. Migrate first.
    #[error("the store's tables do not fit this program")]
    Schema,
    /// A stored row cannot be read.
    #[error("a stored row cannot be read")]
    Corrupt,
    /// The thing to add exists already.
    #[error("it exists already")]
    Exists,
    /// The call needs a capability that the store does not have. Nothing was written.
    #[error("the store does not support {0}; use a store that does")]
    Unsupported(Capability),
    /// Anything else.
    #[error("the store failed")]
    Other,
}

impl StoreErrorKind {
    /// Whether the cause may lie in a single item of a batch, so that asking again one by one lets
    /// the others pass. The rest concerns the store as a whole.
    pub const fn may_concern_one_item(self) -> bool {
        matches!(self, Self::Corrupt | Self::Exists | Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_told_and_the_reason_is_its_cause() {
        let error = StoreError::because(StoreErrorKind::Unavailable, "connection refused");
        assert_eq!(
            (error.to_string(), error.cause()),
            ("the store is not available".to_owned(), "connection refused".to_owned(),)
        );
        let unknown = error.with_kind(StoreErrorKind::Unknown);
        assert_eq!(unknown.kind(), StoreErrorKind::Unknown);
        assert_eq!(unknown.cause(), "connection refused", "the reason stays the same");
        assert_eq!(StoreError::new(StoreErrorKind::Corrupt).cause(), "");
    }
}
