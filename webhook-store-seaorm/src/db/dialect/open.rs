//! Opening a database, of whichever kind is compiled in.

use std::{future::Future, pin::Pin, time::Duration};

use sea_orm::{DatabaseConnection, DbBackend, DbErr};

use super::Dialect;
use crate::db::{connect_error::ConnectError, pools::Pools};

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

/// Opens a pool, without waiting for a connection.
pub(crate) type Opener = Box<dyn Fn() -> DatabaseConnection + Send + Sync>;

/// The way to a database over a network.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) struct Way {
    pub(crate) open: Opener,
    pub(crate) knock: crate::db::reconnect::Knock,
    /// How many connections a pool has.
    pub(crate) standing: fn(&DatabaseConnection) -> u32,
}

/// An open database.
pub(crate) struct Opened {
    pub(crate) pools: Pools,
    /// Opens the connection that listens for hints, where there are any.
    pub(crate) listener: Option<Opener>,
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

/// Boxed: the futures of the database library nest deeper than a caller's compiler may like.
pub(crate) type Opening<'a> = Pin<Box<dyn Future<Output = Result<Opened, DbErr>> + Send + 'a>>;

/// Opens a database.
pub(crate) fn open<'a>(
    dialect: &dyn Dialect,
    asked: Asked<'a>,
) -> Result<Opening<'a>, ConnectError> {
    let _ = asked;
    match dialect.backend() {
        #[cfg(feature = "sqlite")]
        DbBackend::Sqlite => Ok(Box::pin(super::open_sqlite::open(asked))),
        #[cfg(feature = "postgres")]
        DbBackend::Postgres => Ok(Box::pin(super::open_postgres::open(asked))),
        #[cfg(feature = "mysql")]
        DbBackend::MySql => Ok(Box::pin(super::open_mysql::open(asked))),
        #[allow(unreachable_patterns, reason = "all three may be compiled in")]
        other => Err(ConnectError::Feature { feature: feature(other) }),
    }
}

#[allow(dead_code, reason = "all three may be compiled in")]
const fn feature(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "sqlite",
        DbBackend::Postgres => "postgres",
        _ => "mysql",
    }
}
