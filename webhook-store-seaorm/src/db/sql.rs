//! SQL in the words of one database, for the tables of one store.

use crate::db::dialect::Dialect;

/// A dialect, and the tables of one store.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(crate) dialect: &'static dyn Dialect,
    /// Where the tables live, on PostgreSQL: named with each of them, so that nobody's search path
    /// matters.
    pub(crate) schema: Option<String>,
    pub(crate) prefix: String,
    /// Statements that were sent, for tests of their query plans.
    #[cfg(test)]
    pub(crate) logged: std::sync::Mutex<std::collections::BTreeSet<String>>,
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
            logged: std::sync::Mutex::default(),
        }
    }

    /// Name of the channel for notifications about these tables: at most 63 bytes, like all names
    /// of PostgreSQL. Two stores that share a channel only poll more often.
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

/// It ends up in statements as it is.
pub(crate) fn is_plain(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::dialect::of_url;

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
    fn a_prefix_or_schema_is_a_plain_word() {
        for good in ["webhook_", "a", "app1_hooks_"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["", "1a", "A_", "a-b", "a;b", "a b", "_a", &"a".repeat(33)] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }
}
