//! What is printed, run on a server.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Statement, TransactionTrait as _};
use webhook_core::{
    DeliveryId, Endpoint, EndpointId, NewEvent, NoticeId, OrderPolicy, StoreError, StoreErrorKind,
    TenantId,
    store::{
        ClaimDue, DeliveryLog as _, DeliveryOperations as _, DeliveryQuery, Finish,
        Maintenance as _, NoticeQueue as _, Prune, Redeliver, Settle, Store as _, TenantVersion,
    },
};
use webhook_store_seaorm::{
    DatabaseKind, LAST_STEP, SchemaStatus, SeaOrmStore, SeaOrmStoreBuilder, TableNames, grants_sql,
    migration_sql,
};

use super::{add_endpoint, endpoint, enqueue, place::Place, port};

/// A store in a place that was made ready by hand.
pub async fn printed(place: &Place, kind: DatabaseKind, names: &TableNames) {
    for statement in migration_sql(kind, names, 1..=LAST_STEP).unwrap().split_inclusive(";\n") {
        if !matches!(statement, "BEGIN;\n" | "COMMIT;\n") {
            place.sql(statement).await;
        }
    }
}

/// Both places look the same to `sql`, which tells `what` of them.
pub async fn assert_same(one: &Place, other: &Place, sql: &str) {
    let (one, other) = (dump(one, sql).await, dump(other, sql).await);
    assert!(one.len() > 10, "{one:?}");
    assert_eq!(one, other);
}

async fn dump(place: &Place, sql: &str) -> Vec<String> {
    let connection = sea_orm::Database::connect(&place.server).await.unwrap();
    let sql = sql.replace("{place}", &place.name);
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let line = |row: &sea_orm::QueryResult| row.try_get::<String>("", "line").unwrap();
    rows.iter().map(|row| line(row).replace(&place.name, "here")).collect()
}

/// The store as one of the roles opens it.
pub struct Roles<'a> {
    pub place: &'a Place,
    /// The names of the roles without what they are for.
    pub prefix: String,
    pub open: fn(&Place, &str) -> SeaOrmStoreBuilder,
}

impl Roles<'_> {
    async fn open(&self, role: &str) -> SeaOrmStore {
        let builder = (self.open)(self.place, &format!("{}{role}", self.prefix));
        builder.connect().await.unwrap()
    }

    /// Each does its own work, and is kept from others'.
    pub async fn assert_enough_and_no_more(&self, owner: &SeaOrmStore) {
        add_endpoint(owner).await;
        let stored = owner.endpoints(&[endpoint()]).await.unwrap().remove(0).unwrap().unwrap();
        owner.update_endpoint(stored.with_order(Some(OrderPolicy::Block))).await.unwrap();
        let version = port(owner).snapshot(&TenantId::default()).await.unwrap().version();
        self.publisher(version).await;
        let id = self.worker().await;
        self.operator(id).await;
        self.reader(id).await;
    }

    async fn publisher(&self, version: TenantVersion) {
        let store = self.open("publisher").await;
        assert_eq!(store.schema_status().await.unwrap(), SchemaStatus::Current);
        assert_eq!(port(&store).snapshot(&TenantId::default()).await.unwrap().entries().len(), 1);
        for _ in 0..2 {
            let batch = [1, 2].map(|number| {
                let mut item = enqueue(number, version);
                item.event.ordering_key = "order-17".parse().ok();
                item
            });
            store.enqueue(batch.into()).await.unwrap();
        }
        let url = self.place.url_of(&format!("{}publisher", self.prefix));
        let database = sea_orm::Database::connect(url).await.unwrap();
        let transaction = database.begin().await.unwrap();
        for _ in 0..2 {
            let event = NewEvent::new("a", "{}").unwrap().key("7").unwrap();
            store.publish_in(&transaction, event).await.unwrap();
        }
        transaction.rollback().await.unwrap();
        database.close().await.unwrap();
        let id = EndpointId::from_uuid(uuid::Uuid::from_u128(7));
        let new = Endpoint::new(id, "https://b.example/".parse().unwrap());
        assert_refused(&store.add_endpoint(new).await);
        assert_refused(&store.status().await);
    }

    async fn worker(&self) -> DeliveryId {
        let store = self.open("worker").await;
        let claimed = store.claim_due(ClaimDue::new(1, Duration::from_secs(60))).await.unwrap();
        let lease = claimed.claims.first().unwrap().lease;
        let finish = |settle| vec![Finish::new(lease, vec![], 1, settle).with_ordered(true)];
        store.finish(finish(Settle::Success)).await.unwrap();
        assert_ne!(next_due(&store).await, None, "the next of the line is due");
        let mut late = finish(Settle::Failed);
        late.iter_mut().for_each(|item| item.lease.epoch = item.lease.epoch.next());
        store.finish(late).await.unwrap();
        store.backlog().await.unwrap();
        // One that publishes notices takes note of them as well.
        store.notices(1).await.unwrap();
        store.acknowledge(vec![NoticeId::new("none")]).await.unwrap();
        assert_eq!(store.status().await.unwrap().leases_lost, 1);
        let id = EndpointId::from_uuid(uuid::Uuid::from_u128(7));
        let new = Endpoint::new(id, "https://b.example/".parse().unwrap());
        assert_refused(&store.add_endpoint(new).await);
        lease.delivery
    }

    async fn operator(&self, id: DeliveryId) {
        let store = self.open("operator").await;
        store.redeliver(vec![Redeliver::new(id)]).await.unwrap();
        store.cancel(vec![id]).await.unwrap();
        store.skip(vec![id]).await.unwrap();
        let stored = store.endpoints(&[endpoint()]).await.unwrap().remove(0).unwrap().unwrap();
        for order in [None, Some(OrderPolicy::Skip)] {
            let revision =
                store.endpoints(&[endpoint()]).await.unwrap().remove(0).unwrap().unwrap().revision;
            let edited = stored.clone().with_order(order).with_revision(revision);
            store.update_endpoint(edited).await.unwrap();
        }
        store.status().await.unwrap();
        let new = EndpointId::from_uuid(uuid::Uuid::from_u128(7));
        store
            .add_endpoint(Endpoint::new(new, "https://b.example/".parse().unwrap()))
            .await
            .unwrap();
        store.remove_endpoint(&TenantId::default(), new).await.unwrap();
        let mut prune = Prune::older_than(Duration::from_secs(60));
        while let Some(next) = store.prune(prune).await.unwrap().next {
            prune = prune.after(next);
        }
    }

    async fn reader(&self, id: DeliveryId) {
        let store = self.open("reader").await;
        assert_eq!(store.deliveries(DeliveryQuery::new()).await.unwrap().items.len(), 2);
        store.delivery(id).await.unwrap().unwrap();
        store.event(id.event).await.unwrap().unwrap();
        store.attempts(id).await.unwrap();
        store.first_in_line(id).await.unwrap();
        store.status().await.unwrap();
        assert_refused(&store.endpoints(&[endpoint()]).await);
        let both = [1, 2].map(|number| DeliveryId::new(super::event(number).id, endpoint()));
        assert_refused(&store.cancel(both.into()).await);
    }
}

async fn next_due(store: &SeaOrmStore) -> Option<Duration> {
    store.backlog().await.unwrap().next_due
}

/// The rights of each role, by the owner of the tables.
pub async fn grant(place: &Place, kind: DatabaseKind, names: &TableNames, prefix: &str) {
    for statement in grants_sql(kind, names, prefix).unwrap().lines() {
        place.sql(statement).await;
    }
}

fn assert_refused<T: std::fmt::Debug>(answer: &Result<T, StoreError>) {
    assert_eq!(answer.as_ref().unwrap_err().kind(), StoreErrorKind::Refused, "{answer:?}");
}
