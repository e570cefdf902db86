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
    use sea_orm::{
        RuntimeErr, Value,
        sqlx::{self, Arguments, AssertSqlSafe, Database, Encode, Transaction, Type},
    };
    use uuid::Uuid;

    use super::{DbBackend, DbErr, Inside, QueryResult, Statement, async_trait};

    macro_rules! inside {
        ($($feature:literal $database:ident $backend:ident),*) => {$(
            #[cfg(feature = $feature)]
            #[async_trait]
            impl Inside for &mut Transaction<'_, sqlx::$database> {
                fn backend(&self) -> DbBackend {
                    DbBackend::$backend
                }

                async fn execute(&mut self, statement: Statement) -> Result<(), DbErr> {
                    let arguments = arguments::<sqlx::$database>(&statement)?;
                    let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
                    query.execute(&mut ***self).await.map(|_| ()).map_err(failed)
                }

                async fn first_row(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
                    let arguments = arguments::<sqlx::$database>(&statement)?;
                    let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
                    let row = query.fetch_optional(&mut ***self).await.map_err(failed)?;
                    Ok(row.map(QueryResult::from))
                }
            }
        )*};
    }

    inside! { "sqlite" Sqlite Sqlite, "postgres" Postgres Postgres, "mysql" MySql MySql }

    fn failed(error: sqlx::Error) -> DbErr {
        DbErr::Query(RuntimeErr::SqlxError(std::sync::Arc::new(error)))
    }

    /// The values of a statement, as sqlx wants them: only the kinds that an event has.
    fn arguments<D>(statement: &Statement) -> Result<D::Arguments, DbErr>
    where
        D: Database,
        for<'t> Option<i64>: Encode<'t, D> + Type<D>,
        for<'t> Option<String>: Encode<'t, D> + Type<D>,
        for<'t> Option<Vec<u8>>: Encode<'t, D> + Type<D>,
        for<'t> Option<Uuid>: Encode<'t, D> + Type<D>,
    {
        let mut arguments = D::Arguments::default();
        for value in statement.values.iter().flat_map(|values| values.iter().cloned()) {
            let added = match value {
                Value::BigInt(number) => arguments.add(number),
                Value::String(text) => arguments.add(text),
                Value::Bytes(bytes) => arguments.add(bytes),
                Value::Uuid(id) => arguments.add(id),
                _ => Err("a value of a kind that no event has".into()),
            };
            added.map_err(|error| DbErr::Custom(error.to_string()))?;
        }
        Ok(arguments)
    }
}
