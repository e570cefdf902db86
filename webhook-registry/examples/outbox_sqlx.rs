//! A business row and its event commit together, or not at all, in a transaction of sqlx.
//!
//! ```sh
//! cargo run --package webhook-registry --features sqlite,sqlx --example outbox_sqlx
//! cargo run --package webhook-registry --features sqlite,mysql,sqlx --example outbox_sqlx -- mysql://root@localhost/test
//! ```

use std::error::Error;

use webhook_registry::{
    NewEndpoint, NewEvent, Webhooks,
    database::{
        SeaOrmStore,
        sea_orm::sqlx::{Connection, Executor, query_scalar},
    },
    transport::HttpTransport,
};
use webhook_testkit::TestReceiver;

/// What a shop does. sqlx has a connection of its own type for each database, hence the macro; a
/// service knows its database and writes a function.
macro_rules! shop {
    ($on:ident, $connection:ident) => {
        async fn $on(url: &str, store: &SeaOrmStore) -> Result<(), Box<dyn Error>> {
            use webhook_registry::database::sea_orm::sqlx::$connection;

            let mut database = $connection::connect(url).await?;
            database.execute("CREATE TABLE outbox_orders (id INTEGER PRIMARY KEY)").await?;

            let event = order_placed(41)?;
            let mut transaction = database.begin().await?;
            transaction.execute("INSERT INTO outbox_orders (id) VALUES (41)").await?;
            store.publish_in(&mut transaction, event).await?;
            transaction.rollback().await?; // the customer thought better of it

            let event = order_placed(42)?;
            let mut transaction = database.begin().await?;
            transaction.execute("INSERT INTO outbox_orders (id) VALUES (42)").await?;
            store.publish_in(&mut transaction, event).await?;
            transaction.commit().await?;

            let placed = query_scalar::<_, i32>("SELECT id FROM outbox_orders");
            assert_eq!(placed.fetch_all(&mut database).await?, [42]);
            database.execute("DROP TABLE outbox_orders").await?;
            Ok(())
        }
    };
}

shop!(on_sqlite, SqliteConnection);
#[cfg(feature = "postgres")]
shop!(on_postgres, PgConnection);
#[cfg(feature = "mysql")]
shop!(on_mysql, MySqlConnection);

fn order_placed(order: u32) -> Result<NewEvent, Box<dyn Error>> {
    Ok(NewEvent::json("order.placed", &serde_json::json!({ "order": order }))?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}/shop.db?mode=rwc", folder.path().display());
    run(&std::env::args().nth(1).unwrap_or(file)).await
}

/// Tries it out on this database.
pub async fn run(url: &str) -> Result<(), Box<dyn Error>> {
    let store = SeaOrmStore::builder(url).table_prefix("outbox_").connect().await?;
    store.migrate().await?;
    // The receiver listens on this machine, which is refused otherwise.
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build()?;
    let webhooks = Webhooks::builder().store(store.clone()).transport(transport).build()?;
    let receiver = TestReceiver::answering([200]).await;
    let endpoint = NewEndpoint::new(receiver.url()).events(["order.*"]);
    let endpoint = webhooks.add_endpoint(endpoint).await?.endpoint;

    match url.split(':').next() {
        Some("sqlite") => on_sqlite(url, &store).await?,
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => on_postgres(url, &store).await?,
        #[cfg(feature = "mysql")]
        Some("mysql" | "mariadb") => on_mysql(url, &store).await?,
        _ => return Err("this example was built without that database".into()),
    }
    webhooks.wake(); // saves the wait for the next poll

    webhooks.run_until_idle(None, std::future::pending()).await?;
    let bodies: Vec<_> = receiver.requests().into_iter().map(|request| request.body).collect();
    println!("delivered: {bodies:?}");
    assert_eq!(bodies, [r#"{"order":42}"#]);

    webhooks.operator().remove_endpoint(endpoint.id).await?;
    Ok(())
}
