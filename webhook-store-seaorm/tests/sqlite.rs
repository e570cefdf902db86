//! What every database has to show, on SQLite.

mod cases;
mod common;

use common::place::Place;
use webhook_core::{NewEvent, store::Store as _};

cases::on!(Place::on_sqlite());

/// Whether the files of the database hold this text somewhere.
fn in_the_files(place: &Place, text: &str) -> bool {
    let path = place.url.trim_start_matches("sqlite://").trim_end_matches("?mode=rwc");
    let files = ["", "-wal"].map(|end| std::fs::read(format!("{path}{end}")).unwrap_or_default());
    assert!(files.iter().any(|file| !file.is_empty()), "there is something to look into");
    files.iter().any(|file| file.windows(text.len()).any(|bytes| bytes == text.as_bytes()))
}

#[tokio::test]
async fn with_a_vault_no_secret_is_in_the_files() {
    use cases::vault::{HEADER, SECRET, secretive};
    use webhook_core::store::Store as _;

    for sealed in [true, false] {
        let place = Place::on_sqlite().await;
        let store = match sealed {
            true => cases::vault::sealing(&place, webhook_testkit::PlainVault::new("a")).await,
            false => place.open().await,
        };
        store.add_endpoint(secretive()).await.unwrap();
        let endpoint =
            store.endpoints(&[common::endpoint()]).await.unwrap().remove(0).unwrap().unwrap();
        store.update_endpoint(endpoint).await.unwrap();
        for secret in [SECRET, HEADER, "canary-of-the-key"] {
            assert_eq!(in_the_files(&place, secret), !sealed, "while it runs");
        }
        assert!(in_the_files(&place, "https://a.example/hooks"), "the URL stays readable");
        store.close().await;
        for secret in [SECRET, HEADER, "canary-of-the-key"] {
            assert_eq!(in_the_files(&place, secret), !sealed, "afterwards");
        }
    }
}

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
