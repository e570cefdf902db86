use sea_orm::{DbBackend, IsolationLevel, TransactionOptions};
use webhook_core::StoreErrorKind;

use super::Dialect;
use crate::fault::Class;

/// MySQL and MariaDB.
#[derive(Debug)]
pub(crate) struct MySql;

impl Dialect for MySql {
    fn backend(&self) -> DbBackend {
        DbBackend::MySql
    }

    fn now(&self) -> &'static str {
        "CAST(FLOOR(UNIX_TIMESTAMP(SYSDATE(3)) * 1000) AS SIGNED)"
    }

    fn word(&self, word: &str) -> Option<&'static str> {
        Some(match word {
            "uuid" => "BINARY(16)",
            "bytes" => "LONGBLOB",
            "int" => "BIGINT",
            // An index needs a length, and case must count.
            "name" => "VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin",
            "text" => "LONGTEXT CHARACTER SET utf8mb4",
            "table" | "clustered" => " ENGINE = InnoDB",
            // No partial indexes: finished rows are those whose due time is NULL, all in one place.
            "where_open" | "where_unrouted" => "",
            // A default may not say SYSDATE.
            "at_insert" => "(CAST(FLOOR(UNIX_TIMESTAMP(NOW(3)) * 1000) AS SIGNED))",
            "keep_first" => "ON DUPLICATE KEY UPDATE event_id = event_id",
            "keep_first_event" => "ON DUPLICATE KEY UPDATE id = id",
            "or_raise" => "ON DUPLICATE KEY UPDATE version = version + 1",
            "for_update" => "FOR UPDATE",
            "for_update_skip_locked" => "FOR UPDATE SKIP LOCKED",
            _ => return None,
        })
    }

    fn by_index(&self, index: &str) -> String {
        format!("FORCE INDEX ({index})")
    }

    fn tables(&self) -> &'static str {
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()"
    }

    fn transaction(&self, _writes: bool) -> TransactionOptions {
        let level = Some(IsolationLevel::ReadCommitted);
        TransactionOptions { isolation_level: level, ..TransactionOptions::default() }
    }

    fn class(&self, code: &str) -> Class {
        match code {
            "23000" => Class::Passing(StoreErrorKind::Other),
            "40001" => Class::Passing(StoreErrorKind::Unavailable),
            "42S02" | "42S22" => Class::Lasting(StoreErrorKind::Schema),
            _ => Class::Unclear(StoreErrorKind::Other),
        }
    }
}
