//! What every database has to show, on SQLite.

mod cases;
mod common;

use common::place::Place;
use webhook_core::{DeliveryStore as _, NewEvent};

cases::on!(Place::on_sqlite());

#[cfg(feature = "sqlx")]
#[tokio::test]
async fn transactions_of_sqlx_are_joined_alike() {
    use sea_orm::sqlx::{Connection as _, SqliteConnection};

    let place = Place::on_sqlite().await;
    let store = place.open().await;
    let mut connection = SqliteConnection::connect(&place.url).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let event = |body: &'static str| NewEvent::new("invoice.paid", body).unwrap();
    store.publish_in(&mut transaction, event("1")).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let keyed = || event("2").key("k").unwrap();
    let id = store.publish_in(&mut transaction, keyed()).await.unwrap();
    assert_eq!(store.publish_in(&mut transaction, keyed()).await.unwrap(), id);
    transaction.commit().await.unwrap();
    let unrouted = store.claim_unrouted(100, std::time::Duration::from_secs(60)).await.unwrap();
    assert_eq!(unrouted.events.iter().map(|event| event.id).collect::<Vec<_>>(), [id]);
}
