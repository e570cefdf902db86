use sea_orm::{DbBackend, SqliteTransactionMode, TransactionOptions};
use webhook_core::StoreErrorKind;

use super::{Dialect, FIRST_DUE, STEP_THROUGH_ENDPOINTS, partial_index, repeated};
use crate::db::error_class::ErrorClass;

/// SQLite, from 3.42 on.
#[derive(Debug)]
pub(crate) struct Sqlite;

impl Dialect for Sqlite {
    fn backend(&self) -> DbBackend {
        DbBackend::Sqlite
    }

    fn writers(&self) -> usize {
        1
    }

    fn now(&self) -> &'static str {
        "CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)"
    }

    fn word(&self, word: &str) -> Option<&'static str> {
        Some(match word {
            "uuid" | "bytes" => "BLOB",
            "int" => "INTEGER",
            "name" | "text" => "TEXT",
            // STRICT, so that a column holds its type and nothing else.
            "table" => " STRICT",
            // A row lives in its primary key, so that each index ends in that key.
            "clustered" => " STRICT, WITHOUT ROWID",
            "open_column" | "unrouted_column" | "with_work" => "",
            "by_key" | "by_event_key" | "by_unrouted" | "by_ordered" | "by_delivery" => "",
            "unrouted_key" => "ordering_key",
            // Nowhere told: a row is found by its key.
            "and_place" => "",
            "body_bytes" => "LENGTH(body)",
            "open_endpoint" => "endpoint_id",
            "with_open_endpoints" => STEP_THROUGH_ENDPOINTS,
            "then_join" => "JOIN",
            "first_due" => FIRST_DUE,
            "at_insert" => "(CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER))",
            "keep_first" | "keep_first_event" | "keep_first_endpoint" | "or_skip" => {
                "ON CONFLICT DO NOTHING"
            }
            "or_raise" => "ON CONFLICT (id) DO UPDATE SET version = {bare tenants}.version + 1",
            // One writer at a time: there is nobody to lock a row against.
            "for_update" | "for_update_skip_locked" | "as_of_now" => "",
            _ => return partial_index(word),
        })
    }

    fn joins_rows(&self) -> bool {
        true
    }

    fn by_index(&self, index: &str) -> String {
        format!("INDEXED BY {index}")
    }

    fn pairs(&self, count: usize) -> String {
        format!("(VALUES {})", repeated("(?, ?)", count))
    }

    fn tables(&self) -> &'static str {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    }

    fn prepare(&self) -> &'static [&'static str] {
        // Kept in the file, so that opening need not change a file that may be somebody else's.
        &["PRAGMA journal_mode = WAL"]
    }

    fn journal_mode(&self) -> Option<&'static str> {
        Some("PRAGMA journal_mode")
    }

    fn transaction(&self, writes: bool) -> TransactionOptions {
        // A writer takes the lock at once: one that began as a reader is refused when another has
        // written meanwhile, and no waiting helps it.
        let mode =
            if writes { SqliteTransactionMode::Immediate } else { SqliteTransactionMode::Deferred };
        TransactionOptions { sqlite_transaction_mode: Some(mode), ..TransactionOptions::default() }
    }

    fn is_read_only(&self, code: &str) -> bool {
        code == "8"
    }

    fn class(&self, code: &str) -> ErrorClass {
        let code: u32 = code.parse().unwrap_or_default();
        // The low byte is the primary code, see https://www.sqlite.org/rescode.html.
        match (code, code & 0xff) {
            // A row appeared between look and insert: look again.
            (1555 | 2067, _) => ErrorClass::OptimisticMiss,
            (_, 5 | 6) => ErrorClass::Retryable(StoreErrorKind::Unavailable),
            (_, 8 | 13) => ErrorClass::Permanent(StoreErrorKind::Refused),
            (_, 10) => ErrorClass::Ambiguous(StoreErrorKind::Unavailable),
            (_, 14) => ErrorClass::Permanent(StoreErrorKind::Unavailable),
            (_, 11) => ErrorClass::Permanent(StoreErrorKind::Corrupt),
            // SQL logic: a table or column that is not there.
            (_, 1 | 26) => ErrorClass::Permanent(StoreErrorKind::Schema),
            _ => ErrorClass::Ambiguous(StoreErrorKind::Other),
        }
    }
}
