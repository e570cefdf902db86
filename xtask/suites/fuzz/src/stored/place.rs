//! A database in memory with rows of two customers, as it was before the last damage.

use std::cell::OnceCell;

use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;
use webhook_core::{
    DeliveryId, Endpoint, EndpointId, Event, EventId, Secret, Signing, TenantId, Timestamp,
    store::{Enqueue, FanOut, Store},
};
use webhook_store_seaorm::{
    SeaOrmStore,
    sea_orm::{ConnectionTrait as _, DbBackend, Statement, Value},
};

use super::damage::Damage;

/// The customer whose rows are damaged.
pub(super) const ACME: &str = "acme";
/// The other one.
pub(super) const WELL: &str = "well";
/// What signs, and never shows.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const TABLES: [&str; 9] = [
    "tenants",
    "endpoints",
    "events",
    "deliveries",
    "attempts",
    "notices",
    "ordered_endpoints",
    "ordered_deliveries",
    "counters",
];

pub(super) struct Place {
    pub(super) store: SeaOrmStore,
}

thread_local! {
    static PLACE: OnceCell<(Runtime, Place)> = const { OnceCell::new() };
}

impl Place {
    /// Does something with the place, of which there is one for each thread.
    pub(super) fn with(what: impl AsyncFnOnce(&Self)) {
        PLACE.with(|cell| {
            let (runtime, place) = cell.get_or_init(|| {
                let runtime = Builder::new_current_thread().enable_all().build();
                let runtime = runtime.expect("a runtime");
                let place = runtime.block_on(Self::build());
                (runtime, place)
            });
            runtime.block_on(what(place));
        });
    }

    async fn build() -> Self {
        let store = SeaOrmStore::connect("sqlite::memory:").await.expect("a store");
        store.migrate().await.expect("its tables");
        store.set_clock(Timestamp::from_unix_secs(1_767_225_600));
        let place = Self { store };
        place.fill(ACME, [1, 3]).await;
        place.fill(WELL, [2, 4]).await;
        for sql in MORE {
            place.sql(sql, []).await.expect("more rows");
        }
        for table in TABLES {
            let sql =
                format!("CREATE TABLE IF NOT EXISTS kept_{table} AS SELECT * FROM webhook_{table}");
            place.sql(&sql, []).await.expect("a copy");
        }
        place
    }

    /// An endpoint with a delivery of the first event; the second is to be routed.
    async fn fill(&self, tenant: &str, [routed, unrouted]: [u128; 2]) {
        let tenant: TenantId = tenant.parse().expect("a tenant");
        let url = "https://a.example/hooks?token=t".parse().expect("a URL");
        let secret: Secret = SECRET.parse().expect("a secret");
        let receiver = Endpoint::new(endpoint(routed), url)
            .with_tenant(tenant.clone())
            .with_signing(Signing::with_secret(secret));
        self.store.add_endpoint(receiver).await.expect("an endpoint");
        let version =
            (&self.store as &dyn Store).snapshot(&tenant).await.expect("a snapshot").version();
        let made = |number| {
            let event_type = "invoice.paid".parse().expect("a type");
            let event = Event::new(event(number), event_type, Timestamp::default(), "{}");
            event.with_tenant(tenant.clone())
        };
        let fan_out = FanOut::pending(version, [endpoint(routed)]);
        let batch = vec![Enqueue::routed(made(routed), fan_out), Enqueue::unrouted(made(unrouted))];
        self.store.enqueue(batch).await.expect("events");
    }

    /// Puts everything back.
    pub(super) async fn restore(&self) {
        let one = |table| {
            format!(
                "DELETE FROM webhook_{table}; INSERT INTO webhook_{table} SELECT * FROM kept_{table};"
            )
        };
        let all: String = TABLES.map(one).concat();
        self.store.connection().execute_unprepared(&all).await.expect("restored tables");
    }

    /// What the table itself does not take has not happened.
    pub(super) async fn apply(&self, damage: &Damage<'_>) {
        let Damage { table, column, row, .. } = damage;
        let spelled = damage.spelled();
        let sql = format!("UPDATE webhook_{table} SET {column} = {spelled} WHERE {row}");
        let _ = self.sql(&sql, [damage.value()]).await;
    }

    async fn sql(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<(), webhook_store_seaorm::sea_orm::DbErr> {
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
        self.store.connection().execute_raw(statement).await.map(drop)
    }
}

/// What only an attempt, and a receiver that is gone, leave behind.
const MORE: [&str; 2] = [
    "INSERT INTO webhook_attempts (event_id, endpoint_id, number, triggered_by, epoch, started_at, duration_ms, \
     status, failure_kind, failure_text, response_body) \
     SELECT event_id, endpoint_id, 1, 'first', 1, 1767225600000, 5, 503, 'status', 'status 503', x'6e6f' \
     FROM webhook_deliveries",
    "INSERT INTO webhook_notices (id, noticed_at, tenant, endpoint_id, kind) \
     SELECT hex(id), 1767225600000, tenant, id, '{}' FROM webhook_endpoints",
];

pub(super) fn endpoint(number: u128) -> EndpointId {
    EndpointId::from_uuid(Uuid::from_u128(number))
}

pub(super) fn event(number: u128) -> EventId {
    EventId::from_uuid(Uuid::from_u128(number))
}

/// Of the event with this number to the endpoint with this number.
pub(super) fn delivery(number: u128) -> DeliveryId {
    DeliveryId::new(event(number), endpoint(number))
}
