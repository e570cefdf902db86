//! Database servers for tests.
//!
//! [`find`] looks in three places, and the first that has one wins: the variable of the database, the
//! usual port of this machine, the installed programs. A server that was started from programs lives in
//! a folder of its own and vanishes with it, whatever ends this process: [`Throwaway`].

mod login;
mod port;
mod programs;
mod throwaway;

use std::{env, fmt};

pub use port::ReservedPort;
pub use throwaway::{NotStarted, Pooler, Protected, Room, Throwaway};

/// A database that is a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Database {
    /// PostgreSQL.
    Postgres,
    /// MariaDB; a MySQL that is there already serves as well.
    MySql,
}

impl Database {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Postgres, Self::MySql];

    /// The name of its test targets.
    pub const fn suite(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }

    /// The variable with the URL of a server on which tests may create databases and schemas.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "WEBHOOK_TEST_POSTGRES",
            Self::MySql => "WEBHOOK_TEST_MYSQL",
        }
    }

    const fn package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::MySql => "mariadb-server",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::MySql => 3306,
        }
    }

    /// The URL of a server on this machine that lets its first user in without a password.
    fn url(self, port: u16) -> String {
        match self {
            Self::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            Self::MySql => format!("mysql://root@127.0.0.1:{port}/mysql"),
        }
    }

    fn lets_in(self, port: u16) -> bool {
        match self {
            Self::Postgres => login::postgres(port),
            Self::MySql => login::mysql(port),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MariaDB",
        })
    }
}

/// A server that tests may use.
#[derive(Debug)]
pub enum Server {
    /// Somebody named its URL.
    Named(String),
    /// It listens on the usual port.
    Local(String),
    /// Started for us; it ends when this is dropped.
    Throwaway(Throwaway),
}

impl Server {
    /// Where it is.
    pub fn url(&self) -> &str {
        match self {
            Self::Named(url) | Self::Local(url) => url,
            Self::Throwaway(server) => server.url(),
        }
    }
}

impl fmt::Display for Server {
    /// How it was found; not the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(_) => "the server that the environment names",
            Self::Local(_) => "the server on the usual port",
            Self::Throwaway(_) => "a server of its own, thrown away afterwards",
        })
    }
}

/// A server of `database`.
///
/// # Errors
///
/// [`Missing`] when there is none, and none can be started.
pub fn find(database: Database) -> Result<Server, Missing> {
    if let Some(url) = env::var(database.variable()).ok().filter(|url| !url.is_empty()) {
        return Ok(Server::Named(url));
    }
    if database.lets_in(database.port()) {
        return Ok(Server::Local(database.url(database.port())));
    }
    Throwaway::start(database).map(Server::Throwaway).map_err(|why| Missing { database, why })
}

/// There is no server, and this is how to get one.
#[derive(Debug)]
pub struct Missing {
    database: Database,
    why: NotStarted,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, why } = self;
        write!(
            f,
            "{database} ({why}): install it (`apt-get install {}`), or set {} to the URL of a server \
             on which tests may create databases",
            database.package(),
            database.variable()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_says_how_to_get_it() {
        let why = NotStarted::NotInstalled;
        let text = Missing { database: Database::Postgres, why }.to_string();
        assert_eq!(
            text,
            "PostgreSQL (its programs are not installed): install it (`apt-get install postgresql`), \
             or set WEBHOOK_TEST_POSTGRES to the URL of a server on which tests may create databases"
        );
    }
}
