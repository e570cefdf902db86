//! Request to open a database, and its result.

use std::time::Duration;

#[cfg(any(feature = "postgres", feature = "mysql"))]
use sea_orm::DbErr;

use crate::db::pools::{OpenPool, Pools};

/// Database to open.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "what is read depends on the databases compiled in")]
pub(crate) struct OpenRequest<'a> {
    pub(crate) url: &'a str,
    /// Largest number of connections.
    pub(crate) size: u32,
    /// Time limit for each response.
    pub(crate) limit: Duration,
    /// True if nothing may need a session of its own.
    pub(crate) poll_only: bool,
}

/// Pools of an open database.
pub(crate) struct OpenedDatabase {
    pub(crate) pools: Pools,
    /// Opens the pool of the connection that listens for notifications, on databases that have
    /// them.
    pub(crate) listener: Option<OpenPool>,
    /// Schema of the tables if no other is set, on databases with schemas.
    pub(crate) schema: Option<String>,
}

/// Error of a connection that could not be opened.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn unopened(error: sea_orm::sqlx::Error) -> DbErr {
    match error {
        // No response within the limit.
        sea_orm::sqlx::Error::PoolTimedOut => {
            DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)
        }
        error => DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into())),
    }
}
