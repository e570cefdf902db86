//! Creating and updating the tables: numbered steps of plain SQL, and a table that counts them.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait as _, Value};
use webhook_core::{StoreError, StoreErrorKind};

use crate::db::{database::Database, fault::Fault, row::ToValue, sql::Sql, tx::Tx, unit::Unit};

use super::{
    status::{SchemaStatus, status},
    steps::{SCHEMA_TABLE, STEPS},
};

/// Creates the tables, or brings them up to date.
pub(crate) async fn migrate(database: &Arc<Database>) -> Result<(), StoreError> {
    database.perform(CheckMigratable).await?;
    prepare(database).await?;
    while database.perform(TakeStep).await? {}
    check_journal(database).await
}

/// Compares the tables with those this version needs.
pub(crate) async fn schema_status(database: &Arc<Database>) -> Result<SchemaStatus, StoreError> {
    database.perform(ReadSchemaStatus).await
}

/// Fails if the tables are not those this version needs.
pub(crate) async fn check_fit(database: &Arc<Database>) -> Result<(), StoreError> {
    match schema_status(database).await? {
        SchemaStatus::Current => check_journal(database).await,
        status => Err(status.into_fault().into_error()),
    }
}

/// Warns when the database does not keep its journal as it should. It works, at a price.
async fn check_journal(database: &Arc<Database>) -> Result<(), StoreError> {
    if let Some(mode) = database.perform(ReadUnfitJournal).await? {
        tracing::warn!(%mode, "the database is not in WAL mode: reading and writing hold each other up");
    }
    Ok(())
}

/// The journal mode, if it is another than was asked for.
struct ReadUnfitJournal;

#[async_trait]
impl Unit for ReadUnfitJournal {
    type Output = Option<String>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Option<String>, Fault> {
        let Some(sql) = tx.sql().dialect.journal_mode() else { return Ok(None) };
        // A connection only knows the mode once it has looked into the file.
        tx.one(tx.sql().dialect.tables(), []).await?;
        let row = tx.one(sql, []).await?;
        let mode = row.map(|row| row.get::<String>("journal_mode")).transpose()?;
        // A database in memory has no other choice.
        Ok(mode.filter(|mode| !matches!(mode.as_str(), "wal" | "memory")))
    }
}

struct ReadSchemaStatus;

#[async_trait]
impl Unit for ReadSchemaStatus {
    type Output = SchemaStatus;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<SchemaStatus, Fault> {
        status(tx).await
    }
}

/// Before anything is changed: whether the tables may be ours to change.
struct CheckMigratable;

#[async_trait]
impl Unit for CheckMigratable {
    type Output = ();
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        match status(tx).await? {
            status @ (SchemaStatus::Newer(_) | SchemaStatus::Foreign) => Err(status.into_fault()),
            _ => Ok(()),
        }
    }
}

/// The next step, and whether there was one. Looks again under the writer's lock: another process
/// may have been faster.
struct TakeStep;

#[async_trait]
impl Unit for TakeStep {
    type Output = bool;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<bool, Fault> {
        let Some((lock, unlock)) = tx.sql().dialect.migration_lock() else {
            return take_step(tx).await;
        };
        let name = || [Value::from(tx.sql().render("{schema}"))];
        let locked = tx.one(lock, name()).await?.and_then(|row| row.number("locked").ok());
        if locked != Some(1u8) {
            return Err(Fault::new(StoreErrorKind::Unavailable, "another process migrates"));
        }
        let taken = take_step(tx).await;
        let Some(unlock) = unlock else { return taken };
        // It outlives the transaction, and would be handed on with the connection.
        let unlocked = tx.run(unlock, name()).await;
        taken.and_then(|taken| unlocked.map(|_| taken))
    }
}

async fn take_step(tx: &Tx) -> Result<bool, Fault> {
    let found = status(tx).await?;
    let done = match found {
        SchemaStatus::Current => return Ok(false),
        SchemaStatus::Empty | SchemaStatus::Missing => 0,
        SchemaStatus::Older(done) => done,
        status => return Err(status.into_fault()),
    };
    let again = found == SchemaStatus::Older(0);
    let step = STEPS.get(done as usize).copied().unwrap_or_default();
    if done == 0 {
        create_schema(tx).await?;
        create(tx, SCHEMA_TABLE, again).await?;
    }
    for statement in step.iter().filter(|statement| is_needed(tx.sql(), statement)) {
        create(tx, statement, again).await?;
    }
    let now = tx.now().await?;
    let values = [(done + 1).to_value(), now.to_value()];
    tx.run("INSERT INTO {schema} (version, applied_at) VALUES (?, ?)", values).await?;
    Ok(true)
}

/// Whether this database has anything to say for a statement.
pub(super) fn is_needed(sql: &Sql, statement: &str) -> bool {
    !sql.render(statement).is_empty()
}

/// Takes a part of a step. When the step is taken `again`, that part may be there: from a process that
/// was cut off, or from somebody who ran what is printed and did not come to its end.
async fn create(tx: &Tx, statement: &str, again: bool) -> Result<(), Fault> {
    let statement = match again && tx.sql().dialect.says_if_not_exists() {
        true => Cow::Owned(unless_there(spelled_out(tx.sql(), statement))),
        false => Cow::Borrowed(statement),
    };
    match tx.run_plain(&statement).await {
        Err(fault) if fault.code().is_some_and(|code| tx.sql().dialect.is_there_already(code)) => {
            Ok(())
        }
        done => done,
    }
}

/// A statement that is one word of the dialect, as it stands there.
fn spelled_out<'a>(sql: &Sql, statement: &'a str) -> &'a str {
    let word = statement.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    word.and_then(|word| sql.dialect.word(word)).unwrap_or(statement)
}

fn unless_there(statement: &str) -> String {
    let things = ["CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX "];
    let thing = things.into_iter().find(|thing| statement.starts_with(thing)).unwrap_or_default();
    let rest = statement.strip_prefix(thing).unwrap_or(statement);
    let unless = if thing.is_empty() { "" } else { "IF NOT EXISTS " };
    format!("{thing}{unless}{rest}")
}

/// The schema of the tables, where there is one and it is missing. A user who may not create one need
/// not, when it is there.
async fn create_schema(tx: &Tx) -> Result<(), Fault> {
    if !tx.sql().dialect.has_schemas() {
        return Ok(());
    }
    let there = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {in_schema}";
    match tx.one(there, []).await? {
        Some(_) => Ok(()),
        None => tx.run_plain("CREATE SCHEMA {schema_name}").await,
    }
}

/// Runs what the dialect wants run before, outside of any transaction; on a task of its own all
/// the same.
async fn prepare(database: &Arc<Database>) -> Result<(), StoreError> {
    let its_database = Arc::clone(database);
    let done = tokio::spawn(async move {
        for statement in its_database.sql.dialect.prepare() {
            its_database.pools.writer().execute_unprepared(statement).await?;
        }
        Ok(())
    });
    let gone = |error| StoreError::because(StoreErrorKind::Unavailable, error);
    let dialect = database.sql.dialect;
    done.await.map_err(gone)?.map_err(|error| Fault::of(dialect, error).into_error())
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::SeaOrmStore;

    #[tokio::test]
    async fn a_journal_mode_other_than_wal_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/a.db?mode=rwc", folder.path().display());
        for url in [url.as_str(), "sqlite::memory:"] {
            let store = SeaOrmStore::connect(url).await.unwrap();
            store.migrate().await.unwrap();
            assert_eq!(
                store.inner.database.perform(ReadUnfitJournal).await.unwrap(),
                None,
                "{url}"
            );
            store.close().await;
        }
        let other = sea_orm::Database::connect(&url).await.unwrap();
        other.execute_unprepared("PRAGMA journal_mode = DELETE").await.unwrap();
        let store = SeaOrmStore::connect(&url).await.unwrap();
        let found = store.inner.database.perform(ReadUnfitJournal).await.unwrap();
        assert_eq!(found.as_deref(), Some("delete"));
    }
}
