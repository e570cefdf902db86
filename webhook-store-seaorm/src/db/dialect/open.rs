//! Opening a database, of whichever kind is compiled in.

use std::{future::Future, pin::Pin};

use sea_orm::{DbBackend, DbErr};

use super::{
    Dialect,
    opened::{OpenRequest, OpenedDatabase},
};
use crate::db::connect_error::ConnectError;

/// Boxed: the futures of the database library nest deeper than a caller's compiler may like.
pub(crate) type OpenFuture<'a> =
    Pin<Box<dyn Future<Output = Result<OpenedDatabase, DbErr>> + Send + 'a>>;

/// Opens a database.
pub(crate) fn open<'a>(
    dialect: &dyn Dialect,
    request: OpenRequest<'a>,
) -> Result<OpenFuture<'a>, ConnectError> {
    let _ = request;
    match dialect.backend() {
        #[cfg(feature = "sqlite")]
        DbBackend::Sqlite => Ok(Box::pin(super::open_sqlite::open(request))),
        #[cfg(feature = "postgres")]
        DbBackend::Postgres => Ok(Box::pin(super::open_postgres::open(request))),
        #[cfg(feature = "mysql")]
        DbBackend::MySql => Ok(Box::pin(super::open_mysql::open(request))),
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
