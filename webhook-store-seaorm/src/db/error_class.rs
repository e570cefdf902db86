//! Meaning of the error codes of a database.

use webhook_core::StoreErrorKind;

/// What an error of the database means for the unit it hit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// Nothing was written, and running the whole unit again may work.
    Passing(StoreErrorKind),
    /// The connection is gone, and what it had not committed with it: running the whole unit again,
    /// on another connection, may work. When it hits the commit, nobody knows whether it was written.
    Lost,
    /// Nothing was written, and running it again would not help.
    Lasting(StoreErrorKind),
    /// As lasting; but when it hits the commit, nobody knows whether it was written.
    Unclear(StoreErrorKind),
}

/// What may be wrong when a server lets nobody in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The user, or what it may do.
    User,
    /// The database: there is none.
    Database,
}
