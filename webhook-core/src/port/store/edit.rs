//! Result of an edit of an endpoint.

use crate::model::id::Revision;

/// Result of an edit.
///
/// Closed: a store returns each result, and each caller handles it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Updated {
    /// The edit is stored. This is the present revision of the endpoint.
    Done(Revision),
    /// Another edit was stored first: read the endpoint again.
    Stale,
    /// The tenant has no such endpoint.
    NotFound,
}
