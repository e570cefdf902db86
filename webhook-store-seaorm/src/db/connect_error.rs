//! Why a database does not open, and what to do about it.

use std::error::Error;

use sea_orm::{DbBackend, DbErr};

use crate::db::{dialect::Dialect, error_class::Refusal, fault::Fault};

type Source = Box<dyn Error + Send + Sync>;

/// The database cannot be opened. Names the database without user name, password and parameters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL names no database this crate knows.
    #[error("not a database URL; expected sqlite://FILE, postgres://... or mysql://...")]
    Scheme,
    /// The database is not compiled in.
    #[error("this program was built without that database; build it with the feature {feature}")]
    Feature {
        /// The feature that brings it.
        feature: &'static str,
    },
    /// The prefix of the tables is not plain.
    #[error("not a valid table prefix; expected at most 32 of a-z 0-9 _, the first one a letter")]
    Prefix,
    /// The name of the schema is not plain.
    #[error("not a valid schema; expected at most 32 of a-z 0-9 _, the first one a letter")]
    Schema,
    /// Schemas within a database are a thing of PostgreSQL.
    #[error("this kind of database has no schemas; keep the tables apart by a table prefix")]
    NoSchemas,
    /// No schema was asked for, and the search path of the user has none either.
    #[error("the search path of {database} names no schema that exists; name one for the tables")]
    NoSearchPath {
        /// Which database.
        database: String,
    },
    /// User name or password are wrong, or the user may not come in.
    #[error("{database} refuses the user; check user name, password and rights")]
    Denied {
        /// Which database.
        database: String,
        /// Why.
        source: Source,
    },
    /// The server has no such database.
    #[error("the server has no database {database}; create it first")]
    NoDatabase {
        /// Which one.
        database: String,
        /// Why.
        source: Source,
    },
    /// The server does not answer.
    #[error("cannot reach the server of {database}; check that it runs, and host and port")]
    Unreachable {
        /// Which database.
        database: String,
        /// Why.
        source: Source,
    },
    /// The database is there, or not, but does not open.
    #[error("cannot open the database {database}{advice}")]
    Open {
        /// Which one.
        database: String,
        /// What may help.
        advice: &'static str,
        /// Why.
        source: Source,
    },
}

impl ConnectError {
    /// Why the database at `url` did not open.
    pub(crate) fn of(dialect: &dyn Dialect, url: &str, error: DbErr) -> Self {
        let database = without_secrets(url);
        let fault = Fault::of(dialect, error);
        let refusal = fault.code().and_then(|code| dialect.refusal(code));
        let unreachable = fault.is_unreachable();
        let source = fault.into_source();
        match refusal {
            Some(Refusal::User) => Self::Denied { database, source },
            Some(Refusal::Database) => Self::NoDatabase { database, source },
            None if unreachable && dialect.backend() != DbBackend::Sqlite => {
                Self::Unreachable { database, source }
            }
            None => {
                let advice = advice(url, &source.to_string());
                Self::Open { database, advice, source }
            }
        }
    }
}

/// The usual mistakes with a file, told by an error of one word otherwise.
fn advice(url: &str, error: &str) -> &'static str {
    if !error.contains("unable to open") {
        ""
    } else if url.contains("mode=rwc") {
        "; check that its folder is there and may be written to"
    } else if url.contains("mode=") {
        "; check that the file is there, and who may read and write it"
    } else {
        "; add ?mode=rwc to create a file that is missing"
    }
}

/// What is left of a URL when user name, password and parameters are cut off.
pub(crate) fn without_secrets(url: &str) -> String {
    let plain = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
    match url.split_once("://") {
        Some((scheme, rest)) if scheme != "sqlite" => match rest.rsplit_once('@') {
            // A password may hold anything, an @ and a ? too, and may be a parameter itself: where the
            // last @ stands behind a ?, nobody knows what the rest of it is.
            Some((before, _)) if before.contains('?') => format!("{scheme}://..."),
            Some((_, host)) => format!("{scheme}://{}", plain(host)),
            None => format!("{scheme}://{}", plain(rest)),
        },
        _ => plain(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_open_comes_with_advice() {
        let table = [
            ("sqlite://a.db", "unable to open database file", "; add ?mode=rwc"),
            ("sqlite://b/a.db?mode=rwc", "unable to open database file", "; check that its folder"),
            ("sqlite://a.db?mode=rw", "unable to open database file", "; check that the file"),
            ("sqlite://a.db", "file is not a database", ""),
        ];
        for (url, error, expected) in table {
            let advice = advice(url, error);
            assert!(advice.starts_with(expected) && advice.is_empty() == expected.is_empty());
        }
    }

    #[test]
    fn a_url_is_shown_without_what_nobody_may_see() {
        let table = [
            ("sqlite://a@/b.db?mode=rwc", "sqlite://a@/b.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("postgres://user:p@ss@host:5432/db?sslmode=off", "postgres://host:5432/db"),
            ("mysql://user:p?ss@host/db", "mysql://..."),
            ("postgres://host/db?password=pass", "postgres://host/db"),
            ("postgres://host/db?password=p@ss", "postgres://..."),
        ];
        for (url, shown) in table {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
