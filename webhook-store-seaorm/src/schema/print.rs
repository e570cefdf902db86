//! The steps as plain SQL, for those who let nothing but their own tools change a schema.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use super::{
    migrate::is_needed,
    steps::{SCHEMA_TABLE, STEPS},
};
use crate::db::{
    connect_error::ConnectError,
    dialect::{self, Dialect},
    sql::{Sql, is_plain},
};

/// A kind of database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DatabaseKind {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

impl DatabaseKind {
    /// The kind of the database at `url`, if it is one of these.
    pub fn of_url(url: &str) -> Option<Self> {
        match url.split(':').next() {
            Some("sqlite") => Some(Self::Sqlite),
            Some("postgres" | "postgresql") => Some(Self::Postgres),
            Some("mysql" | "mariadb") => Some(Self::MySql),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }

    fn dialect(self) -> Option<&'static dyn Dialect> {
        dialect::of_url(self.as_str())
    }
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DatabaseKind {
    type Err = InvalidDatabaseKind;

    fn from_str(name: &str) -> Result<Self, InvalidDatabaseKind> {
        let kinds = [Self::Sqlite, Self::Postgres, Self::MySql];
        kinds.into_iter().find(|kind| kind.as_str() == name).ok_or(InvalidDatabaseKind)
    }
}

/// The text is no kind of database.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a kind of database; expected sqlite, postgres or mysql")]
pub struct InvalidDatabaseKind;

/// What the tables are called, and where they live.
#[derive(Clone, Debug)]
pub struct TableNames {
    prefix: String,
    schema: Option<String>,
}

impl TableNames {
    /// `webhook_` before each name, in whatever schema the search path names first.
    pub fn new() -> Self {
        Self { prefix: "webhook_".to_owned(), schema: None }
    }

    /// Sets what the names of all tables begin with.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the schema in which they live, on PostgreSQL.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    pub(super) fn sql(&self, kind: DatabaseKind) -> Result<Sql, ConnectError> {
        let dialect = kind.dialect().ok_or(ConnectError::Scheme)?;
        if !is_plain(&self.prefix) {
            return Err(ConnectError::Prefix);
        }
        if !self.schema.as_deref().is_none_or(is_plain) {
            return Err(ConnectError::Schema);
        }
        if self.schema.is_some() && !dialect.has_schemas() {
            return Err(ConnectError::NoSchemas);
        }
        Ok(Sql::new(dialect, self.schema.clone(), self.prefix.clone()))
    }

    pub(super) const fn has_schema(&self) -> bool {
        self.schema.is_some()
    }
}

impl Default for TableNames {
    fn default() -> Self {
        Self::new()
    }
}

/// The last step there is: [`SchemaStatus::Current`](crate::SchemaStatus::Current) after it.
pub const LAST_STEP: u32 = STEPS.len() as u32;

/// Some steps as SQL that gives exactly what [`SeaOrmStore::migrate`](crate::SeaOrmStore::migrate)
/// gives, with the rows of its bookkeeping. Connects to nothing.
///
/// Steps are counted from 1 to [`LAST_STEP`]; those outside are left out. On PostgreSQL and SQLite all
/// of it is one transaction. On MySQL each statement is committed by itself.
///
/// ```
/// use webhook_store_seaorm::{DatabaseKind, LAST_STEP, TableNames, migration_sql};
///
/// let names = TableNames::new().schema("hooks");
/// let sql = migration_sql(DatabaseKind::Postgres, &names, 1..=LAST_STEP)?;
/// assert!(sql.contains("CREATE TABLE \"hooks\".webhook_events ("));
/// # Ok::<(), webhook_store_seaorm::ConnectError>(())
/// ```
///
/// # Errors
///
/// [`ConnectError`] when prefix or schema are not plain names, or there are no schemas.
pub fn migration_sql(
    kind: DatabaseKind,
    names: &TableNames,
    steps: RangeInclusive<u32>,
) -> Result<String, ConnectError> {
    let sql = names.sql(kind)?;
    let (begin, end): (&[_], &[_]) = match kind {
        DatabaseKind::Sqlite => (&["BEGIN IMMEDIATE"], &["COMMIT"]),
        DatabaseKind::Postgres => (&["BEGIN"], &["COMMIT"]),
        DatabaseKind::MySql => (&[], &[]),
    };
    let mut statements: Vec<String> = Vec::new();
    statements.extend(sql.dialect.prepare().iter().map(ToString::to_string));
    statements.extend(begin.iter().map(ToString::to_string));
    if names.has_schema() {
        statements.push(sql.render("CREATE SCHEMA IF NOT EXISTS {schema_name}"));
    }
    for (number, step) in (1..).zip(STEPS).filter(|(number, _)| steps.contains(number)) {
        statements.extend((number == 1).then(|| sql.render(SCHEMA_TABLE)));
        let needed = step.iter().filter(|statement| is_needed(&sql, statement));
        statements.extend(needed.map(|statement| sql.render(statement)));
        let now = sql.dialect.now();
        let taken =
            format!("INSERT INTO {{schema}} (version, applied_at) VALUES ({number}, {now})");
        statements.push(sql.render(&taken));
    }
    statements.extend(end.iter().map(ToString::to_string));
    Ok(statements.iter().map(|statement| format!("{statement};\n")).collect())
}
