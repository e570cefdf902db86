//! What went wrong inside a unit of work, and whether running it again may help.

use std::error::Error;

use sea_orm::{ConnAcquireErr, DbErr};
use webhook_core::{StoreError, StoreErrorKind};

use crate::db::{dialect::Dialect, error_class::Class};
use driver::{database_code, is_lost};

/// A failed unit.
#[derive(Debug)]
pub(crate) struct Fault {
    class: Class,
    code: Option<String>,
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
        Self { class, code: None, source: source.into() }
    }

    /// What was taken for granted is not so: the unit has to run again, and look.
    pub(crate) fn surprise() -> Self {
        let class = Class::Passing(StoreErrorKind::Other);
        Self::classed(class, "what was not looked for was there, time and again")
    }

    /// A stored row that cannot be read. `what` names the column, never the value.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Corrupt, what.into())
    }

    /// An error of the database.
    pub(crate) fn of(dialect: &dyn Dialect, error: DbErr) -> Self {
        let code = database_code(&error);
        let class = match (&error, &code) {
            (_, Some(code)) => dialect.class(code),
            // The pool was replaced: the new one may do.
            (DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed), _) => {
                Class::Passing(StoreErrorKind::Unavailable)
            }
            (DbErr::ConnectionAcquire(_), _) => Class::Lasting(StoreErrorKind::Unavailable),
            _ if is_lost(&error) => Class::Lost,
            (DbErr::Conn(_) | DbErr::Exec(_) | DbErr::Query(_), _) => {
                Class::Unclear(StoreErrorKind::Unavailable)
            }
            _ => Class::Unclear(StoreErrorKind::Other),
        };
        Self { class, code, source: Box::new(error) }
    }

    /// The code that the database gave it.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The same error, when it was the commit that it hit.
    pub(crate) fn at_commit(mut self) -> Self {
        if let Class::Unclear(_) | Class::Lost = self.class {
            self.class = Class::Lasting(StoreErrorKind::Unknown);
        }
        self
    }

    /// Whether running the unit again may help.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self.class, Class::Passing(_) | Class::Lost)
    }

    /// Whether somebody else was first, so that a look at once shows what he has written.
    pub(crate) const fn is_surprise(&self) -> bool {
        matches!(self.class, Class::Passing(StoreErrorKind::Other))
    }

    /// Whether a connection is gone.
    pub(crate) const fn is_lost(&self) -> bool {
        matches!(self.class, Class::Lost)
    }

    /// Whether there was nobody to speak to.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self.class, Class::Lost | Class::Lasting(StoreErrorKind::Unavailable))
    }

    /// Why, in words.
    pub(crate) fn why(&self) -> String {
        self.source.to_string()
    }

    /// Why, without what it means.
    pub(crate) fn into_source(self) -> Box<dyn Error + Send + Sync> {
        self.source
    }

    /// Whether a table or a row is not as ours are.
    pub(crate) const fn is_misfit(&self) -> bool {
        matches!(self.class, Class::Lasting(StoreErrorKind::Schema | StoreErrorKind::Corrupt))
    }

    /// What the caller gets to see.
    pub(crate) fn into_error(self) -> StoreError {
        let kind = match self.class {
            Class::Passing(kind) | Class::Lasting(kind) | Class::Unclear(kind) => kind,
            Class::Lost => StoreErrorKind::Unavailable,
        };
        StoreError::because(kind, self.source)
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod driver {
    use sea_orm::{DbErr, RuntimeErr, sqlx};

    fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
            _ => None,
        }
    }

    /// The code that the database gave an error, if it was the database that made it: MySQL's number,
    /// SQLite's extended code, everybody else's SQLSTATE.
    pub(super) fn database_code(error: &DbErr) -> Option<String> {
        let sqlx::Error::Database(error) = driver_error(error)? else { return None };
        #[cfg(feature = "mysql")]
        if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            return Some(error.number().to_string());
        }
        error.code().map(Into::into)
    }

    /// Whether the connection has ended, or makes no sense any more.
    pub(super) fn is_lost(error: &DbErr) -> bool {
        matches!(driver_error(error), Some(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)))
    }
}

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
mod driver {
    use sea_orm::DbErr;

    pub(super) const fn database_code(_: &DbErr) -> Option<String> {
        None
    }

    pub(super) const fn is_lost(_: &DbErr) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::dialect::of_url;

    #[test]
    fn a_lost_connection_is_another_try_before_the_commit_and_unknown_at_it() {
        for (url, code) in [("postgres:", "57P01"), ("postgres:", "08006"), ("mysql:", "1927")] {
            let lost = || Fault::classed(of_url(url).unwrap().class(code), "lost");
            assert!(lost().is_passing(), "{code}");
            assert!(!lost().at_commit().is_passing(), "{code}");
            assert_eq!(lost().into_error().kind(), StoreErrorKind::Unavailable);
            assert_eq!(lost().at_commit().into_error().kind(), StoreErrorKind::Unknown);
        }
    }

    #[test]
    fn a_conflict_is_another_try_at_any_time() {
        for (url, code) in [("postgres:", "40P01"), ("mysql:", "1213"), ("sqlite:", "5")] {
            let conflict = Fault::classed(of_url(url).unwrap().class(code), "conflict");
            assert!(conflict.at_commit().is_passing(), "{code}");
        }
    }

    #[test]
    fn what_somebody_has_to_help_with_is_told_at_once() {
        let table = [
            ("postgres:", "25006", StoreErrorKind::Refused),
            ("postgres:", "53100", StoreErrorKind::Refused),
            ("postgres:", "28P01", StoreErrorKind::Refused),
            ("postgres:", "42P01", StoreErrorKind::Schema),
            ("mysql:", "1290", StoreErrorKind::Refused),
            ("mysql:", "1114", StoreErrorKind::Refused),
            ("mysql:", "1045", StoreErrorKind::Refused),
            ("mysql:", "1146", StoreErrorKind::Schema),
            ("sqlite:", "13", StoreErrorKind::Refused),
        ];
        for (url, code, kind) in table {
            let fault = Fault::classed(of_url(url).unwrap().class(code), "told").at_commit();
            assert!(!fault.is_passing(), "{code}");
            assert_eq!(fault.into_error().kind(), kind, "{code}");
        }
    }
}
