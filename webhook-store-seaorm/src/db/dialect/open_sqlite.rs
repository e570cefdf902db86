//! Opening a SQLite database: one connection that writes, several that read.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbErr,
    sqlx::{
        ConnectOptions as _, Connection as _, Error, SqliteConnection,
        sqlite::{SqliteConnectOptions, SqliteSynchronous},
    },
};

use super::opened::{OpenRequest, OpenedDatabase};
use crate::db::pools::Pools;

/// SQLite lets one connection write at a time. A pool of one makes the others of this process wait
/// in line instead of polling for the lock.
pub(super) async fn open(request: OpenRequest<'_>) -> Result<OpenedDatabase, DbErr> {
    let OpenRequest { url, size, limit, .. } = request;
    let replace = Arc::<AtomicBool>::default();
    let writer = pool(url, 1, limit, &replace).await?;
    // SQLite opens anything, and looks into the file at the first question only.
    writer.execute_unprepared("SELECT COUNT(*) FROM sqlite_master").await?;
    // A database in memory belongs to its connection, so there is only that one.
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let readers =
        if in_memory { writer.clone() } else { pool(url, size, limit, &Arc::default()).await? };
    Ok(OpenedDatabase {
        pools: Pools::permanent(writer, readers, replace),
        schema: None,
        listener: None,
    })
}

async fn pool(
    url: &str,
    size: u32,
    limit: Duration,
    replace: &Arc<AtomicBool>,
) -> Result<DatabaseConnection, DbErr> {
    let replace = Arc::clone(replace);
    let chosen = Arc::new(OnceLock::<SqliteConnectOptions>::new());
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
        .map_sqlx_sqlite_opts({
            let chosen = Arc::clone(&chosen);
            move |sqlite| {
                let sqlite = sqlite
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    // Below the limit of a unit, so that a locked database is told as such.
                    .busy_timeout(limit.min(Duration::from_secs(5)));
                chosen.get_or_init(|| sqlite).clone()
            }
        })
        .map_sqlx_sqlite_pool_opts(move |pool| {
            let (chosen, replace) = (Arc::clone(&chosen), Arc::clone(&replace));
            pool.after_release(move |it, _| {
                Box::pin(check_in(it, chosen.get().cloned(), Arc::clone(&replace)))
            })
        });
    Database::connect(options).await
}

/// Sees to it that a connection which comes back is outside of any transaction, in its own eyes too.
///
/// SQLite rolls back by itself when the disk is full or fails. The driver then cannot roll back any
/// more and takes the connection for one inside a transaction for ever: it would begin each later
/// transaction as a part of that one, and commit it to nowhere. Such a connection is replaced on the
/// spot, the new one before the old one goes: a database in memory goes with its last connection. So is
/// one that was opened when the file might not be written: SQLite opens it for reading then, for ever.
async fn check_in(
    connection: &mut SqliteConnection,
    options: Option<SqliteConnectOptions>,
    replace: Arc<AtomicBool>,
) -> Result<bool, Error> {
    // Behind a rollback that is still under way.
    connection.ping().await?;
    if connection.is_in_transaction() || replace.swap(false, Ordering::AcqRel) {
        let Some(options) = options else { return Ok(false) };
        *connection = options.connect().await?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::{DbBackend, Statement};
    use webhook_core::{
        Endpoint, EndpointId, Event, EventId, StoreErrorKind, Timestamp,
        store::{DeliveryLog as _, Enqueue, Store as _},
    };

    use crate::SeaOrmStore;

    async fn pragma(pool: &DatabaseConnection, name: &str) -> i64 {
        let sql = format!("SELECT * FROM pragma_{name}");
        let row = pool.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await;
        row.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    #[tokio::test]
    async fn every_connection_flushes_at_commit_and_waits_for_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/a.db?mode=rwc", folder.path().display());
        let limit = Duration::from_secs(1);
        let request = OpenRequest { url: &url, size: 2, limit, poll_only: false };
        let OpenedDatabase { pools, .. } = open(request).await.unwrap();
        for pool in [&pools.writer(), &pools.readers()] {
            assert_eq!(pragma(pool, "synchronous").await, 2, "FULL");
            assert_eq!(pragma(pool, "foreign_keys").await, 1);
            assert_eq!(pragma(pool, "busy_timeout").await, 1000);
        }
    }

    fn event(number: u128, body: Vec<u8>) -> Enqueue {
        let id = EventId::from_uuid(uuid::Uuid::from_u128(number));
        Enqueue::unrouted(Event::new(id, "a.b".parse().unwrap(), Timestamp::default(), body))
    }

    /// Lets a store run into the end of the disk, once, and rolls back once more after it.
    async fn fill(store: &SeaOrmStore) -> StoreErrorKind {
        let writer = &store.inner.database.pools.writer();
        let id = EndpointId::from_uuid(uuid::Uuid::nil());
        let endpoint = Endpoint::new(id, "https://a.example/".parse().unwrap());
        store.add_endpoint(endpoint.clone()).await.unwrap();
        writer.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
        let error = store.enqueue(vec![event(1, vec![7; 300_000])]).await.unwrap_err();
        writer.execute_unprepared("PRAGMA max_page_count = 1000000").await.unwrap();
        let exists = store.add_endpoint(endpoint).await.unwrap_err();
        assert_eq!(exists.kind(), StoreErrorKind::Exists);
        error.kind()
    }

    #[tokio::test]
    async fn after_a_full_disk_nothing_is_acknowledged_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/a.db?mode=rwc", folder.path().display());
        let store = SeaOrmStore::connect(&url).await.unwrap();
        store.migrate().await.unwrap();
        let other = SeaOrmStore::builder(&url).unit_limit(Duration::from_millis(500));
        let other = other.connect().await.unwrap();
        assert_eq!(fill(&store).await, StoreErrorKind::Refused);
        let (first, second) = (event(2, Vec::new()), event(3, Vec::new()));
        store.enqueue(vec![first.clone()]).await.unwrap();
        assert!(other.event(first.event.id).await.unwrap().is_some(), "lost");
        other.enqueue(vec![second]).await.unwrap();
    }

    #[tokio::test]
    async fn a_database_in_memory_survives_being_full() {
        let store = SeaOrmStore::connect("sqlite::memory:").await.unwrap();
        store.migrate().await.unwrap();
        let before = event(2, Vec::new());
        store.enqueue(vec![before.clone()]).await.unwrap();
        assert_eq!(fill(&store).await, StoreErrorKind::Refused);
        assert!(store.event(before.event.id).await.unwrap().is_some(), "lost");
        store.enqueue(vec![event(3, Vec::new())]).await.unwrap();
        let undone = store.inner.database.pools.writer().execute_unprepared("ROLLBACK").await;
        assert!(undone.is_err(), "what was acknowledged was still inside a transaction");
    }
}
