//! What cannot be read harms itself alone.

#![allow(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

mod common;

use std::time::Duration;

use common::{add_endpoint, connect, endpoint, enqueue, event, folder, open};
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;
use uuid::Uuid;
use webhook_core::{
    Claim, ClaimDue, DeliveryLog as _, DeliveryQuery, DeliveryStatus, DeliveryStore as _, Endpoint,
    EndpointId, EndpointStore as _, Enqueue, Enqueued, EventId, FanOut, Route, Routed, TenantId,
    TenantVersion, Timestamp,
};
use webhook_store_seaorm::SeaOrmStore;

const MINUTE: Duration = Duration::from_secs(60);

/// A store with one endpoint, and a way to damage it.
struct Hurt {
    store: SeaOrmStore,
    version: TenantVersion,
    other: sea_orm::DatabaseConnection,
    _folder: TempDir,
}

impl Hurt {
    async fn new() -> Self {
        let (folder, url) = folder();
        let store = open(&url).await;
        let version = add_endpoint(&store).await;
        Self { store, version, other: connect(&url).await, _folder: folder }
    }

    async fn sql(&self, sql: &str) {
        self.other.execute_unprepared(sql).await.unwrap();
    }

    async fn claims(&self) -> Vec<Claim> {
        self.store.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap().claims
    }

    async fn unrouted(&self) -> Vec<EventId> {
        let claimed = self.store.claim_unrouted(2, MINUTE).await.unwrap();
        claimed.events.iter().map(|event| event.id).collect()
    }
}

#[tokio::test]
async fn a_delivery_that_cannot_be_claimed_fails_alone() {
    let columns = [
        "epoch = 9223372036854775807",
        "attempts = 4294967295",
        "event_id = x'0102'",
        "epoch = -1",
    ];
    for column in columns {
        let hurt = Hurt::new().await;
        let batch = (1..=3).map(|number| enqueue(number, hurt.version)).collect();
        hurt.store.enqueue(batch).await.unwrap();
        let update = "UPDATE webhook_deliveries SET";
        hurt.sql(&format!("{update} {column} WHERE hex(event_id) LIKE '%01'")).await;
        let claimed: Vec<_> =
            hurt.claims().await.iter().map(|claim| claim.lease.delivery.event).collect();
        assert_eq!(claimed, [event(2).id, event(3).id], "{column}");
        hurt.sql(&format!(
            "{update} event_id = x'{:032x}', attempts = 1 WHERE status = 'failed'",
            1
        ))
        .await;
        let failed = DeliveryQuery::new().status(DeliveryStatus::Failed);
        assert_eq!(hurt.store.deliveries(failed).await.unwrap().items.len(), 1, "{column}");
        assert_eq!(hurt.store.backlog().await.unwrap().pending, 0, "{column}");
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_read_holds_up_no_other() {
    let hurt = Hurt::new().await;
    let well = EndpointId::from_uuid(Uuid::from_u128(2));
    let url = "https://b.example/hooks".parse().unwrap();
    hurt.store.add_endpoint(Endpoint::new(well, url)).await.unwrap();
    let version = hurt.store.snapshot(&TenantId::default()).await.unwrap().version();
    let both = FanOut::pending(version, [endpoint(), well]);
    hurt.store.enqueue(vec![Enqueue::routed(event(1), both)]).await.unwrap();
    hurt.sql("UPDATE webhook_endpoints SET retry = 'nonsense' WHERE hex(id) LIKE '%01'").await;
    let claimed = hurt.store.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap();
    let endpoints: Vec<_> =
        claimed.claims.iter().map(|claim| claim.lease.delivery.endpoint).collect();
    assert_eq!(endpoints, [well]);
    assert_eq!(hurt.store.endpoints(&endpoints).await.unwrap().len(), 1);
    assert_eq!(claimed.next_due, None, "it is not worth looking again at once");
    hurt.sql(
        "UPDATE webhook_endpoints SET retry = (SELECT MAX(retry) FROM webhook_endpoints AS e \
              WHERE e.retry <> 'nonsense')",
    )
    .await;
    assert_eq!(hurt.claims().await.len(), 1, "its delivery has waited");
}

#[tokio::test]
async fn events_that_cannot_be_routed_stand_aside_for_a_day() {
    let hurt = Hurt::new().await;
    let now = Timestamp::from_unix_secs(1_767_225_600);
    hurt.store.set_clock(now);
    hurt.store
        .enqueue((1..=3).map(|number| Enqueue::unrouted(event(number))).collect())
        .await
        .unwrap();
    hurt.sql("UPDATE webhook_events SET event_type = 'Invoice Paid!'").await;
    hurt.sql("UPDATE webhook_events SET id = x'07' WHERE hex(id) LIKE '%02'").await;
    hurt.store.enqueue(vec![Enqueue::unrouted(event(4))]).await.unwrap();
    let first = hurt.store.claim_unrouted(2, MINUTE).await.unwrap();
    assert_eq!(first.next_due, Some(Duration::ZERO), "others may stand behind them");
    let mut routable: Vec<_> = first.events.iter().map(|event| event.id).collect();
    routable.extend(hurt.unrouted().await);
    assert_eq!(routable, [event(4).id]);
    assert_eq!(hurt.store.backlog().await.unwrap().unrouted, 1, "nobody waits for the others");
    hurt.sql("UPDATE webhook_events SET event_type = 'invoice.paid'").await;
    hurt.store.set_clock(now.after(23 * 60 * MINUTE));
    assert_eq!(hurt.unrouted().await, [event(4).id], "its lease has ended, and no more");
    hurt.store.set_clock(now.after(24 * 60 * MINUTE));
    assert!(hurt.unrouted().await.contains(&event(1).id), "repaired meanwhile");
}

#[tokio::test]
async fn a_tenant_whose_version_cannot_be_read_holds_up_no_other() {
    let hurt = Hurt::new().await;
    hurt.sql("INSERT INTO webhook_tenants (id, version) VALUES ('other', -1)").await;
    let mut theirs = event(2);
    theirs.tenant = "other".parse().unwrap();
    let theirs = Enqueue::routed(theirs, FanOut::pending(TenantVersion::default(), []));
    let answers = hurt.store.enqueue(vec![enqueue(1, hurt.version), theirs]).await.unwrap();
    assert_eq!(answers, [Enqueued::Routed(1), Enqueued::Later]);
    hurt.store.enqueue(vec![Enqueue::unrouted(event(3))]).await.unwrap();
    let routes = vec![
        Route::new(event(2).id, TenantVersion::default(), vec![]),
        Route::new(event(3).id, hurt.version, vec![endpoint()]),
    ];
    let routed = hurt.store.route(routes).await.unwrap();
    assert_eq!(routed, [Routed::Stale, Routed::Done]);
}
