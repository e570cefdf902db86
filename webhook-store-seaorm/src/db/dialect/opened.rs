//! Request to open a database, and its result.

use std::time::Duration;

#[cfg(any(feature = "postgres", feature = "mysql"))]
use sea_orm::DbErr;

use crate::db::pools::{OpenPool, Pools};

/// What is to be opened.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "what is read depends on the databases compiled in")]
pub(crate) struct Asked<'a> {
    pub(crate) url: &'a str,
    /// Up to so many connections.
    pub(crate) size: u32,
    /// Within which each answers.
    pub(crate) limit: Duration,
    /// Without anything that needs a session of one's own.
    pub(crate) poll_only: bool,
}

/// An open database.
pub(crate) struct Opened {
    pub(crate) pools: Pools,
    /// Opens the pool of the connection that listens for notifications, on databases that have them.
    pub(crate) listener: Option<OpenPool>,
    /// The schema in which the tables live if no other is asked for, where there are schemas.
    pub(crate) schema: Option<String>,
}

/// Why no connection could be opened.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn unopened(error: sea_orm::sqlx::Error) -> DbErr {
    match error {
        // Nobody has answered in time.
        sea_orm::sqlx::Error::PoolTimedOut => {
            DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)
        }
        error => DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into())),
    }
}
