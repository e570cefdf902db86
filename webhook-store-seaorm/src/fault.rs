//! What went wrong inside a unit of work, and whether running it again may help.

use std::error::Error;

use sea_orm::DbErr;
use webhook_core::{StoreError, StoreErrorKind};

use crate::dialect::Dialect;

/// What an error of the database means for the unit it hit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// Nothing was written, and running the whole unit again may work.
    Passing(StoreErrorKind),
    /// Nothing was written, and running it again would not help.
    Lasting(StoreErrorKind),
    /// As lasting; but when it hits the commit, nobody knows whether it was written.
    Unclear(StoreErrorKind),
}

/// A failed unit.
#[derive(Debug)]
pub(crate) struct Fault {
    class: Class,
    source: Box<dyn Error + Send + Sync>,
}

impl Fault {
    /// A failure that is no error of the database.
    pub(crate) fn new(
        kind: StoreErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::classed(Class::Lasting(kind), source)
    }

    pub(crate) fn classed(class: Class, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { class, source: source.into() }
    }

    /// A stored row that cannot be read. `what` names the column, never the value.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Corrupt, what.into())
    }

    /// An error of the database.
    pub(crate) fn of(dialect: &dyn Dialect, error: DbErr) -> Self {
        let class = match (&error, database_code(&error)) {
            (_, Some(code)) => dialect.class(&code),
            (DbErr::ConnectionAcquire(_), _) => Class::Lasting(StoreErrorKind::Unavailable),
            (DbErr::Conn(_) | DbErr::Exec(_) | DbErr::Query(_), _) => {
                Class::Unclear(StoreErrorKind::Unavailable)
            }
            _ => Class::Unclear(StoreErrorKind::Other),
        };
        Self { class, source: Box::new(error) }
    }

    /// The same error, when it was the commit that it hit.
    pub(crate) fn at_commit(mut self) -> Self {
        if let Class::Unclear(_) = self.class {
            self.class = Class::Lasting(StoreErrorKind::Unknown);
        }
        self
    }

    /// Whether running the unit again may help.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self.class, Class::Passing(_))
    }

    /// Whether a table or a row is not as ours are.
    pub(crate) const fn is_misfit(&self) -> bool {
        matches!(self.class, Class::Lasting(StoreErrorKind::Schema | StoreErrorKind::Corrupt))
    }

    /// What the caller gets to see.
    pub(crate) fn into_error(self) -> StoreError {
        let (Class::Passing(kind) | Class::Lasting(kind) | Class::Unclear(kind)) = self.class;
        StoreError::because(kind, self.source)
    }
}

/// The code that the database gave an error, if it was the database that made it.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
fn database_code(error: &DbErr) -> Option<String> {
    use sea_orm::{RuntimeErr, sqlx};

    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    match &**error {
        sqlx::Error::Database(error) => error.code().map(Into::into),
        _ => None,
    }
}

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
const fn database_code(_: &DbErr) -> Option<String> {
    None
}
