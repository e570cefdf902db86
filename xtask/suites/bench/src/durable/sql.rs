//! The statements, for each database the best we know.

use uuid::Uuid;
use webhook_registry::database::sea_orm::sqlx::{
    self, ConnectOptions as _, MySqlConnection, PgConnection, SqliteConnection,
    mysql::MySqlConnectOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::Failure;

/// A connection that is held for good.
pub(super) enum Session {
    Postgres(PgConnection),
    MySql(MySqlConnection, Rows),
    Sqlite(SqliteConnection, Rows),
}

/// When everything here happens, in milliseconds of Unix time.
const NOW: i64 = 1_700_000_000_000;

const STORE_ON_POSTGRES: &str = "WITH new AS (SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) AS new(id, body, endpoint)), \
     stored AS (INSERT INTO webhook_events (id, event_type, body, route_due_at) \
     SELECT id, 'to.0', body, NULL FROM new) \
     INSERT INTO webhook_deliveries (event_id, endpoint_id, tenant, event_type, status, epoch, attempts, \
     due_at, claimed_at, created_at) \
     SELECT id, endpoint, 'default', 'to.0', 'in_flight', 1, 1, $4, $4, $4 FROM new";

const FINISH_ON_POSTGRES: &str = "WITH done AS (UPDATE webhook_deliveries SET status = 'success', \
     recorded = 1, due_at = NULL, finished_at = $3 FROM unnest($1::uuid[], $2::uuid[]) AS it(event, endpoint) \
     WHERE event_id = it.event AND endpoint_id = it.endpoint AND epoch = 1 \
     RETURNING event_id, endpoint_id) \
     INSERT INTO webhook_attempts (event_id, endpoint_id, number, triggered_by, epoch, started_at, \
     duration_ms, status, response_body) \
     SELECT event_id, endpoint_id, 1, 'first', 1, $3, 1, 200, '' FROM done";

/// The statements that both databases without arrays understand, with placeholders for `n` rows.
pub(super) struct Rows {
    events: String,
    deliveries: String,
    attempts: String,
    success: String,
}

impl Rows {
    /// `index` says which index to look in, `list` is how a list of pairs begins.
    fn of(count: usize, index: &str, list: &str) -> Self {
        let rows = |row: &str| vec![row; count].join(", ");
        let these = match count {
            // Lists of one pair are looked for in the whole table.
            1 => "event_id = ? AND endpoint_id = ?".to_owned(),
            _ => format!("(event_id, endpoint_id) IN ({list}{})", rows("(?, ?)")),
        };
        Self {
            events: format!(
                "INSERT INTO webhook_events (id, event_type, body, route_due_at) VALUES {}",
                rows("(?, 'to.0', ?, NULL)")
            ),
            deliveries: format!(
                "INSERT INTO webhook_deliveries (event_id, endpoint_id, tenant, event_type, status, \
                 epoch, attempts, due_at, claimed_at, created_at) VALUES {}",
                rows(&format!("(?, ?, 'default', 'to.0', 'in_flight', 1, 1, {NOW}, {NOW}, {NOW})"))
            ),
            attempts: format!(
                "INSERT INTO webhook_attempts (event_id, endpoint_id, number, triggered_by, epoch, \
                 started_at, duration_ms, status, response_body) VALUES {}",
                rows(&format!("(?, ?, 1, 'first', 1, {NOW}, 1, 200, x'')"))
            ),
            success: format!(
                "UPDATE webhook_deliveries {index} SET status = 'success', recorded = 1, due_at = NULL, \
                 finished_at = {NOW} WHERE epoch = 1 AND {these}"
            ),
        }
    }
}

/// One transaction of two statements with the same keys, on a connection of either kind: the pool and
/// whatever else could come between are not there.
macro_rules! transact {
    ($connection:expr, $begin:literal, $first:expr, $second:expr) => {{
        sqlx::query($begin).execute(&mut *$connection).await?;
        $first.execute(&mut *$connection).await?;
        $second.execute(&mut *$connection).await?;
        sqlx::query("COMMIT").execute(&mut *$connection).await?;
    }};
}

/// Stores a batch on a connection of either kind.
macro_rules! store {
    ($connection:expr, $begin:literal, $rows:expr, $events:expr, $endpoints:expr, $body:expr) => {{
        let mut events = sqlx::query(sqlx::AssertSqlSafe($rows.events.clone()));
        let mut deliveries = sqlx::query(sqlx::AssertSqlSafe($rows.deliveries.clone()));
        for (event, endpoint) in $events.iter().zip($endpoints) {
            events = events.bind(*event).bind($body);
            deliveries = deliveries.bind(*event).bind(*endpoint);
        }
        transact!($connection, $begin, events, deliveries);
    }};
}

/// Finishes a batch on a connection of either kind.
macro_rules! finish {
    ($connection:expr, $begin:literal, $rows:expr, $events:expr, $endpoints:expr) => {{
        let mut attempts = sqlx::query(sqlx::AssertSqlSafe($rows.attempts.clone()));
        let mut success = sqlx::query(sqlx::AssertSqlSafe($rows.success.clone()));
        for (event, endpoint) in $events.iter().zip($endpoints) {
            attempts = attempts.bind(*event).bind(*endpoint);
            success = success.bind(*event).bind(*endpoint);
        }
        transact!($connection, $begin, attempts, success);
    }};
}

impl Session {
    /// One for batches of this size.
    pub(super) async fn open(url: &str, batch: usize) -> Result<Self, Failure> {
        if url.starts_with("postgres") {
            let options: PgConnectOptions = url.parse()?;
            let mut connection = options.disable_statement_logging().connect().await?;
            // A plan made for an empty table must not be one that reads a full one through.
            for off in ["enable_seqscan", "enable_hashjoin", "enable_mergejoin"] {
                let sql = sqlx::AssertSqlSafe(format!("SET {off} = off"));
                sqlx::query(sql).execute(&mut connection).await?;
            }
            return Ok(Self::Postgres(connection));
        }
        if url.starts_with("mysql") {
            let rows = Rows::of(batch, "FORCE INDEX (PRIMARY)", "");
            let options: MySqlConnectOptions = url.parse()?;
            let connection = options.disable_statement_logging().connect().await?;
            return Ok(Self::MySql(connection, rows));
        }
        let options: SqliteConnectOptions = url.parse()?;
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        Ok(Self::Sqlite(options.connect().await?, Rows::of(batch, "", "VALUES ")))
    }

    /// One event, and nothing else.
    pub(super) async fn insert(&mut self, event: Uuid, body: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Postgres(connection) => {
                let sql = "INSERT INTO webhook_events (id, event_type, body, route_due_at) \
                           VALUES ($1, 'to.0', $2, NULL)";
                sqlx::query(sql).bind(event).bind(body).execute(connection).await?;
            }
            Self::MySql(connection, rows) => {
                let sql = sqlx::AssertSqlSafe(rows.events.clone());
                sqlx::query(sql).bind(event).bind(body).execute(connection).await?;
            }
            Self::Sqlite(connection, rows) => {
                let sql = sqlx::AssertSqlSafe(rows.events.clone());
                sqlx::query(sql).bind(event).bind(body).execute(connection).await?;
            }
        }
        Ok(())
    }

    /// Events and their deliveries, leased at once.
    pub(super) async fn store(
        &mut self,
        events: &[Uuid],
        endpoints: &[Uuid],
        body: &[u8],
    ) -> Result<(), Failure> {
        match self {
            Self::Postgres(connection) => {
                let query = sqlx::query(STORE_ON_POSTGRES).bind(events);
                let query = query.bind(vec![body; events.len()]).bind(endpoints).bind(NOW);
                query.execute(connection).await?;
            }
            Self::MySql(connection, rows) => {
                store!(connection, "START TRANSACTION", rows, events, endpoints, body);
            }
            Self::Sqlite(connection, rows) => {
                store!(connection, "BEGIN IMMEDIATE", rows, events, endpoints, body);
            }
        }
        Ok(())
    }

    /// Their attempts and their success.
    pub(super) async fn finish(
        &mut self,
        events: &[Uuid],
        endpoints: &[Uuid],
    ) -> Result<(), Failure> {
        match self {
            Self::Postgres(connection) => {
                let query = sqlx::query(FINISH_ON_POSTGRES).bind(events).bind(endpoints);
                query.bind(NOW).execute(connection).await?;
            }
            Self::MySql(connection, rows) => {
                finish!(connection, "START TRANSACTION", rows, events, endpoints);
            }
            Self::Sqlite(connection, rows) => {
                finish!(connection, "BEGIN IMMEDIATE", rows, events, endpoints);
            }
        }
        Ok(())
    }
}
