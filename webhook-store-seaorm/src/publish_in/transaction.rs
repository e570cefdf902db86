//! The transactions that callers have open.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement};

/// A transaction that the caller has open, and will commit or roll back.
///
/// Implemented for `&DatabaseTransaction` of SeaORM and, with the feature `sqlx`, for
/// `&mut Transaction` of sqlx; for nothing else, and in particular for no bare connection.
pub trait CallersTransaction: Inside {}

impl<T: Inside> CallersTransaction for T {}

/// Keeps [`CallersTransaction`] to those below.
#[async_trait]
pub trait Inside: Send {
    fn backend(&self) -> DbBackend;
    async fn execute(&mut self, statement: Statement) -> Result<(), DbErr>;
    async fn first_row(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr>;
}

#[async_trait]
impl Inside for &DatabaseTransaction {
    fn backend(&self) -> DbBackend {
        self.get_database_backend()
    }

    async fn execute(&mut self, statement: Statement) -> Result<(), DbErr> {
        self.execute_raw(statement).await.map(|_| ())
    }

    async fn first_row(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.query_one_raw(statement).await
    }
}

#[cfg(all(feature = "sqlx", any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
mod of_sqlx {
    use sea_orm::sqlx::{self, AssertSqlSafe, Transaction};

    use super::{DbBackend, DbErr, Inside, QueryResult, Statement, async_trait};
    use crate::db::raw_sqlx::{arguments, failed, no_other};

    macro_rules! inside {
        ($($feature:literal $database:ident $backend:ident),*) => {$(
            #[cfg(feature = $feature)]
            #[async_trait]
            impl Inside for &mut Transaction<'_, sqlx::$database> {
                fn backend(&self) -> DbBackend {
                    DbBackend::$backend
                }

                async fn execute(&mut self, statement: Statement) -> Result<(), DbErr> {
                    let arguments = arguments::<sqlx::$database>(statement.values, no_other)?;
                    let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
                    // Unnamed: a pooler may stand between, and each event is one statement.
                    query.persistent(false).execute(&mut ***self).await.map(|_| ()).map_err(failed)
                }

                async fn first_row(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
                    let arguments = arguments::<sqlx::$database>(statement.values, no_other)?;
                    let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
                    let row = query.persistent(false).fetch_optional(&mut ***self).await.map_err(failed)?;
                    Ok(row.map(QueryResult::from))
                }
            }
        )*};
    }

    inside! { "sqlite" Sqlite Sqlite, "postgres" Postgres Postgres, "mysql" MySql MySql }
}
