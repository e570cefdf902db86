use sea_orm::{DbBackend, TransactionOptions};
use webhook_core::StoreErrorKind;

use super::{Dialect, FIRST_DUE, repeated};
use crate::db::error_class::{ErrorClass, Refusal};

/// MySQL from 8.0 on, not tried yet, and MariaDB from 10.6 on.
#[derive(Debug)]
pub(crate) struct MySql;

impl Dialect for MySql {
    fn backend(&self) -> DbBackend {
        DbBackend::MySql
    }

    fn now(&self) -> &'static str {
        // The pool opens its connections in UTC.
        "CAST(FLOOR(UNIX_TIMESTAMP(SYSDATE(3)) * 1000) AS SIGNED)"
    }

    fn has_partial_indexes(&self) -> bool {
        false
    }

    fn word(&self, word: &str) -> Option<&'static str> {
        Some(match word {
            "uuid" => "BINARY(16)",
            "bytes" => "LONGBLOB",
            "int" => "BIGINT",
            // An index needs a length, and case must count.
            "name" => "VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin",
            "text" => "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            "table" | "clustered" => " ENGINE = InnoDB",
            // There are no partial indexes. This column is the endpoint of open deliveries alone, so
            // that finished ones stand together at one end of the index, as NULL.
            "open_column" => {
                "open_endpoint BINARY(16) GENERATED ALWAYS AS \
                 (CASE WHEN due_at IS NOT NULL THEN endpoint_id END) STORED,"
            }
            // Nowhere told: a row is found by its key.
            "and_place" => "",
            "body_bytes" => "LENGTH(body)",
            "open_endpoint" => "open_endpoint",
            // The same for the ordering keys of unrouted events.
            "unrouted_column" => {
                ", unrouted_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin GENERATED ALWAYS AS \
                 (CASE WHEN route_due_at IS NOT NULL THEN ordering_key END) STORED"
            }
            "unrouted_key" => "unrouted_key",
            // The planner takes no range of an outer query's value, and steps from one value to the
            // next only when it guesses well how many there are. So each endpoint is asked for.
            "with_open_endpoints" => {
                "WITH open_endpoints (id) AS (SELECT x.id FROM {endpoints} AS x)"
            }
            "first_due" => FIRST_DUE,
            // A planner that takes a table for a small one reads all of it.
            "by_key" => "FORCE INDEX (PRIMARY)",
            "by_event_key" => "FORCE INDEX ({bare events_key})",
            "by_unrouted" => "FORCE INDEX ({bare events_unrouted})",
            "by_ordered" => "FORCE INDEX ({bare events_ordered})",
            "by_delivery" => "FORCE INDEX ({bare ordered_deliveries_delivery})",
            // In this order.
            "then_join" => "STRAIGHT_JOIN",
            "with_work" => "HAVING due_at IS NOT NULL",
            "by_in_flight" => "FORCE INDEX ({bare deliveries_status})",
            "where_not_in_flight" | "not_in_flight" | "in_flight_index" => "",
            "where_open"
            | "where_not_open"
            | "not_open"
            | "where_keyed"
            | "where_routed"
            | "where_unrouted"
            | "where_unrouted_ordered" => "",
            // A default may not say SYSDATE.
            "at_insert" => "(CAST(FLOOR(UNIX_TIMESTAMP(NOW(3)) * 1000) AS SIGNED))",
            // It counts what it skips as well, so it stops.
            "or_skip" => "",
            "keep_first" => "ON DUPLICATE KEY UPDATE event_id = event_id",
            "keep_first_event" => "ON DUPLICATE KEY UPDATE id = id",
            "keep_first_endpoint" => "ON DUPLICATE KEY UPDATE endpoint_id = endpoint_id",
            "or_raise" => "ON DUPLICATE KEY UPDATE version = version + 1",
            // At higher isolation levels a plain read would not see what others committed since.
            "for_update" | "as_of_now" => "FOR UPDATE",
            "for_update_skip_locked" => "FOR UPDATE SKIP LOCKED",
            _ => return None,
        })
    }

    fn pairs(&self, count: usize) -> String {
        // MariaDB looks through the whole table for a row to update when a list names one pair alone.
        let none = if count == 1 { ", ('', '')" } else { "" };
        format!("({}{none})", repeated("(?, ?)", count))
    }

    fn by_index(&self, index: &str) -> String {
        format!("FORCE INDEX ({index})")
    }

    fn tables(&self) -> &'static str {
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()"
    }

    fn migration_lock(&self) -> Option<(&'static str, Option<&'static str>)> {
        // The name holds for the whole server.
        Some((
            "SELECT GET_LOCK(SHA1(CONCAT(DATABASE(), '.', ?)), 8) AS locked",
            Some("DO RELEASE_LOCK(SHA1(CONCAT(DATABASE(), '.', ?)))"),
        ))
    }

    fn says_if_not_exists(&self) -> bool {
        // Of indexes MySQL cannot. Nor would an error undo what was done before.
        false
    }

    fn is_there_already(&self, code: &str) -> bool {
        // A table, a column, an index.
        matches!(code, "1050" | "1060" | "1061")
    }

    fn transaction(&self, _writes: bool) -> TransactionOptions {
        // The pool opens its connections at READ COMMITTED: saying so each time is a round trip.
        TransactionOptions::default()
    }

    /// By error number, see <https://mariadb.com/kb/en/mariadb-error-code-reference/>: one SQLSTATE
    /// stands for too many of them.
    fn class(&self, code: &str) -> ErrorClass {
        match code {
            // A row appeared between look and insert: look again.
            "1062" => ErrorClass::OptimisticMiss,
            // Conflicts of two transactions, a lock held for long, too many connections.
            "1020" | "1205" | "1213" | "3572" | "1040" | "1203" => {
                ErrorClass::Retryable(StoreErrorKind::Unavailable)
            }
            // The server goes down, or the connection was cut or killed.
            "1053" | "1077" | "1079" | "1152" | "1158" | "1159" | "1160" | "1161" | "1184"
            | "1317" | "1927" | "2006" | "2013" | "4031" => ErrorClass::ConnectionLost,
            "1969" | "3024" => ErrorClass::Permanent(StoreErrorKind::Unavailable),
            // Read-only, no room, no right.
            "1290" | "1792" | "1836" | "1021" | "1026" | "1030" | "1114" | "1044" | "1045"
            | "1142" | "1143" | "1698" => ErrorClass::Permanent(StoreErrorKind::Refused),
            "1049" | "1054" | "1146" => ErrorClass::Permanent(StoreErrorKind::Schema),
            _ => ErrorClass::Ambiguous(StoreErrorKind::Other),
        }
    }

    fn refusal(&self, code: &str) -> Option<Refusal> {
        match code {
            "1044" | "1045" | "1698" => Some(Refusal::User),
            "1049" => Some(Refusal::Database),
            _ => None,
        }
    }
}
