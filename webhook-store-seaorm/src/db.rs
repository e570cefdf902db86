//! The database itself: connections, transactions, dialects, errors.

pub(crate) mod connect_error;
#[cfg(feature = "__crash-points")]
#[doc(hidden)]
pub mod crash_points;
pub(crate) mod database;
pub(crate) mod dialect;
pub(crate) mod error_class;
pub(crate) mod fault;
pub(crate) mod group_commit;
pub(crate) mod lists;
#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, unused_imports, reason = "PostgreSQL alone has notifications")
)]
pub(crate) mod notify;
pub(crate) mod pools;
#[cfg(any(
    feature = "postgres",
    all(feature = "sqlx", any(feature = "sqlite", feature = "mysql"))
))]
pub(crate) mod raw_sqlx;
pub(crate) mod reconnect;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod secret_columns;
pub(crate) mod sql;
pub(crate) mod tx;
pub(crate) mod unit;
