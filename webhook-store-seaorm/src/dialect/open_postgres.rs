//! Opening a PostgreSQL database.

use std::time::Duration;

use sea_orm::{
    DatabaseConnection, DbErr, RuntimeErr,
    sqlx::{
        Connection as _, Error, PgConnection,
        postgres::{PgConnectOptions, PgPoolOptions},
        query_scalar,
    },
};
use tokio::time::timeout;

use super::open::Opened;
use crate::store::Pools;

/// Opens a pool. The schema of the tables is the first one of the search path, once and for all.
pub(super) async fn open(url: &str, size: u32, limit: Duration) -> Result<Opened, DbErr> {
    open_pool(url, size, limit)
        .await
        .map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}

async fn open_pool(url: &str, size: u32, limit: Duration) -> Result<Opened, Error> {
    let options = options(url, limit)?;
    // A pool would try again for as long as it may, and then say only that it took too long.
    let asked = timeout(limit, current_schema(&options)).await;
    let schema = asked.unwrap_or(Err(Error::PoolTimedOut))?;
    let pool = PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(limit)
        // A unit notices a dead connection by itself, and runs again on another.
        .test_before_acquire(false)
        .connect_lazy_with(options);
    let pool = DatabaseConnection::from(pool);
    Ok(Opened { pools: Pools { writer: pool.clone(), readers: pool }, schema })
}

async fn current_schema(options: &PgConnectOptions) -> Result<Option<String>, Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let schema = query_scalar("SELECT CAST(current_schema() AS TEXT)");
    let schema = schema.fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(schema)
}

/// What holds for each connection is sent along when it is opened, and costs nothing later.
fn options(url: &str, limit: Duration) -> Result<PgConnectOptions, Error> {
    use sea_orm::sqlx::ConnectOptions as _;

    let millis = |time: Duration| time.as_millis().max(1).to_string();
    let options: PgConnectOptions = url.parse()?;
    Ok(options.disable_statement_logging().options([
        ("default_transaction_isolation", "read committed".to_owned()),
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
    ]))
}
