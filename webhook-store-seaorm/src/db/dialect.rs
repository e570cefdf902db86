//! All that differs between the databases, and nothing else.
//!
//! The statements of this crate are written once, with `?` for each value and `{name}` for what a
//! dialect or the table prefix fills in. [`Sql::render`](crate::db::sql::Sql::render) turns that
//! into one database's own SQL.

mod mysql;
pub(crate) mod open;
#[cfg(feature = "mysql")]
mod open_mysql;
#[cfg(feature = "postgres")]
mod open_postgres;
#[cfg(feature = "sqlite")]
mod open_sqlite;
pub(crate) mod opened;
mod postgres;
mod sqlite;

use std::fmt;

use sea_orm::{DbBackend, TransactionOptions};

use crate::db::error_class::{ErrorClass, Refusal};

/// One kind of database.
pub(crate) trait Dialect: fmt::Debug + Send + Sync + 'static {
    /// SeaORM's name for it.
    fn backend(&self) -> DbBackend;

    /// How many transactions of one kind are best under way at once.
    fn writers(&self) -> usize {
        2
    }

    /// Whether a database has schemas in which tables are kept apart.
    fn has_schemas(&self) -> bool {
        false
    }

    /// Whether an index can be of some rows alone. Otherwise all of the log's indexes hold open
    /// deliveries too.
    fn has_partial_indexes(&self) -> bool {
        true
    }

    /// Whether a subquery may be run for each row of what stands before it.
    fn has_lateral(&self) -> bool {
        false
    }

    /// Milliseconds of Unix time by the database's clock, as an expression.
    fn now(&self) -> &'static str;

    /// What a `{word}` stands for, unless it is a table: column types, table options, clauses. It may
    /// have words in it.
    fn word(&self, word: &str) -> Option<&'static str>;

    /// Says after the name of a table which index to use. `{by_x}` stands for the index `x` of the
    /// deliveries: the planner, which guesses, may prefer one that holds all the finished rows too.
    fn by_index(&self, index: &str) -> String {
        let _ = index;
        String::new()
    }

    /// Whether a value may be a list, so that a statement about many rows says the same however many
    /// they are. It is prepared once, and many rows cost no more to read than one.
    fn has_lists(&self) -> bool {
        false
    }

    /// Whether rows of values can be joined to what all of them have in common. Where no network is
    /// between us and the database, each value said costs more than a row.
    fn joins_rows(&self) -> bool {
        false
    }

    /// `count` pairs of values as the right side of `(a, b) IN`.
    fn pairs(&self, count: usize) -> String;

    /// Finds the rows that stand at these places, a value of the form `{"place","place"}`. Never asked
    /// where `{and_place}` selects none.
    fn at_places(&self) -> &'static str {
        ""
    }

    /// How the placeholder of the `number`-th value is written, counted from 1.
    fn placeholder(&self, number: usize) -> String {
        let _ = number;
        "?".to_owned()
    }

    /// The names of the tables beside which ours live, as a query with the one column `name`.
    fn tables(&self) -> &'static str;

    /// Makes other processes that migrate wait, as a query that answers `locked` = 1; and the statement that
    /// ends the wait, unless the end of the transaction does.
    fn migration_lock(&self) -> Option<(&'static str, Option<&'static str>)> {
        None
    }

    /// Whether a step can say of its tables and indexes that they may be there already. A step that was
    /// cut off is completed by taking it again.
    fn says_if_not_exists(&self) -> bool {
        true
    }

    /// Whether an error only says that a part of a step is there already, where a step cannot.
    fn is_there_already(&self, code: &str) -> bool {
        let _ = code;
        false
    }

    /// Run once before the tables are created, outside of any transaction.
    fn prepare(&self) -> &'static [&'static str] {
        &[]
    }

    /// Asks for `journal_mode`, where there is a choice.
    fn journal_mode(&self) -> Option<&'static str> {
        None
    }

    /// How a transaction begins.
    fn transaction(&self, writes: bool) -> TransactionOptions;

    /// Lets all statements of a transaction that only reads see the same, where each would see what was
    /// committed before it and several have a part in one answer. Said before the first of them.
    fn one_snapshot(&self) -> Option<&'static str> {
        None
    }

    /// Meaning of an error with this code.
    fn class(&self, code: &str) -> ErrorClass;

    /// Whether an error says that the connection was opened for reading alone.
    fn is_read_only(&self, code: &str) -> bool {
        let _ = code;
        false
    }

    /// Whom a server lets in with such an error: nobody, for this reason.
    fn refusal(&self, code: &str) -> Option<Refusal> {
        let _ = code;
        None
    }
}

/// The dialect for a URL, by its scheme.
pub(crate) fn of_url(url: &str) -> Option<&'static dyn Dialect> {
    match url.split(':').next() {
        Some("sqlite") => Some(&sqlite::Sqlite),
        Some("postgres" | "postgresql") => Some(&postgres::Postgres),
        Some("mysql" | "mariadb") => Some(&mysql::MySql),
        _ => None,
    }
}

/// Steps through the index of open deliveries from endpoint to endpoint, instead of through all the
/// endpoints there are or all the deliveries that are open.
const STEP_THROUGH_ENDPOINTS: &str = "\
    WITH RECURSIVE open_endpoints (id) AS ( \
        SELECT * FROM (SELECT d.endpoint_id FROM {deliveries} AS d {by_open} \
            WHERE d.due_at IS NOT NULL ORDER BY d.endpoint_id LIMIT 1) AS first_one \
        UNION ALL \
        SELECT (SELECT d.endpoint_id FROM {deliveries} AS d {by_open} \
            WHERE d.due_at IS NOT NULL AND d.endpoint_id > o.id ORDER BY d.endpoint_id LIMIT 1) \
        FROM open_endpoints AS o WHERE o.id IS NOT NULL \
    )";

/// When the first open delivery of an endpoint is due.
const FIRST_DUE: &str = "(SELECT d.due_at FROM {deliveries} AS d {by_open} \
    WHERE d.{open_endpoint} = e.id AND d.due_at IS NOT NULL ORDER BY d.due_at LIMIT 1)";

/// The words for indexes of some rows alone, and for the rows they hold, where there are such.
fn partial_index(word: &str) -> Option<&'static str> {
    Some(match word {
        "where_open" => " WHERE due_at IS NOT NULL",
        "where_not_open" => " WHERE due_at IS NULL",
        "not_open" => "AND due_at IS NULL",
        "where_not_in_flight" => " WHERE status <> 'in_flight'",
        "not_in_flight" => "AND status <> 'in_flight'",
        "in_flight_index" => {
            "CREATE INDEX {bare deliveries_in_flight} ON {deliveries} (endpoint_id) \
             WHERE status = 'in_flight'"
        }
        "where_keyed" => " WHERE event_key IS NOT NULL",
        "where_routed" => " WHERE route_due_at IS NULL",
        "where_unrouted" => " WHERE route_due_at IS NOT NULL",
        "where_unrouted_ordered" => " WHERE route_due_at IS NOT NULL AND ordering_key IS NOT NULL",
        _ => return None,
    })
}

/// `one, one, one`.
pub(crate) fn repeated(one: &str, count: usize) -> String {
    vec![one; count].join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scheme_has_no_dialect() {
        assert!(of_url("oracle://x").is_none());
        assert!(of_url("").is_none());
    }
}
