//! Meaning of the error codes of a database.

use webhook_core::StoreErrorKind;

/// Meaning of a database error for the unit of work that it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ErrorClass {
    /// Nothing was written, because a row exists that the unit had not looked for. A retry, which
    /// looks before it writes, finds that row.
    OptimisticMiss,
    /// Nothing was written, and a retry of the whole unit may succeed.
    Retryable(StoreErrorKind),
    /// The connection was lost, and its uncommitted work with it. A retry of the whole unit on
    /// another connection may succeed. At the commit it is unknown whether the unit was written.
    ConnectionLost,
    /// Nothing was written, and a retry would fail as well.
    Permanent(StoreErrorKind),
    /// Like `Permanent`, but at the commit it is unknown whether the unit was written.
    Ambiguous(StoreErrorKind),
}

/// Reason for which a server refuses a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The user, its password or its rights.
    User,
    /// The database does not exist.
    Database,
}
