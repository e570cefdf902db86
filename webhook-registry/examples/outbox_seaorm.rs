//! A business row and its event commit together, or not at all, in a transaction of SeaORM.
//!
//! ```sh
//! cargo run --package webhook-registry --features sqlite --example outbox_seaorm
//! cargo run --package webhook-registry --features postgres --example outbox_seaorm -- postgres://postgres@localhost/test
//! ```

use std::error::Error;

use webhook_registry::{
    NewEndpoint, NewEvent, Webhooks,
    database::{
        SeaOrmStore,
        sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement, TransactionTrait},
    },
    transport::HttpTransport,
};
use webhook_testkit::TestReceiver;

/// Pays an invoice: one row of ours and one event, or neither.
async fn pay(
    database: &DatabaseConnection,
    store: &SeaOrmStore,
    invoice: u32,
    declined: bool,
) -> Result<(), Box<dyn Error>> {
    let transaction = database.begin().await?;
    let insert = format!("INSERT INTO outbox_invoices (id) VALUES ({invoice})");
    transaction.execute_unprepared(&insert).await?;
    let event = NewEvent::json("invoice.paid", &serde_json::json!({ "invoice": invoice }))?;
    store.publish_in(&transaction, event).await?;
    if declined {
        transaction.rollback().await?;
    } else {
        transaction.commit().await?;
    }
    Ok(())
}

/// The invoices that are paid.
async fn paid(database: &DatabaseConnection) -> Result<Vec<i32>, Box<dyn Error>> {
    let select = "SELECT id FROM outbox_invoices";
    let select = Statement::from_string(database.get_database_backend(), select);
    let rows = database.query_all_raw(select).await?;
    Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}/shop.db?mode=rwc", folder.path().display());
    run(&std::env::args().nth(1).unwrap_or(file)).await
}

/// Tries it out on this database.
pub async fn run(url: &str) -> Result<(), Box<dyn Error>> {
    let database = Database::connect(url).await?;
    database.execute_unprepared("CREATE TABLE outbox_invoices (id INTEGER PRIMARY KEY)").await?;
    let store = SeaOrmStore::builder(url).table_prefix("outbox_").connect().await?;
    store.migrate().await?;

    // The receiver listens on this machine, which is refused otherwise.
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build()?;
    let webhooks = Webhooks::builder().store(store.clone()).transport(transport).build()?;
    let receiver = TestReceiver::answering([200]).await;
    let endpoint = NewEndpoint::new(receiver.url()).events(["invoice.*"]);
    let endpoint = webhooks.add_endpoint(endpoint).await?.endpoint;

    pay(&database, &store, 41, true).await?; // rolled back
    pay(&database, &store, 42, false).await?; // committed
    webhooks.wake(); // saves the wait for the next poll

    webhooks.run_until_idle(None, std::future::pending()).await?;
    let bodies: Vec<_> = receiver.requests().into_iter().map(|request| request.body).collect();
    println!("delivered: {bodies:?}");
    assert_eq!(bodies, [r#"{"invoice":42}"#]);
    assert_eq!(paid(&database).await?, [42]);

    webhooks.operator().remove_endpoint(endpoint.id).await?;
    database.execute_unprepared("DROP TABLE outbox_invoices").await?;
    Ok(())
}
