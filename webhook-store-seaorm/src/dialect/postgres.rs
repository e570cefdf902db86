use sea_orm::{DbBackend, IsolationLevel, TransactionOptions};
use webhook_core::StoreErrorKind;

use super::Dialect;
use crate::fault::Class;

/// PostgreSQL.
#[derive(Debug)]
pub(crate) struct Postgres;

impl Dialect for Postgres {
    fn backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    fn now(&self) -> &'static str {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    }

    fn word(&self, word: &str) -> Option<&'static str> {
        Some(match word {
            "uuid" => "UUID",
            "bytes" => "BYTEA",
            "int" => "BIGINT",
            // Compared byte by byte, as everywhere else.
            "name" => "TEXT COLLATE \"C\"",
            "text" => "TEXT",
            "table" | "clustered" => "",
            "where_open" => " WHERE due_at IS NOT NULL",
            "where_unrouted" => " WHERE route_due_at IS NOT NULL",
            "at_insert" => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
            "keep_first" | "keep_first_event" => "ON CONFLICT DO NOTHING",
            "or_raise" => "ON CONFLICT (id) DO UPDATE SET version = {prefix}tenants.version + 1",
            "for_update" => "FOR UPDATE",
            "for_update_skip_locked" => "FOR UPDATE SKIP LOCKED",
            _ => return None,
        })
    }

    fn placeholder(&self, number: usize) -> String {
        format!("${number}")
    }

    fn tables(&self) -> &'static str {
        "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables WHERE table_schema = current_schema()"
    }

    fn transaction(&self, _writes: bool) -> TransactionOptions {
        let level = Some(IsolationLevel::ReadCommitted);
        TransactionOptions { isolation_level: level, ..TransactionOptions::default() }
    }

    fn class(&self, code: &str) -> Class {
        match code {
            "23505" => Class::Passing(StoreErrorKind::Other),
            "40001" | "40P01" | "55P03" => Class::Passing(StoreErrorKind::Unavailable),
            "25006" | "53100" => Class::Lasting(StoreErrorKind::Refused),
            "42P01" | "42703" | "3F000" => Class::Lasting(StoreErrorKind::Schema),
            _ => Class::Unclear(StoreErrorKind::Other),
        }
    }
}
