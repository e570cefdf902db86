//! The rights that each role needs, as SQL.

use super::print::{DatabaseKind, TableNames};
use crate::db::{connect_error::ConnectError, sql::is_plain};

/// What a role may do with a table.
type Rights = (&'static str, &'static [(&'static str, &'static str)]);

/// The roles beside the owner of the tables, who migrates. Whoever locks a row has to be allowed to
/// update it.
const ROLES: [Rights; 4] = [
    (
        "publisher",
        &[
            ("schema", "SELECT"),
            ("tenants", "SELECT"),
            ("endpoints", "SELECT"),
            ("events", "SELECT, INSERT"),
            ("deliveries", "SELECT, INSERT"),
            ("ordered_endpoints", "SELECT, UPDATE"),
            ("ordered_deliveries", "SELECT, INSERT"),
        ],
    ),
    (
        "worker",
        &[
            ("schema", "SELECT"),
            ("tenants", "SELECT, INSERT, UPDATE"),
            ("endpoints", "SELECT, UPDATE"),
            ("events", "SELECT, UPDATE"),
            ("deliveries", "SELECT, INSERT, UPDATE"),
            ("ordered_endpoints", "SELECT, UPDATE"),
            ("ordered_deliveries", "SELECT, INSERT, DELETE"),
            ("attempts", "SELECT, INSERT"),
            ("notices", "SELECT, INSERT, DELETE"),
            ("counters", "SELECT, INSERT, UPDATE"),
        ],
    ),
    (
        "operator",
        &[
            ("schema", "SELECT"),
            ("tenants", "SELECT, INSERT, UPDATE"),
            ("endpoints", "SELECT, INSERT, UPDATE, DELETE"),
            ("events", "SELECT, INSERT, UPDATE, DELETE"),
            ("deliveries", "SELECT, INSERT, UPDATE, DELETE"),
            ("ordered_endpoints", "SELECT, INSERT, UPDATE, DELETE"),
            ("ordered_deliveries", "SELECT, INSERT, DELETE"),
            ("attempts", "SELECT, INSERT, DELETE"),
            ("notices", "SELECT, UPDATE, DELETE"),
            ("counters", "SELECT"),
        ],
    ),
    (
        "reader",
        &[
            ("schema", "SELECT"),
            ("tenants", "SELECT"),
            // All but its secrets: signing_keys and headers.
            (
                "endpoints",
                "SELECT (id, tenant, url, filters, profiles, timeout_ms, retry, max_in_flight, rate, \
                 order_policy, description, external_id, metadata, state, revision, created_at, \
                 removed_at, health, cools_down_until, rate_used)",
            ),
            ("events", "SELECT"),
            ("deliveries", "SELECT"),
            ("ordered_endpoints", "SELECT"),
            ("ordered_deliveries", "SELECT"),
            ("attempts", "SELECT"),
            ("notices", "SELECT"),
            ("counters", "SELECT"),
        ],
    ),
];

/// The rights of the roles `{prefix}publisher`, `{prefix}worker`, `{prefix}operator` and
/// `{prefix}reader`, which have to exist, as SQL for the owner of the tables.
/// SQLite has no roles: there the rights of the file count.
///
/// | role | may |
/// |---|---|
/// | owner | create and change the tables; everything else |
/// | publisher | publish; one that publishes by SQL alone needs `INSERT` on the events and nothing else |
/// | worker | deliver |
/// | operator | add, edit and remove endpoints, redeliver, cancel, prune, send a test |
/// | reader | look things up, all but the secrets of endpoints |
///
/// A process that both publishes and delivers needs both roles. On MySQL whoever inserts may also
/// update: it asks for that right where a row may be there already.
///
/// # Errors
///
/// [`ConnectError`] when one of the names is not plain, or there are no schemas.
pub fn grants_sql(
    kind: DatabaseKind,
    names: &TableNames,
    prefix: &str,
) -> Result<String, ConnectError> {
    let sql = names.sql(kind)?;
    if !is_plain(prefix) {
        return Err(ConnectError::Prefix);
    }
    if kind == DatabaseKind::Sqlite {
        return Ok("-- SQLite has no roles: the rights of the file count.\n".to_owned());
    }
    let mut lines = String::new();
    for (role, tables) in ROLES {
        let role = format!("{prefix}{role}");
        if names.has_schema() {
            lines.push_str(
                &sql.render(&format!("GRANT USAGE ON SCHEMA {{schema_name}} TO {role};\n")),
            );
        }
        for (table, rights) in tables {
            let rights = needed(kind, table, rights);
            lines.push_str(&sql.render(&format!("GRANT {rights} ON {{{table}}} TO {role};\n")));
        }
    }
    Ok(lines)
}

/// MySQL wants the right to update of whoever inserts a row that may be there already.
fn needed(kind: DatabaseKind, table: &str, rights: &str) -> String {
    let may_be_there = matches!(table, "events" | "deliveries" | "attempts" | "notices");
    let inserts = rights.contains("INSERT") && !rights.contains("UPDATE");
    let more = kind == DatabaseKind::MySql && may_be_there && inserts;
    if more { format!("{rights}, UPDATE") } else { rights.to_owned() }
}
