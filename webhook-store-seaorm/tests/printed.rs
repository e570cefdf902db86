//! The printed steps give what migrating gives.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod common;

use common::{add_endpoint, connect, folder, open};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use webhook_core::{TenantId, store::EndpointDirectory as _};
use webhook_store_seaorm::{
    ConnectError, DatabaseKind, LAST_STEP, SchemaStatus, SeaOrmStore, TableNames, grants_sql,
    migration_sql,
};

/// All that stands in a database, in its own words.
async fn dump(connection: &DatabaseConnection) -> Vec<(String, String)> {
    let sql = "SELECT name, COALESCE(sql, '') AS sql FROM sqlite_master ORDER BY name";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let text = |row: &sea_orm::QueryResult, column| row.try_get::<String>("", column).unwrap();
    rows.iter().map(|row| (text(row, "name"), text(row, "sql"))).collect()
}

#[tokio::test]
async fn what_is_printed_gives_what_migrating_gives() {
    let ((_one, migrated), (_other, printed)) = (folder(), folder());
    open(&migrated).await.close().await;
    let sql = migration_sql(DatabaseKind::Sqlite, &TableNames::new(), 1..=LAST_STEP).unwrap();
    let by_hand = connect(&printed).await;
    by_hand.execute_unprepared(&sql).await.unwrap();
    assert_eq!(dump(&by_hand).await, dump(&connect(&migrated).await).await);

    let store = SeaOrmStore::connect(&printed).await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Current);
    store.migrate().await.unwrap();
    add_endpoint(&store).await;
    assert_eq!(store.tenants(None, 100).await.unwrap(), [TenantId::default()]);
}

#[tokio::test]
async fn a_prefix_is_printed_too() {
    let (_folder, url) = folder();
    let names = TableNames::new().prefix("hooks_");
    let sql = migration_sql(DatabaseKind::Sqlite, &names, 1..=LAST_STEP).unwrap();
    connect(&url).await.execute_unprepared(&sql).await.unwrap();
    let store = SeaOrmStore::builder(&url).table_prefix("hooks_").connect().await.unwrap();
    assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Current);
}

#[test]
fn steps_that_are_not_asked_for_are_not_printed() {
    let names = TableNames::new();
    let none = migration_sql(DatabaseKind::MySql, &names, LAST_STEP + 1..=LAST_STEP + 1).unwrap();
    assert_eq!(none, "");
    let all = migration_sql(DatabaseKind::Postgres, &names, 0..=u32::MAX).unwrap();
    assert!(all.starts_with("BEGIN;\nCREATE TABLE webhook_schema ("), "{all}");
    assert!(all.ends_with("COMMIT;\n"), "{all}");
    assert_eq!(all.matches("INSERT INTO webhook_schema (version, applied_at)").count(), 1);
}

#[test]
fn names_that_are_not_plain_are_not_printed() {
    let print = |kind, names| migration_sql(kind, &names, 1..=1).unwrap_err();
    let prefix = print(DatabaseKind::Sqlite, TableNames::new().prefix("a; --"));
    assert!(matches!(prefix, ConnectError::Prefix));
    let schema = print(DatabaseKind::Postgres, TableNames::new().schema("A\""));
    assert!(matches!(schema, ConnectError::Schema));
    let none = print(DatabaseKind::MySql, TableNames::new().schema("hooks"));
    assert!(matches!(none, ConnectError::NoSchemas));
    let role = grants_sql(DatabaseKind::Postgres, &TableNames::new(), "a b").unwrap_err();
    assert!(matches!(role, ConnectError::Prefix));
}

#[test]
fn a_reader_gets_no_secrets_and_nobody_more_than_the_owner_has_tables() {
    let grants = grants_sql(DatabaseKind::Postgres, &TableNames::new(), "hooks_").unwrap();
    let endpoints =
        grants.lines().find(|line| line.ends_with("webhook_endpoints TO hooks_reader;"));
    let endpoints = endpoints.unwrap();
    assert!(endpoints.starts_with("GRANT SELECT (id, "), "{endpoints}");
    assert!(!endpoints.contains("signing_keys") && !endpoints.contains("headers"), "{endpoints}");
    assert!(!grants.contains("CREATE") && !grants.contains("ALL"), "{grants}");
}
