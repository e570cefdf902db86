//! Opening a database, of whichever kind is compiled in.

use std::{future::Future, pin::Pin, time::Duration};

use sea_orm::{DbBackend, DbErr};

use super::Dialect;
use crate::{connect_error::ConnectError, store::Pools};

/// An open database.
pub(crate) struct Opened {
    pub(crate) pools: Pools,
    /// The schema in which the tables live if no other is asked for, where there are schemas.
    pub(crate) schema: Option<String>,
}

/// Boxed: the futures of the database library nest deeper than a caller's compiler may like.
pub(crate) type Opening<'a> = Pin<Box<dyn Future<Output = Result<Opened, DbErr>> + Send + 'a>>;

/// Opens the database at `url`: up to `size` connections, each answering within `limit`.
pub(crate) fn open<'a>(
    dialect: &dyn Dialect,
    url: &'a str,
    size: u32,
    limit: Duration,
) -> Result<Opening<'a>, ConnectError> {
    let _ = (url, size, limit);
    match dialect.backend() {
        #[cfg(feature = "sqlite")]
        DbBackend::Sqlite => Ok(Box::pin(super::open_sqlite::open(url, size, limit))),
        #[cfg(feature = "postgres")]
        DbBackend::Postgres => Ok(Box::pin(super::open_postgres::open(url, size, limit))),
        #[cfg(feature = "mysql")]
        DbBackend::MySql => Ok(Box::pin(super::open_mysql::open(url, size, limit))),
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
