use sea_orm::{DbBackend, TransactionOptions};
use webhook_core::StoreErrorKind;

use super::{Dialect, partial_index, repeated};
use crate::db::error_class::{ErrorClass, Refusal};

/// Steps through the index of open deliveries from endpoint to endpoint, by the first of each.
const STEP_THROUGH_FIRST_DUE: &str = "\
    WITH RECURSIVE open_endpoints (id, due_at) AS ( \
        SELECT * FROM (SELECT d.endpoint_id, d.due_at FROM {deliveries} AS d \
            WHERE d.due_at IS NOT NULL ORDER BY d.endpoint_id, d.due_at LIMIT 1) AS first_one \
        UNION ALL \
        SELECT n.endpoint_id, n.due_at FROM open_endpoints AS o CROSS JOIN LATERAL ( \
            SELECT d.endpoint_id, d.due_at FROM {deliveries} AS d \
            WHERE d.due_at IS NOT NULL AND d.endpoint_id > o.id \
            ORDER BY d.endpoint_id, d.due_at LIMIT 1) AS n \
    )";

/// PostgreSQL.
#[derive(Debug)]
pub(crate) struct Postgres;

impl Dialect for Postgres {
    fn backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    fn has_schemas(&self) -> bool {
        true
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
            // Room for what a delivery becomes, in the page that was read for it.
            "clustered" => " WITH (fillfactor = 70)",
            "table" | "open_column" | "unrouted_column" | "with_work" => "",
            "by_key" | "by_event_key" | "by_unrouted" | "by_ordered" | "by_delivery" => "",
            "unrouted_key" => "ordering_key",
            "open_endpoint" => "endpoint_id",
            "with_open_endpoints" => STEP_THROUGH_FIRST_DUE,
            "then_join" => "JOIN",
            "first_due" => "o.due_at",
            "and_place" => ", CAST(ctid AS TEXT) AS place",
            "body_bytes" => "CAST(LENGTH(body) AS BIGINT)",
            "at_insert" => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
            "keep_first" | "keep_first_event" | "keep_first_endpoint" | "or_skip" => {
                "ON CONFLICT DO NOTHING"
            }
            "or_raise" => "ON CONFLICT (id) DO UPDATE SET version = {bare tenants}.version + 1",
            "for_update" => "FOR UPDATE",
            // What made an insert stop is visible, or the insert failed.
            "as_of_now" => "",
            "for_update_skip_locked" => "FOR UPDATE SKIP LOCKED",
            _ => return partial_index(word),
        })
    }

    fn has_lists(&self) -> bool {
        true
    }

    fn pairs(&self, count: usize) -> String {
        // Each row is looked for by its key, as if it were joined.
        format!("(VALUES {})", repeated("(?, ?)", count))
    }

    fn at_places(&self) -> &'static str {
        "ctid = ANY(CAST(? AS tid[]))"
    }

    fn placeholder(&self, number: usize) -> String {
        format!("${number}")
    }

    fn tables(&self) -> &'static str {
        "SELECT CAST(c.relname AS TEXT) AS name FROM pg_catalog.pg_class AS c \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE n.nspname = {in_schema} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    }

    fn migration_lock(&self) -> Option<(&'static str, Option<&'static str>)> {
        Some((
            "SELECT CAST(1 AS BIGINT) AS locked FROM pg_advisory_xact_lock(hashtextextended(?, 0))",
            None,
        ))
    }

    fn transaction(&self, _writes: bool) -> TransactionOptions {
        // The pool opens its connections at READ COMMITTED: saying so each time is a round trip.
        TransactionOptions::default()
    }

    fn has_lateral(&self) -> bool {
        true
    }

    fn one_snapshot(&self) -> Option<&'static str> {
        Some("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    }

    /// By SQLSTATE, see <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn class(&self, code: &str) -> ErrorClass {
        match code {
            // A row appeared between look and insert: look again.
            "23505" => ErrorClass::OptimisticMiss,
            // Conflicts of two transactions, a lock held for long, too many connections.
            "40001" | "40P01" | "55P03" | "53300" => {
                ErrorClass::Retryable(StoreErrorKind::Unavailable)
            }
            // The server goes down, comes up, or ended the session.
            "40003" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" => {
                ErrorClass::ConnectionLost
            }
            _ if code.starts_with("08") => ErrorClass::ConnectionLost,
            "57014" => ErrorClass::Permanent(StoreErrorKind::Unavailable),
            // Read-only, no room, no right.
            "25006" | "53100" | "42501" | "28000" | "28P01" => {
                ErrorClass::Permanent(StoreErrorKind::Refused)
            }
            "42P01" | "42703" | "3F000" | "3D000" => ErrorClass::Permanent(StoreErrorKind::Schema),
            _ => ErrorClass::Ambiguous(StoreErrorKind::Other),
        }
    }

    fn refusal(&self, code: &str) -> Option<Refusal> {
        match code {
            "28000" | "28P01" | "42501" => Some(Refusal::User),
            "3D000" => Some(Refusal::Database),
            _ => None,
        }
    }
}
