//! What was measured on: figures of one machine say little about another.

use std::{fmt, fs, thread::available_parallelism, time::SystemTime};

use serde::Serialize;
use webhook_registry::{
    Timestamp,
    database::sea_orm::{ConnectionTrait as _, Database, Statement},
};

use crate::{Failure, options::Options, place::kind};

/// Facts about this machine.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Machine {
    /// When the call began, as RFC 3339 has it, in UTC.
    date: String,
    cores: usize,
    cpu: String,
    os: String,
    kernel: String,
    /// As each says it itself.
    databases: Vec<String>,
}

impl Machine {
    pub(crate) async fn here(options: &Options) -> Result<Self, Failure> {
        let mut databases = Vec::new();
        for db in options.databases() {
            databases.push(version(&db).await?);
        }
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Ok(Self {
            date: Timestamp::from(SystemTime::now()).to_string(),
            cores: cores(),
            cpu: field(&read("/proc/cpuinfo"), "model name", ':'),
            os: field(&read("/etc/os-release"), "PRETTY_NAME", '='),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            databases,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, cores, cpu, os, databases, .. } = self;
        let day = date.split('T').next().unwrap_or_default();
        write!(f, "{cores} cores ({cpu}), {os}, {}, {day}", databases.join(", "))
    }
}

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, std::num::NonZero::get)
}

async fn version(db: &str) -> Result<String, Failure> {
    let (url, sql, name) = match kind(db) {
        "sqlite" => ("sqlite::memory:", "SELECT sqlite_version() AS version", "SQLite "),
        "mysql" | "mariadb" => (db, "SELECT version() AS version", ""),
        _ => (
            db,
            "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1) AS version",
            "",
        ),
    };
    let database = Database::connect(url).await?;
    let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql));
    let row = row.await?.ok_or("a database without a version")?;
    let version: String = row.try_get("", "version")?;
    database.close().await?;
    Ok(format!("{name}{version}"))
}

/// The value of the first line that begins with this name.
fn field(text: &str, name: &str, mark: char) -> String {
    let mut lines = text.lines().filter_map(|line| line.split_once(mark));
    let value = lines.find(|(field, _)| field.trim() == name).map(|(_, value)| value);
    value.unwrap_or_default().trim().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name() {
        assert_eq!(field("processor\t: 0\nmodel name\t: Fast 9\n", "model name", ':'), "Fast 9");
        assert_eq!(field("NAME=\"A\"\nPRETTY_NAME=\"A 12\"\n", "PRETTY_NAME", '='), "A 12");
        assert_eq!(field("", "PRETTY_NAME", '='), "");
    }
}
