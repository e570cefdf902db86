//! How the tables in the database compare with those this version needs.

use std::collections::BTreeSet;

use webhook_core::StoreErrorKind;

use super::print::LAST_STEP;
use crate::db::{fault::Fault, tx::Tx};

/// How the tables in the database compare with those this version needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SchemaStatus {
    /// The database holds no tables at all.
    Empty,
    /// It holds tables, but none of ours.
    Missing,
    /// Ours, from an earlier version, at this step; 0 when creating them began and did not end.
    Older(u32),
    /// As this version needs them.
    Current,
    /// Ours, from a later version, at this step.
    Newer(u32),
    /// Tables with our names that are not ours.
    Foreign,
}

impl SchemaStatus {
    /// What to do about it; nothing, when the tables fit.
    pub const fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::Current => return None,
            Self::Empty | Self::Missing => {
                "the tables do not exist yet; run `webhook migrate`, or call SeaOrmStore::migrate"
            }
            Self::Older(0) => {
                "creating the tables began and did not end; run `webhook migrate`, or call SeaOrmStore::migrate"
            }
            Self::Older(_) => {
                "the tables are of an older version; run `webhook migrate`, or call SeaOrmStore::migrate"
            }
            Self::Newer(_) => "the tables are of a newer version; update this program",
            Self::Foreign => {
                "the database has tables of the same names that are not ours; choose another database or table prefix"
            }
        })
    }

    pub(super) fn into_fault(self) -> Fault {
        Fault::new(StoreErrorKind::Schema, self.advice().unwrap_or("the tables fit"))
    }
}

/// Looks how they compare.
pub(super) async fn status(tx: &Tx) -> Result<SchemaStatus, Fault> {
    let rows = tx.all(tx.sql().dialect.tables(), []).await?;
    let tables: BTreeSet<String> =
        rows.iter().map(|row| row.get("name")).collect::<Result<_, _>>()?;
    let has = |name: &str| tables.contains(&tx.sql().render(name));
    if !has("{bare schema}") {
        let taken = [
            "tenants",
            "endpoints",
            "events",
            "deliveries",
            "ordered_endpoints",
            "ordered_deliveries",
            "attempts",
            "notices",
            "counters",
        ]
        .map(|name| format!("{{bare {name}}}"));
        return Ok(match tables.is_empty() {
            true => SchemaStatus::Empty,
            false if taken.iter().any(|name| has(name)) => SchemaStatus::Foreign,
            false => SchemaStatus::Missing,
        });
    }
    match found(tx).await {
        Ok(found) => Ok(compare(found)),
        Err(fault) if fault.is_misfit() => Ok(SchemaStatus::Foreign),
        Err(fault) => Err(fault),
    }
}

/// The last step that was taken; an error when the table that should say so is another's.
async fn found(tx: &Tx) -> Result<u32, Fault> {
    let row = tx.one("SELECT COALESCE(MAX(version), 0) AS version FROM {schema}", []).await?;
    row.ok_or_else(|| Fault::corrupt("no version"))?.number("version")
}

fn compare(found: u32) -> SchemaStatus {
    match found.cmp(&LAST_STEP) {
        std::cmp::Ordering::Less => SchemaStatus::Older(found),
        std::cmp::Ordering::Equal => SchemaStatus::Current,
        std::cmp::Ordering::Greater => SchemaStatus::Newer(found),
    }
}
