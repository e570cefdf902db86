//! Keeps webhook events, deliveries and attempts in a database, on SeaORM.
//!
//! [`SeaOrmStore`] implements the three store ports of `webhook-core`. Choose the database with a
//! feature; none is on by default:
//!
//! | feature | database | URL |
//! |---|---|---|
//! | `sqlite` | SQLite, compiled in | `sqlite://webhooks.db?mode=rwc`, `sqlite::memory:` |
//! | `postgres` | PostgreSQL | `postgres://...` |
//! | `mysql` | MySQL, MariaDB | `mysql://...` |
//!
//! All three kinds pass the same conformance suite, which runs on SQLite, PostgreSQL 15 and MariaDB
//! 10.11. MariaDB is needed from 10.6 on; MySQL from 8.0 on is written for, and has not been tried. The
//! tables live under a prefix of your choice and, on PostgreSQL, in a schema of your choice; any number
//! of processes may share them.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use webhook_store_seaorm::SeaOrmStore;
//!
//! let store = SeaOrmStore::connect("sqlite::memory:").await?;
//! store.migrate().await?; // opening changes nothing; this creates the tables
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sqlite"))]
//! # fn main() {}
//! ```
//!
//! Three habits of this adapter:
//!
//! - **Units of work.** Each call is one transaction on a task of its own. Dropping the call loses
//!   the answer, never half of the work, and never leaves a transaction open in the pool.
//! - **Group commit.** While one commit runs, new events and outcomes queue and are then committed
//!   together; an idle store commits immediately.
//! - **One clock.** Due times and leases are reckoned by the database's own clock.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod db;
mod publish_in;
mod schema;
mod store;
mod work;

pub use builder::SeaOrmStoreBuilder;
pub use db::connect_error::ConnectError;
#[cfg(feature = "__crash-points")]
#[doc(hidden)]
pub use db::crash_points;
pub use publish_in::{CallersTransaction, PublishInError};
pub use schema::{
    DatabaseKind, InvalidDatabaseKind, LAST_STEP, SchemaStatus, TableNames, grants_sql,
    migration_sql,
};
pub use sea_orm;
pub use store::SeaOrmStore;
pub use work::reseal::{Resealed, SealStatus};

/// Compiles the example of the package's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
