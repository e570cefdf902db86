//! Opening a PostgreSQL database.

use std::time::Duration;

use sea_orm::{
    DatabaseConnection, DbErr,
    sqlx::{
        Connection as _, Error, PgConnection, Row as _,
        postgres::{PgConnectOptions, PgPoolOptions},
        raw_sql,
    },
};
use tokio::time::timeout;

use super::opened::{OpenRequest, OpenedDatabase, unopened};
use crate::db::{
    pools::{NetworkPool, OpenPool, Pools},
    reconnect::Probe,
    tx::open_tx::Mode,
};

/// Opens a pool. The schema of the tables is the first one of the search path, once and for all.
pub(super) async fn open(request: OpenRequest<'_>) -> Result<OpenedDatabase, DbErr> {
    open_pool(request).await.map_err(unopened)
}

async fn open_pool(request: OpenRequest<'_>) -> Result<OpenedDatabase, Error> {
    let OpenRequest { url, size, limit, poll_only } = request;
    let (options, mode) = if poll_only {
        let begin = beginning(limit);
        let mode = Mode::Postgres { named: false, begin_keeping_plans: begin.clone(), begin };
        (options(url)?.extra_float_digits(None), mode)
    } else {
        (options(url)?.options(settings(limit)), named())
    };
    // A pool would try again for as long as it may, and then say only that it took too long.
    let schema = current_schema(&options, limit).await?;
    let probe: Probe = {
        let options = options.clone();
        Box::new(move || {
            let options = options.clone();
            Box::pin(async move {
                let schema = current_schema(&options, limit).await;
                schema.map(drop).map_err(unopened)
            })
        })
    };
    let open_connections = |pool: &DatabaseConnection| pool.get_postgres_connection_pool().size();
    let listener = (!poll_only).then(|| opener(options.clone(), 1, limit));
    let pools = Pools::over_network(
        NetworkPool { open: opener(options, size, limit), probe, open_connections },
        mode,
    );
    Ok(OpenedDatabase { pools, schema, listener })
}

fn opener(options: PgConnectOptions, size: u32, limit: Duration) -> OpenPool {
    let pool = PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(limit)
        // A unit notices a dead connection by itself, and runs again on another.
        .test_before_acquire(false);
    Box::new(move || DatabaseConnection::from(pool.clone().connect_lazy_with(options.clone())))
}

/// Queried without a prepared statement, because a pooler may be in between.
async fn current_schema(
    options: &PgConnectOptions,
    limit: Duration,
) -> Result<Option<String>, Error> {
    let ask = "SELECT CAST(current_schema() AS TEXT)";
    let schema = timeout(limit, async {
        let mut connection = PgConnection::connect_with(options).await?;
        let row = raw_sql(ask).fetch_one(&mut connection).await?;
        connection.close().await?;
        row.try_get(0)
    });
    schema.await.unwrap_or(Err(Error::PoolTimedOut))
}

fn options(url: &str) -> Result<PgConnectOptions, Error> {
    use sea_orm::sqlx::ConnectOptions as _;

    Ok(url.parse::<PgConnectOptions>()?.disable_statement_logging())
}

/// What holds for each connection is sent along when it is opened, and costs nothing later.
fn settings(limit: Duration) -> Vec<(&'static str, String)> {
    let mut settings = bounds(limit);
    settings.push(("default_transaction_isolation", "read committed".to_owned()));
    settings
}

/// Each statement is prepared once for a connection, and its plan is kept for those who ask for it.
fn named() -> Mode {
    let begin = "BEGIN".to_owned();
    let begin_keeping_plans = format!("{begin}; SET LOCAL plan_cache_mode = 'force_generic_plan'");
    Mode::Postgres { named: true, begin, begin_keeping_plans }
}

/// Like [`settings`], as part of the statement that begins each transaction: a pooler shares
/// sessions.
fn beginning(limit: Duration) -> String {
    let settings = bounds(limit).into_iter();
    let settings = settings.map(|(name, value)| format!("; SET LOCAL {name} = '{value}'"));
    format!("BEGIN ISOLATION LEVEL READ COMMITTED{}", settings.collect::<String>())
}

fn bounds(limit: Duration) -> Vec<(&'static str, String)> {
    let millis = |time: Duration| time.as_millis().max(1).to_string();
    vec![
        // Nobody waits for a unit beyond its limit, and a lock is tried again before.
        ("statement_timeout", millis(limit)),
        ("idle_in_transaction_session_timeout", millis(limit)),
        ("lock_timeout", millis((limit / 2).min(Duration::from_secs(5)))),
        // A plan made on an empty table is wrong on a full one, and nothing here is worth compiling.
        ("plan_cache_mode", "force_custom_plan".to_owned()),
        ("jit", "off".to_owned()),
        // Everything here is found step by step in an index, whatever the planner believes about how
        // much there is: it learns late.
        ("enable_seqscan", "off".to_owned()),
        ("enable_bitmapscan", "off".to_owned()),
        ("enable_hashjoin", "off".to_owned()),
        ("enable_mergejoin", "off".to_owned()),
    ]
}
