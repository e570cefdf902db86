//! All that differs between the databases, and nothing else.
//!
//! The statements of this crate are written once, with `?` for each value and `{name}` for what a
//! dialect or the table prefix fills in. [`Sql::render`] turns that into one database's own SQL.

mod mysql;
pub(crate) mod open;
#[cfg(feature = "mysql")]
mod open_mysql;
#[cfg(feature = "postgres")]
mod open_postgres;
#[cfg(feature = "sqlite")]
mod open_sqlite;
mod postgres;
mod sqlite;

use std::fmt;

use sea_orm::{DbBackend, TransactionOptions};

use crate::db::{connect_error::Refusal, fault::Class};

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

    /// What an error of this code means.
    fn class(&self, code: &str) -> Class;

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

/// A dialect, and the tables of one store.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(crate) dialect: &'static dyn Dialect,
    /// Where the tables live, on PostgreSQL: named with each of them, so that nobody's search path
    /// matters.
    pub(crate) schema: Option<String>,
    pub(crate) prefix: String,
    /// What was rendered, for looking at the plans of all of it.
    #[cfg(test)]
    pub(crate) said: std::sync::Mutex<std::collections::BTreeSet<String>>,
}

impl Sql {
    pub(crate) fn new(
        dialect: &'static dyn Dialect,
        schema: Option<String>,
        prefix: String,
    ) -> Self {
        Self {
            dialect,
            schema,
            prefix,
            #[cfg(test)]
            said: std::sync::Mutex::default(),
        }
    }

    /// Where hints that concern these tables travel: at most 63 bytes, as all names of PostgreSQL. That
    /// two stores may share one does no harm.
    pub(crate) fn channel(&self) -> String {
        let mut channel = format!("{}work", self.prefix);
        channel.extend(self.schema.iter().flat_map(|schema| ["_", schema.as_str()]));
        channel.truncate(channel.floor_char_boundary(63));
        channel
    }

    /// The statement in the database's own words.
    pub(crate) fn render(&self, template: &str) -> String {
        let mut sql = String::with_capacity(template.len() + 64);
        let mut values = 0;
        let mut rest = template;
        while let Some(at) = rest.find(['?', '{']) {
            let (before, mark) = rest.split_at(at);
            sql.push_str(before);
            if let Some(tail) = mark.strip_prefix('?') {
                values += 1;
                sql.push_str(&self.dialect.placeholder(values));
                rest = tail;
            } else {
                let (word, tail) =
                    mark.get(1..).and_then(|m| m.split_once('}')).unwrap_or_default();
                self.push_word(&mut sql, word);
                rest = tail;
            }
        }
        sql.push_str(rest);
        sql
    }

    fn push_word(&self, sql: &mut String, word: &str) {
        if let Some(text) = self.dialect.word(word) {
            sql.push_str(&self.render(text));
        } else if let Some(index) = word.strip_prefix("by_") {
            let index = format!("{}deliveries_{index}", self.prefix);
            sql.push_str(&self.dialect.by_index(&index));
        } else if let Some(name) = word.strip_prefix("bare ") {
            sql.push_str(&self.prefix);
            sql.push_str(name);
        } else if word == "schema_name" {
            sql.push_str(&quoted(self.schema.as_deref().unwrap_or_default(), '"'));
        } else if word == "in_schema" {
            sql.push_str(&quoted(self.schema.as_deref().unwrap_or_default(), '\''));
        } else {
            if let Some(schema) = &self.schema {
                sql.push_str(&quoted(schema, '"'));
                sql.push('.');
            }
            sql.push_str(&self.prefix);
            sql.push_str(word);
        }
    }
}

/// As SQL writes a name, or a text.
pub(crate) fn quoted(text: &str, mark: char) -> String {
    let twice = format!("{mark}{mark}");
    format!("{mark}{}{mark}", text.replace(mark, &twice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(url: &str, template: &str) -> String {
        Sql::new(of_url(url).unwrap(), None, "p_".to_owned()).render(template)
    }

    #[test]
    fn a_schema_stands_before_each_table_and_before_nothing_else() {
        let postgres = of_url("postgres://x").unwrap();
        let sql = Sql::new(postgres, Some("my\"hooks".to_owned()), "p_".to_owned());
        let table = [
            ("SELECT id FROM {events} {by_open}", r#"SELECT id FROM "my""hooks".p_events "#),
            (
                "CREATE INDEX {bare events_a} ON {events}",
                r#"CREATE INDEX p_events_a ON "my""hooks".p_events"#,
            ),
            ("{or_raise}", "ON CONFLICT (id) DO UPDATE SET version = p_tenants.version + 1"),
            ("{in_schema}", "'my\"hooks'"),
        ];
        for (template, expected) in table {
            assert_eq!(sql.render(template), expected);
        }
    }

    #[test]
    fn a_channel_fits_whatever_schema_the_search_path_names() {
        let postgres = of_url("postgres://x").unwrap();
        let channel =
            |schema: &str| Sql::new(postgres, Some(schema.to_owned()), "p_".to_owned()).channel();
        assert_eq!(channel("hooks"), "p_work_hooks");
        for schema in ["ü".repeat(31), format!("a{}", "ü".repeat(31))] {
            let channel = channel(&schema);
            assert!(channel.len() <= 63 && channel.starts_with("p_work_"), "{channel}");
        }
    }

    #[test]
    fn each_database_gets_its_own_words() {
        let template = "SELECT id FROM {events} {by_open} WHERE id = ? AND tenant = ?";
        let table = [
            (
                "sqlite:x",
                "SELECT id FROM p_events INDEXED BY p_deliveries_open WHERE id = ? AND tenant = ?",
            ),
            ("postgres://x", "SELECT id FROM p_events  WHERE id = $1 AND tenant = $2"),
            (
                "mysql://x",
                "SELECT id FROM p_events FORCE INDEX (p_deliveries_open) WHERE id = ? AND tenant = ?",
            ),
        ];
        for (url, expected) in table {
            assert_eq!(render(url, template), expected);
        }
    }

    #[test]
    fn an_unknown_scheme_has_no_dialect() {
        assert!(of_url("oracle://x").is_none());
        assert!(of_url("").is_none());
    }
}
