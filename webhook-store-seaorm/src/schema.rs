//! The tables: creating, updating and comparing them, and the SQL for it as text.

mod grants;
pub(crate) mod migrate;
mod print;
mod status;
mod steps;

pub use grants::grants_sql;
pub use print::{DatabaseKind, InvalidDatabaseKind, LAST_STEP, TableNames, migration_sql};
pub use status::SchemaStatus;
