//! Opening a file of SQLite, and what is told when it does not open.

#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod common;

use std::{error::Error, fs};

use common::{folder, open};
use webhook_store_seaorm::{ConnectError, SeaOrmStore};

/// Why a URL does not open, as a user reads it.
async fn unopenable(url: &str) -> String {
    let error = SeaOrmStore::connect(url).await.unwrap_err();
    assert!(matches!(error, ConnectError::Open { .. }), "{error:?}");
    format!("{error}: {}", error.source().unwrap())
}

#[tokio::test]
async fn what_does_not_open_is_named_with_the_reason() {
    let (folder, _) = folder();
    let path = |name: &str| format!("sqlite://{}/{name}", folder.path().display());
    let missing = unopenable(&path("missing.db")).await;
    assert!(missing.contains("missing.db; add ?mode=rwc"), "{missing}");
    let unreachable = unopenable(&path("no/such/folder.db?mode=rwc")).await;
    assert!(unreachable.contains("no/such/folder.db"), "{unreachable}");
    fs::write(folder.path().join("text.db"), "this is no database, but a text ".repeat(50))
        .unwrap();
    let text = unopenable(&path("text.db?mode=rw")).await;
    assert!(text.contains("text.db: ") && text.contains("not a database"), "{text}");
    assert!(fs::read(folder.path().join("text.db")).unwrap().starts_with(b"this is no"));
}

#[tokio::test]
async fn a_url_of_another_kind_says_what_is_expected() {
    let error = SeaOrmStore::connect("oracle://user:secret@host/db").await.unwrap_err();
    assert!(matches!(error, ConnectError::Scheme), "{error:?}");
    let error = SeaOrmStore::builder("sqlite::memory:").table_prefix("a; --").connect().await;
    assert!(matches!(error.unwrap_err(), ConnectError::Prefix));
}

#[tokio::test]
async fn a_store_shows_nothing_of_its_url() {
    let (_folder, url) = folder();
    let shown = format!("{:?} {:?}", SeaOrmStore::builder(&url), open(&url).await);
    assert!(!shown.contains("webhooks.db"), "{shown}");
}

#[tokio::test]
async fn a_limit_out_of_reach_is_moved_into_it() {
    use std::time::Duration;
    let open = |limit| SeaOrmStore::builder("sqlite::memory:").unit_limit(limit).connect();
    open(Duration::MAX).await.unwrap();
    // A millisecond may or may not do.
    let opened = open(Duration::ZERO).await;
    assert!(matches!(opened, Ok(_) | Err(ConnectError::Open { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_schema_is_refused_with_what_to_use_instead() {
    for url in ["mysql://host/db", "sqlite::memory:"] {
        let error = SeaOrmStore::builder(url).schema("hooks").connect().await.unwrap_err();
        assert!(matches!(error, ConnectError::NoSchemas), "{error:?}");
        assert!(error.to_string().contains("table prefix"), "{error}");
    }
}

#[tokio::test]
async fn a_schema_is_a_plain_word() {
    let url = "postgres://user:secret@host/db";
    let error = SeaOrmStore::builder(url).schema("a; --").connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Schema), "{error:?}");
}
