//! Why a database does not open, and what to do about it.

use std::error::Error;

use sea_orm::{DbBackend, DbErr};

use crate::{dialect::Dialect, fault::Fault};

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

/// What may be wrong when a server lets nobody in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The user, or what it may do.
    User,
    /// The database: there is none.
    Database,
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

/// The usual mistake with a file, told by an error of one word otherwise.
fn advice(url: &str, error: &str) -> &'static str {
    let missing = !url.contains("mode=") && error.contains("unable to open");
    if missing { "; add ?mode=rwc to create a file that is missing" } else { "" }
}

/// What is left of a URL when user name, password and parameters are cut off.
pub(crate) fn without_secrets(url: &str) -> String {
    let plain = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
    match url.split_once("://") {
        Some((scheme, rest)) if scheme != "sqlite" => {
            // A password may hold anything, an @ and a ? too.
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{}", plain(host))
        }
        _ => plain(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_nobody_may_see() {
        let table = [
            ("sqlite://a@/b.db?mode=rwc", "sqlite://a@/b.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("postgres://user:p@ss@host:5432/db?sslmode=off", "postgres://host:5432/db"),
            ("mysql://user:p?ss@host/db", "mysql://host/db"),
        ];
        for (url, shown) in table {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
