//! How many statements a database has executed, as itself tells.

use std::time::Duration;

use tokio::time::sleep;
use webhook_registry::database::sea_orm::{ConnectionTrait as _, Database, Statement};

use crate::{Failure, place::is_postgres};

/// How long PostgreSQL takes to tell what its processes have done that ended.
const TOLD: Duration = Duration::from_millis(500);

/// What is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Statements {
    /// Statements, by the extension of PostgreSQL that counts them.
    Each,
    /// Transactions, which PostgreSQL counts without it.
    Transactions,
    /// Nothing: other databases count for the whole server alone.
    Uncounted,
}

impl Statements {
    /// What this server counts.
    pub(super) async fn of(db: &str) -> Result<Self, Failure> {
        if !is_postgres(db) {
            return Ok(Self::Uncounted);
        }
        let sql = "SELECT CAST(strpos(current_setting('shared_preload_libraries'), \
                   'pg_stat_statements') AS BIGINT) AS number";
        let preloaded = number(db, sql).await? > 0.0;
        Ok(if preloaded { Self::Each } else { Self::Transactions })
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Each => "statements",
            Self::Transactions => "transactions",
            Self::Uncounted => "not counted",
        }
    }

    /// How many there were in this database so far.
    pub(super) async fn so_far(self, url: &str) -> Result<f64, Failure> {
        let sql = match self {
            Self::Uncounted => return Ok(0.0),
            Self::Transactions => {
                "SELECT xact_commit + xact_rollback AS number FROM pg_stat_database \
                 WHERE datname = current_database()"
            }
            Self::Each => {
                crate::place::execute(url, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
                    .await?;
                "SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT) AS number FROM pg_stat_statements \
                 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
            }
        };
        sleep(TOLD).await;
        number(url, sql).await
    }
}

async fn number(url: &str, sql: &str) -> Result<f64, Failure> {
    let database = Database::connect(url).await?;
    let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql));
    let number: i64 = row.await?.ok_or("nothing is counted")?.try_get("", "number")?;
    database.close().await?;
    Ok(number as f64)
}
