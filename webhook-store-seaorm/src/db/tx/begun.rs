//! A transaction that has begun, and how its statements are spoken.
//!
//! On PostgreSQL they go through sqlx itself: a value there may be a list, with gaps in it, which SeaORM
//! does not take.
//!
//! Every statement gets a name and is kept prepared with its connection. A pooler in transaction mode,
//! such as PgBouncer, hands each transaction another connection, where that name means nothing, or
//! something else. For it, statements have none, and what would be a setting of the session is one of
//! the transaction.

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

/// How statements are spoken.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "what is used depends on the databases compiled in")]
pub(crate) enum Manner {
    /// By SeaORM, prepared under a name, once for each connection.
    Named,
    /// By sqlx; the same, or without a name.
    #[cfg(feature = "postgres")]
    Postgres { named: bool, begin: String, begin_keeping_plans: String },
}

/// What a unit wants of its transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants {
    /// To write.
    pub(crate) writes: bool,
    /// To have its statements planned once for each connection, where that is to be had.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "PostgreSQL alone keeps plans")
    )]
    pub(crate) kept_plans: bool,
}

/// A transaction that has begun.
#[derive(Debug)]
pub(crate) enum Begun {
    Named(DatabaseTransaction),
    #[cfg(feature = "postgres")]
    Postgres {
        inner: Mutex<Transaction<'static, Postgres>>,
        named: bool,
    },
}

/// A statement, ready to be sent.
#[cfg(feature = "postgres")]
fn query(
    statement: Statement,
    named: bool,
) -> Result<Query<'static, Postgres, PgArguments>, DbErr> {
    let arguments = postgres_arguments(statement.values)?;
    Ok(query_with(AssertSqlSafe(statement.sql), arguments).persistent(named))
}

impl Begun {
    #[cfg_attr(
        not(feature = "postgres"),
        allow(unused_variables, reason = "PostgreSQL alone keeps plans")
    )]
    pub(crate) async fn begin(
        pool: &DatabaseConnection,
        options: TransactionOptions,
        manner: &Manner,
        wants: Wants,
    ) -> Result<Self, DbErr> {
        match manner {
            Manner::Named => pool.begin_with_options(options).await.map(Self::Named),
            #[cfg(feature = "postgres")]
            Manner::Postgres { named, begin, begin_keeping_plans } => {
                let begin = if wants.kept_plans { begin_keeping_plans } else { begin };
                let pool = pool.get_postgres_connection_pool();
                let begun = pool.begin_with(AssertSqlSafe(begin.clone())).await;
                Ok(Self::Postgres { inner: Mutex::new(begun.map_err(failed)?), named: *named })
            }
        }
    }

    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        match self {
            Self::Named(inner) => inner.commit().await,
            #[cfg(feature = "postgres")]
            Self::Postgres { inner, .. } => inner.into_inner().commit().await.map_err(failed),
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        match self {
            Self::Named(inner) => inner.rollback().await,
            #[cfg(feature = "postgres")]
            Self::Postgres { inner, .. } => inner.into_inner().rollback().await.map_err(failed),
        }
    }

    pub(crate) async fn all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Named(inner) => inner.query_all_raw(statement).await,
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
            Self::Named(inner) => inner.query_one_raw(statement).await,
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => Ok(self.all(statement).await?.into_iter().next()),
        }
    }

    /// Runs a statement, and says how many rows it changed.
    pub(crate) async fn run(&self, statement: Statement) -> Result<u64, DbErr> {
        match self {
            Self::Named(inner) => Ok(inner.execute_raw(statement).await?.rows_affected()),
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
            Self::Named(inner) => inner.execute_unprepared(sql).await.map(drop),
            #[cfg(feature = "postgres")]
            Self::Postgres { inner, .. } => {
                let query = sea_orm::sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
                query.execute(&mut **inner.lock().await).await.map(drop).map_err(failed)
            }
        }
    }
}
