//! Where events are stored during a run: a database of its own, gone after it.

use tempfile::TempDir;
use webhook_registry::database::{
    SeaOrmStore,
    sea_orm::{ConnectionTrait as _, Database},
};

use crate::Failure;

/// A fresh database.
pub(crate) struct Place {
    url: String,
    server: Option<(String, String)>,
    _folder: Option<TempDir>,
}

impl Place {
    /// Makes one: a file for `sqlite`, a new database on the server at any other URL.
    pub(crate) async fn make(db: &str, name: &str) -> Result<Self, Failure> {
        if db == "sqlite" {
            let folder = tempfile::tempdir()?;
            let url = format!("sqlite://{}/{name}.db?mode=rwc", folder.path().display());
            return Ok(Self { url, server: None, _folder: Some(folder) });
        }
        let name = format!("webhook_bench_{}_{name}", std::process::id());
        execute(db, &format!("CREATE DATABASE {name}")).await?;
        let url = format!("{}/{name}", server_of(db)?);
        Ok(Self { url, server: Some((db.to_owned(), name)), _folder: None })
    }

    /// The database.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) async fn store(&self) -> Result<SeaOrmStore, Failure> {
        let store = SeaOrmStore::connect(&self.url).await?;
        store.migrate().await?;
        Ok(store)
    }

    pub(crate) async fn clear(self) -> Result<(), Failure> {
        match self.server {
            Some((db, name)) => {
                // PostgreSQL refuses while somebody is connected, and pools close when they like.
                let all_the_same = if is_postgres(&db) { " WITH (FORCE)" } else { "" };
                execute(&db, &format!("DROP DATABASE {name}{all_the_same}")).await
            }
            None => Ok(()),
        }
    }
}

/// Executes one statement, or several where the database knows that.
pub(crate) async fn execute(db: &str, sql: &str) -> Result<(), Failure> {
    let database = Database::connect(db).await?;
    database.execute_unprepared(sql).await?;
    Ok(database.close().await?)
}

/// What kind of database it is, in a word.
pub(crate) fn kind(db: &str) -> &str {
    db.split(':').next().unwrap_or(db)
}

/// Whether its words are those of PostgreSQL.
pub(crate) fn is_postgres(db: &str) -> bool {
    kind(db).starts_with("postgres")
}

/// The URL without its database.
fn server_of(url: &str) -> Result<&str, Failure> {
    let host = url.find("://").ok_or("not the URL of a server")? + 3;
    let path = url.get(host..).and_then(|rest| rest.find('/'));
    Ok(path.and_then(|path| url.get(..host + path)).unwrap_or(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_its_url_without_the_database() {
        for url in ["postgres://a@b:5/c", "postgres://a@b:5"] {
            assert_eq!(server_of(url).unwrap(), "postgres://a@b:5");
        }
    }
}
