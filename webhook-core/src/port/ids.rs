//! New identifiers.

use std::fmt;

use uuid::Uuid;

/// Makes new identifiers.
///
/// # Contract
///
/// No value is ever given twice, in this process or another. Values that rise with time (UUIDv7)
/// keep the indexes of a store compact and lists in the order of publishing.
pub trait Ids: fmt::Debug + Send + Sync + 'static {
    /// A new identifier.
    fn next_id(&self) -> Uuid;
}
