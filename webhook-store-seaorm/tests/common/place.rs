//! A place of its own for a test: a file of SQLite, a schema of PostgreSQL, a database of MySQL. It
//! goes when the test is over, whichever way.

use std::{
    env, process,
    sync::atomic::{AtomicU32, Ordering},
};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use tempfile::TempDir;
use webhook_store_seaorm::SeaOrmStore;

/// Where a test keeps its tables.
pub struct Place {
    /// Opens it: on PostgreSQL by the search path.
    pub url: String,
    /// What it is called on its server.
    pub name: String,
    /// Opens the server, beside the place.
    pub server: String,
    leave: Vec<String>,
    _folder: Option<TempDir>,
}

impl Place {
    pub async fn on_sqlite() -> Self {
        let (folder, url) = super::folder();
        Self { server: url.clone(), url, name: name(), leave: Vec::new(), _folder: Some(folder) }
    }

    /// A schema on the server of `WEBHOOK_TEST_POSTGRES`.
    pub async fn on_postgres() -> Self {
        let (server, name) = (variable("WEBHOOK_TEST_POSTGRES"), name());
        let mark = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{mark}application_name={name}&options[search_path]={name}");
        // Whatever the test has left open would hold the schema.
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name =";
        let leave =
            vec![format!("{end} '{name}'"), format!("DROP SCHEMA IF EXISTS {name} CASCADE")];
        let place = Self { url, name, server, leave, _folder: None };
        place.beside(&format!("CREATE SCHEMA {}", place.name)).await;
        place
    }

    /// A database on the server of `WEBHOOK_TEST_MYSQL`.
    pub async fn on_mysql() -> Self {
        let (server, name) = (variable("WEBHOOK_TEST_MYSQL"), name());
        let url = Self::database(&server, &name);
        let leave = vec![format!("DROP DATABASE IF EXISTS {name}")];
        let place = Self { url, name, server, leave, _folder: None };
        place.beside(&format!("CREATE DATABASE {}", place.name)).await;
        place
    }

    /// The URL of another database on the same server.
    pub fn database(server: &str, name: &str) -> String {
        let (base, parameters) = server.split_once('?').unwrap_or((server, ""));
        let host = base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        format!("{host}/{name}?{parameters}")
    }

    /// A migrated store.
    pub async fn open(&self) -> SeaOrmStore {
        super::open(&self.url).await
    }

    /// A connection of its own, as another program would have one.
    pub async fn connect(&self) -> DatabaseConnection {
        super::connect(&self.url).await
    }

    /// Runs a statement, as another program would.
    pub async fn sql(&self, sql: &str) {
        run_all(&self.url, &[sql.to_owned()]).await;
    }

    /// Makes a user, who goes with the place; `create` names it `{user}`.
    pub async fn user(&mut self, user: &str, create: &str, drop: &str) {
        self.leave.push(drop.replace("{user}", user));
        self.beside(&create.replace("{user}", user)).await;
    }

    /// Opens it as a user whose password is `hooks`.
    pub fn url_of(&self, user: &str) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap();
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{user}:hooks@{host}")
    }

    /// Runs a statement on the server, beside the place.
    pub async fn beside(&self, sql: &str) {
        run_all(&self.server, &[sql.to_owned()]).await;
    }

    /// A condition for an identifier that ends in these digits.
    pub fn ends(&self, column: &str, digits: &str) -> String {
        let text = if self.is("postgres") { "CAST({} AS TEXT)" } else { "HEX({})" };
        format!("{} LIKE '%{digits}'", text.replace("{}", column))
    }

    pub fn is(&self, scheme: &str) -> bool {
        self.url.starts_with(scheme)
    }
}

impl Drop for Place {
    /// On a thread of its own: the test's runtime stands still in here.
    fn drop(&mut self) {
        let (server, leave) = (self.server.clone(), self.leave.clone());
        if leave.is_empty() {
            return;
        }
        let gone = std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all().build().unwrap().block_on(run_all(&server, &leave));
        });
        if gone.join().is_err() {
            eprintln!("{} is left over", self.name);
        }
    }
}

async fn run_all(url: &str, statements: &[String]) {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.sqlx_logging(false).max_connections(1);
    let connection = Database::connect(options).await.unwrap();
    for sql in statements {
        connection.execute_unprepared(sql).await.unwrap();
    }
    connection.close().await.unwrap();
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} names no server; cargo xtask test finds one"))
}

/// Not taken by another test, nor by another run.
fn name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("webhook_test_{}_{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}
