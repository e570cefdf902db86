//! An open transaction, through SeaORM or through sqlx.
//!
//! On PostgreSQL statements go through sqlx, because a value may be a list with `NULL` items, which
//! SeaORM does not accept.
//!
//! Statements have names and stay prepared in their connection. A pooler in transaction mode, such
//! as PgBouncer, gives each transaction another connection, in which a name is unknown or means
//! another statement. For poolers, statements have no names, and settings of the session become
//! settings of the transaction.

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, QueryResult, Statement,
    TransactionOptions, TransactionTrait as _,
};

#[cfg(feature = "postgres")]
use sea_orm::sqlx::{
    AssertSqlSafe, Postgres, Transaction, postgres::PgArguments, query::Query, query_with,
};
#[cfg(feature = "postgres")]
use tokio::sync::Mutex;

#[cfg(feature = "postgres")]
use crate::db::raw_sqlx::{failed, postgres_arguments};

/// Library and preparation of the statements of a pool.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "what is used depends on the databases compiled in")]
pub(crate) enum Mode {
    /// Through SeaORM; statements have names.
    SeaOrm,
    /// Through sqlx; statements have names or not.
    #[cfg(feature = "postgres")]
    Postgres { named: bool, begin: String, begin_keeping_plans: String },
}

/// Options of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TxOptions {
    /// True if it writes.
    pub(crate) writes: bool,
    /// True if statements are planned once for each connection, on databases that can do so.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "PostgreSQL alone keeps plans")
    )]
    pub(crate) keeps_plans: bool,
}

/// An open transaction.
#[derive(Debug)]
pub(crate) enum OpenTx {
    SeaOrm(DatabaseTransaction),
    #[cfg(feature = "postgres")]
    Postgres {
        inner: Mutex<Transaction<'static, Postgres>>,
        named: bool,
    },
}

/// A statement with its values, for sqlx.
#[cfg(feature = "postgres")]
fn query(
    statement: Statement,
    named: bool,
) -> Result<Query<'static, Postgres, PgArguments>, DbErr> {
    let arguments = postgres_arguments(statement.values)?;
    Ok(query_with(AssertSqlSafe(statement.sql), arguments).persistent(named))
}

impl OpenTx {
    #[cfg_attr(
        not(feature = "postgres"),
        allow(unused_variables, reason = "PostgreSQL alone keeps plans")
    )]
    pub(crate) async fn begin(
        pool: &DatabaseConnection,
        isolation: TransactionOptions,
        mode: &Mode,
        options: TxOptions,
    ) -> Result<Self, DbErr> {
        match mode {
            Mode::SeaOrm => pool.begin_with_options(isolation).await.map(Self::SeaOrm),
            #[cfg(feature = "postgres")]
            Mode::Postgres { named, begin, begin_keeping_plans } => {
                let begin = if options.keeps_plans { begin_keeping_plans } else { begin };
                let pool = pool.get_postgres_connection_pool();
                let opened = pool.begin_with(AssertSqlSafe(begin.clone())).await;
                Ok(Self::Postgres { inner: Mutex::new(opened.map_err(failed)?), named: *named })
            }
        }
    }

    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        match self {
            Self::SeaOrm(inner) => inner.commit().await,
            #[cfg(feature = "postgres")]
            Self::Postgres { inner, .. } => inner.into_inner().commit().await.map_err(failed),
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        match self {
            Self::SeaOrm(inner) => inner.rollback().await,
            #[cfg(feature = "postgres")]
            Self::Postgres { inner, .. } => inner.into_inner().rollback().await.map_err(failed),
        }
    }

    pub(crate) async fn all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::SeaOrm(inner) => inner.query_all_raw(statement).await,
            #[cfg(feature = "postgres")]
            Self::Postgres { inner, named } => {
                let query = query(statement, *named)?;
                let rows = query.fetch_all(&mut **inner.lock().await).await.map_err(failed)?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
        }
    }

    pub(crate) async fn one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::SeaOrm(inner) => inner.query_one_raw(statement).await,
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => Ok(self.all(statement).await?.into_iter().next()),
        }
    }

    /// Runs a statement, and returns the number of rows that it changed.
    pub(crate) async fn run(&self, statement: Statement) -> Result<u64, DbErr> {
        match self {
            Self::SeaOrm(inner) => Ok(inner.execute_raw(statement).await?.rows_affected()),
            #[cfg(feature = "postgres")]
            Self::Postgres { inner, named } => {
                let query = query(statement, *named)?;
                let done = query.execute(&mut **inner.lock().await).await.map_err(failed)?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Runs a statement without values that cannot be prepared.
    pub(crate) async fn run_plain(&self, sql: &str) -> Result<(), DbErr> {
        match self {
            Self::SeaOrm(inner) => inner.execute_unprepared(sql).await.map(drop),
            #[cfg(feature = "postgres")]
            Self::Postgres { inner, .. } => {
                let query = sea_orm::sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
                query.execute(&mut **inner.lock().await).await.map(drop).map_err(failed)
            }
        }
    }
}
