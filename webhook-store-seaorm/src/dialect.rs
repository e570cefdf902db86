//! All that differs between the databases, and nothing else.
//!
//! The statements of this crate are written once, with `?` for each value and `{name}` for what a
//! dialect or the table prefix fills in. [`Sql::render`] turns that into one database's own SQL.

mod mysql;
#[cfg(feature = "sqlite")]
pub(crate) mod open_sqlite;
mod postgres;
mod sqlite;

use std::fmt;

use sea_orm::{DbBackend, TransactionOptions};

use crate::fault::Class;

/// One kind of database.
pub(crate) trait Dialect: fmt::Debug + Send + Sync + 'static {
    /// SeaORM's name for it.
    fn backend(&self) -> DbBackend;

    /// Milliseconds of Unix time by the database's clock, as an expression.
    fn now(&self) -> &'static str;

    /// What a `{word}` stands for, unless it is a table: column types, table options, clauses.
    fn word(&self, word: &str) -> Option<&'static str>;

    /// Says after the name of a table which index to use. `{by_x}` stands for the index `x` of the
    /// deliveries: the planner, which guesses, may prefer one that holds all the finished rows too.
    fn by_index(&self, index: &str) -> String {
        let _ = index;
        String::new()
    }

    /// `count` pairs of values as the right side of `(a, b) IN`.
    fn pairs(&self, count: usize) -> String {
        format!("({})", repeated("(?, ?)", count))
    }

    /// How the placeholder of the `number`-th value is written, counted from 1.
    fn placeholder(&self, number: usize) -> String {
        let _ = number;
        "?".to_owned()
    }

    /// The names of the tables in the database, as a query with the one column `name`.
    fn tables(&self) -> &'static str;

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

    /// What an error of this code means.
    fn class(&self, code: &str) -> Class;
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

/// `one, one, one`.
pub(crate) fn repeated(one: &str, count: usize) -> String {
    vec![one; count].join(", ")
}

/// A dialect, and the tables of one store.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) prefix: String,
    /// What was rendered, for looking at the plans of all of it.
    #[cfg(test)]
    pub(crate) said: std::sync::Mutex<std::collections::BTreeSet<String>>,
}

impl Sql {
    pub(crate) fn new(dialect: &'static dyn Dialect, prefix: String) -> Self {
        Self {
            dialect,
            prefix,
            #[cfg(test)]
            said: std::sync::Mutex::default(),
        }
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
        if let Some(index) = word.strip_prefix("by_") {
            let index = format!("{}deliveries_{index}", self.prefix);
            sql.push_str(&self.dialect.by_index(&index));
            return;
        }
        match self.dialect.word(word) {
            // A word of the dialect may itself name a table.
            Some(text) => sql.push_str(&text.replace("{prefix}", &self.prefix)),
            None => {
                sql.push_str(&self.prefix);
                sql.push_str(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(url: &str, template: &str) -> String {
        Sql::new(of_url(url).unwrap(), "p_".to_owned()).render(template)
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
