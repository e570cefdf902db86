//! Opening a MySQL or MariaDB database.

use std::time::Duration;

use sea_orm::{
    DatabaseConnection, DbErr,
    sqlx::{
        AssertSqlSafe, Connection as _, Error, Executor as _, MySqlConnection,
        mysql::{MySqlConnectOptions, MySqlPoolOptions},
    },
};
use tokio::time::timeout;

use super::opened::{OpenRequest, OpenedDatabase, unopened};
use crate::db::{
    pools::{NetworkPool, Pools},
    reconnect::Probe,
    tx::open_tx::Mode,
};

/// Opens a pool.
pub(super) async fn open(request: OpenRequest<'_>) -> Result<OpenedDatabase, DbErr> {
    open_pool(request).await.map_err(unopened)
}

async fn open_pool(request: OpenRequest<'_>) -> Result<OpenedDatabase, Error> {
    let OpenRequest { url, size, limit, .. } = request;
    let options = options(url)?;
    let settings = settings(limit);
    // A pool would try again for as long as it may, and then say only that it took too long.
    try_once(&options, &settings, limit).await?;
    let probe: Probe = {
        let (options, settings) = (options.clone(), settings.clone());
        Box::new(move || {
            let (options, settings) = (options.clone(), settings.clone());
            Box::pin(async move {
                let tried = try_once(&options, &settings, limit).await;
                tried.map_err(unopened)
            })
        })
    };
    let pool = MySqlPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(limit)
        // A unit notices a dead connection by itself, and runs again on another.
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move { set(connection, &settings).await })
        });
    let open = move || DatabaseConnection::from(pool.clone().connect_lazy_with(options.clone()));
    let open_connections = |pool: &DatabaseConnection| pool.get_mysql_connection_pool().size();
    let pools = Pools::over_network(
        NetworkPool { open: Box::new(open), probe, open_connections },
        Mode::SeaOrm,
    );
    Ok(OpenedDatabase { pools, schema: None, listener: None })
}

async fn try_once(
    options: &MySqlConnectOptions,
    settings: &[String],
    limit: Duration,
) -> Result<(), Error> {
    let tried = timeout(limit, async {
        let mut connection = MySqlConnection::connect_with(options).await?;
        set(&mut connection, settings).await?;
        connection.close().await
    });
    tried.await.unwrap_or(Err(Error::PoolTimedOut))
}

async fn set(connection: &mut MySqlConnection, settings: &[String]) -> Result<(), Error> {
    for setting in settings {
        connection.execute(AssertSqlSafe(setting.clone())).await?;
    }
    Ok(())
}

fn options(url: &str) -> Result<MySqlConnectOptions, Error> {
    use sea_orm::sqlx::ConnectOptions as _;

    let options: MySqlConnectOptions = url.parse()?;
    Ok(options.disable_statement_logging().pipes_as_concat(false).no_engine_substitution(false))
}

/// What holds for each connection, whatever the server's own settings are.
fn settings(limit: Duration) -> Vec<String> {
    let seconds = |time: Duration| time.as_secs().max(1);
    let (whole, lock) = (seconds(limit), seconds((limit / 2).min(Duration::from_secs(5))));
    vec![
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
        // Nobody waits for a unit beyond its limit, and a lock is tried again before. MySQL has no
        // limit for statements that write, nor for a transaction in which nothing happens.
        format!(
            "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', \
             innodb_lock_wait_timeout = {lock} \
             /*M!100600 , max_statement_time = {whole}, idle_transaction_timeout = {whole} */"
        ),
    ]
}
