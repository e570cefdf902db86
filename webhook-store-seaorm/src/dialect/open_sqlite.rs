//! Opening a SQLite database: one connection that writes, several that read.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbErr,
    sqlx::sqlite::SqliteSynchronous,
};

use crate::store::Pools;

/// SQLite lets one connection write at a time. A pool of one makes the others of this process wait
/// in line instead of polling for the lock.
pub(crate) async fn open(url: &str, readers: u32, limit: Duration) -> Result<Pools, DbErr> {
    let writer = pool(url, 1, limit).await?;
    // SQLite opens anything, and looks into the file at the first question only.
    writer.execute_unprepared("SELECT COUNT(*) FROM sqlite_master").await?;
    // A database in memory belongs to its connection, so there is only that one.
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let readers = if in_memory { writer.clone() } else { pool(url, readers, limit).await? };
    Ok(Pools { writer, readers })
}

async fn pool(url: &str, size: u32, limit: Duration) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .min_connections(1)
        .max_connections(size)
        .acquire_timeout(limit)
        // Closing an idle connection would drop a database in memory, and gains nothing on a file.
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
        .sqlx_logging(false)
        // Below the limit of a unit, so that a locked database is told as such.
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(limit.min(Duration::from_secs(5)))
        });
    Database::connect(options).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::{DbBackend, Statement};

    async fn pragma(pool: &DatabaseConnection, name: &str) -> i64 {
        let sql = format!("SELECT * FROM pragma_{name}");
        let row = pool.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await;
        row.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    #[tokio::test]
    async fn every_connection_flushes_at_commit_and_waits_for_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/a.db?mode=rwc", folder.path().display());
        let pools = open(&url, 2, Duration::from_secs(1)).await.unwrap();
        for pool in [&pools.writer, &pools.readers] {
            assert_eq!(pragma(pool, "synchronous").await, 2, "FULL");
            assert_eq!(pragma(pool, "foreign_keys").await, 1);
            assert_eq!(pragma(pool, "busy_timeout").await, 1000);
        }
    }
}
