//! Result of an edit of an endpoint.

use crate::model::id::Revision;

/// What became of an edit.
///
/// Closed: a store returns each result, and each caller handles it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Updated {
    /// It is stored, and this is the endpoint's revision now.
    Done(Revision),
    /// Somebody else was faster: read the endpoint again.
    Stale,
    /// There is no such endpoint of this tenant.
    NotFound,
}
