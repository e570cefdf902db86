//! Errors of a unit of work, and whether a retry may succeed.

use std::error::Error;

use sea_orm::{ConnAcquireErr, DbErr};
use webhook_core::{StoreError, StoreErrorKind};

use crate::db::{dialect::Dialect, error_class::ErrorClass};
use driver::{database_code, is_lost};

/// A failed unit.
#[derive(Debug)]
pub(crate) struct Fault {
    class: ErrorClass,
    code: Option<String>,
    source: Box<dyn Error + Send + Sync>,
}

impl Fault {
    /// A permanent error that the database did not report.
    pub(crate) fn new(
        kind: StoreErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::classed(ErrorClass::Permanent(kind), source)
    }

    pub(crate) fn classed(
        class: ErrorClass,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { class, code: None, source: source.into() }
    }

    /// A row that the unit had not looked for exists. A retry looks before it writes.
    pub(crate) fn optimistic_miss() -> Self {
        Self::classed(ErrorClass::OptimisticMiss, "concurrent writes of the same rows, repeatedly")
    }

    /// A stored row that cannot be read. `what` names the column, never its value, which may be
    /// secret.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Corrupt, what.into())
    }

    /// Classifies an error of the database.
    pub(crate) fn of(dialect: &dyn Dialect, error: DbErr) -> Self {
        let code = database_code(&error);
        let class = match (&error, &code) {
            (_, Some(code)) => dialect.class(code),
            // The pool was replaced; the new one may work.
            (DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed), _) => {
                ErrorClass::Retryable(StoreErrorKind::Unavailable)
            }
            (DbErr::ConnectionAcquire(_), _) => ErrorClass::Permanent(StoreErrorKind::Unavailable),
            _ if is_lost(&error) => ErrorClass::ConnectionLost,
            (DbErr::Conn(_) | DbErr::Exec(_) | DbErr::Query(_), _) => {
                ErrorClass::Ambiguous(StoreErrorKind::Unavailable)
            }
            _ => ErrorClass::Ambiguous(StoreErrorKind::Other),
        };
        Self { class, code, source: Box::new(error) }
    }

    /// Code of a database error.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The same error at the commit, where it may be unknown whether the unit was written.
    pub(crate) fn at_commit(mut self) -> Self {
        if let ErrorClass::Ambiguous(_) | ErrorClass::ConnectionLost = self.class {
            self.class = ErrorClass::Permanent(StoreErrorKind::Unknown);
        }
        self
    }

    /// Returns true if a retry of the unit may succeed.
    pub(crate) const fn is_retryable(&self) -> bool {
        matches!(
            self.class,
            ErrorClass::OptimisticMiss | ErrorClass::Retryable(_) | ErrorClass::ConnectionLost
        )
    }

    /// Returns true if another writer was first, so that an immediate retry finds its rows.
    pub(crate) const fn is_optimistic_miss(&self) -> bool {
        matches!(self.class, ErrorClass::OptimisticMiss)
    }

    /// Returns true if the connection was lost.
    pub(crate) const fn is_lost(&self) -> bool {
        matches!(self.class, ErrorClass::ConnectionLost)
    }

    /// Returns true if the database could not be reached.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(
            self.class,
            ErrorClass::ConnectionLost | ErrorClass::Permanent(StoreErrorKind::Unavailable)
        )
    }

    /// Text of the source.
    pub(crate) fn why(&self) -> String {
        self.source.to_string()
    }

    /// The source, without its class.
    pub(crate) fn into_source(self) -> Box<dyn Error + Send + Sync> {
        self.source
    }

    /// Returns true if a table or a row is not one of this store.
    pub(crate) const fn is_misfit(&self) -> bool {
        matches!(
            self.class,
            ErrorClass::Permanent(StoreErrorKind::Schema | StoreErrorKind::Corrupt)
        )
    }

    /// The error for the caller.
    pub(crate) fn into_error(self) -> StoreError {
        let kind = match self.class {
            ErrorClass::Retryable(kind)
            | ErrorClass::Permanent(kind)
            | ErrorClass::Ambiguous(kind) => kind,
            ErrorClass::OptimisticMiss => StoreErrorKind::Other,
            ErrorClass::ConnectionLost => StoreErrorKind::Unavailable,
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
    fn a_lost_connection_is_retried_before_the_commit_and_unknown_at_it() {
        for (url, code) in [("postgres:", "57P01"), ("postgres:", "08006"), ("mysql:", "1927")] {
            let lost = || Fault::classed(of_url(url).unwrap().class(code), "lost");
            assert!(lost().is_retryable(), "{code}");
            assert!(!lost().at_commit().is_retryable(), "{code}");
            assert_eq!(lost().into_error().kind(), StoreErrorKind::Unavailable);
            assert_eq!(lost().at_commit().into_error().kind(), StoreErrorKind::Unknown);
        }
    }

    #[test]
    fn a_conflict_is_retryable_at_any_time() {
        for (url, code) in [("postgres:", "40P01"), ("mysql:", "1213"), ("sqlite:", "5")] {
            let conflict = Fault::classed(of_url(url).unwrap().class(code), "conflict");
            assert!(conflict.at_commit().is_retryable(), "{code}");
        }
    }

    #[test]
    fn errors_for_an_operator_are_not_retried() {
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
            assert!(!fault.is_retryable(), "{code}");
            assert_eq!(fault.into_error().kind(), kind, "{code}");
        }
    }
}
