//! The examples of publishing inside a caller's transaction: they check themselves.
#![cfg(all(feature = "http", feature = "sqlite", feature = "sqlx"))]
#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]
#![allow(unreachable_pub, reason = "each database is a test of its own")]

#[allow(dead_code, missing_docs, reason = "a program of its own, too")]
#[path = "../../examples/outbox_seaorm.rs"]
mod seaorm;
#[allow(dead_code, missing_docs, reason = "a program of its own, too")]
#[path = "../../examples/outbox_sqlx.rs"]
mod sqlx;

/// Both, one after the other: they use the same tables.
pub async fn a_row_and_its_event_commit_together_or_not_at_all(url: String) {
    seaorm::run(&url).await.unwrap();
    sqlx::run(&url).await.unwrap();
}
