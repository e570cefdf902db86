//! What cannot be read harms itself alone.

use std::time::Duration;

use uuid::Uuid;
use webhook_core::{
    DeliveryId, DeliveryStatus, Endpoint, EndpointId, EventId, StoreErrorKind, TenantId, Timestamp,
    store::{
        Claim, ClaimDue, DeliveryLog as _, Enqueue, Enqueued, FanOut, Route, Routed, Store as _,
        TenantVersion,
    },
};
use webhook_store_seaorm::SeaOrmStore;

use crate::common::{add_endpoint, endpoint, enqueue, event, place::Place, port};

const MINUTE: Duration = Duration::from_secs(60);

/// A store with one endpoint, and a way to damage it.
struct Hurt<'a> {
    store: SeaOrmStore,
    version: TenantVersion,
    place: &'a Place,
}

impl<'a> Hurt<'a> {
    async fn new(place: &'a Place) -> Self {
        let store = place.open().await;
        let version = add_endpoint(&store).await;
        Self { store, version, place }
    }

    async fn sql(&self, sql: &str) {
        self.place.sql(sql).await;
    }

    async fn claims(&self) -> Vec<Claim> {
        self.store.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap().claims
    }

    async fn unrouted(&self) -> Vec<EventId> {
        let claimed = self.store.claim_unrouted(2, MINUTE).await.unwrap();
        claimed.events.iter().map(|event| event.id).collect()
    }
}

pub async fn a_delivery_that_cannot_be_claimed_fails_alone(place: &Place) {
    let hurt = Hurt::new(place).await;
    let columns = ["epoch = 9223372036854775807", "attempts = 4294967295", "epoch = -1"];
    // Elsewhere the column holds identifiers and nothing else.
    let columns = columns.into_iter().chain(place.is("sqlite").then_some("event_id = x'0102'"));
    for (number, column) in (0..).step_by(16).zip(columns) {
        let (bad, good) = (number + 1, [number + 2, number + 3]);
        let batch = [bad, good[0], good[1]].map(|number| enqueue(number, hurt.version));
        hurt.store.enqueue(batch.into()).await.unwrap();
        let ends = place.ends("event_id", &format!("{bad:02x}"));
        hurt.sql(&format!("UPDATE webhook_deliveries SET {column} WHERE {ends}")).await;
        let claimed: Vec<_> =
            hurt.claims().await.iter().map(|claim| claim.lease.delivery.event).collect();
        assert_eq!(claimed, good.map(|number| event(number).id), "{column}");
        if column.starts_with("event_id") {
            hurt.sql("DELETE FROM webhook_deliveries WHERE length(event_id) = 2").await;
        } else {
            hurt.sql(&format!("UPDATE webhook_deliveries SET attempts = 1 WHERE {ends}")).await;
            let id = DeliveryId::new(event(bad).id, endpoint());
            let failed = hurt.store.delivery(id).await.unwrap().unwrap();
            assert_eq!(failed.status, DeliveryStatus::Failed, "{column}");
        }
        assert_eq!(hurt.store.backlog().await.unwrap().pending, 0, "{column}");
    }
}

pub async fn an_endpoint_that_cannot_be_read_holds_up_no_other(place: &Place) {
    let hurt = Hurt::new(place).await;
    let well = EndpointId::from_uuid(Uuid::from_u128(2));
    let url = "https://b.example/hooks".parse().unwrap();
    hurt.store.add_endpoint(Endpoint::new(well, url)).await.unwrap();
    let version = port(&hurt.store).snapshot(&TenantId::default()).await.unwrap().version();
    let both = FanOut::pending(version, [endpoint(), well]);
    hurt.store.enqueue(vec![Enqueue::routed(event(1), both)]).await.unwrap();
    let ends = place.ends("id", "01");
    hurt.sql(&format!("UPDATE webhook_endpoints SET retry = 'nonsense' WHERE {ends}")).await;
    let claimed = hurt.store.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap();
    let endpoints: Vec<_> =
        claimed.claims.iter().map(|claim| claim.lease.delivery.endpoint).collect();
    assert_eq!(endpoints, [well]);
    assert_eq!(hurt.store.endpoints(&endpoints).await.unwrap().len(), 1);
    assert_eq!(claimed.next_due, None, "it is not worth looking again at once");
    let retry = Endpoint::new(well, "https://b.example/hooks".parse().unwrap()).retry;
    hurt.sql(&format!("UPDATE webhook_endpoints SET retry = '{retry}'")).await;
    assert_eq!(hurt.claims().await.len(), 1, "its delivery has waited");
}

pub async fn events_that_cannot_be_routed_stand_aside_for_a_day(place: &Place) {
    let hurt = Hurt::new(place).await;
    let now = Timestamp::from_unix_secs(1_767_225_600);
    hurt.store.set_clock(now);
    hurt.store
        .enqueue((1..=3).map(|number| Enqueue::unrouted(event(number))).collect())
        .await
        .unwrap();
    hurt.sql("UPDATE webhook_events SET event_type = 'Invoice Paid!'").await;
    if place.is("sqlite") {
        hurt.sql("UPDATE webhook_events SET id = x'07' WHERE hex(id) LIKE '%02'").await;
    }
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

pub async fn a_tenant_whose_version_cannot_be_read_holds_up_no_other(place: &Place) {
    let hurt = Hurt::new(place).await;
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

pub async fn a_row_that_cannot_be_read_fails_alone(place: &Place) {
    let hurt = Hurt::new(place).await;
    let batch = (1..=3).map(|number| enqueue(number, hurt.version)).collect();
    hurt.store.enqueue(batch).await.unwrap();
    let id = |number| DeliveryId::new(event(number).id, endpoint());
    let first = place.ends("id", "01");
    hurt.sql(&format!("UPDATE webhook_events SET event_type = 'not a type' WHERE {first}")).await;
    let second = place.ends("event_id", "02");
    hurt.sql(&format!("UPDATE webhook_deliveries SET attempts = -7 WHERE {second}")).await;
    let claimed = hurt.claims().await;
    let ids: Vec<_> = claimed.iter().map(|claim| claim.lease.delivery).collect();
    assert_eq!(ids, [id(3)]);
    let failed = hurt.store.delivery(id(1)).await.unwrap().unwrap();
    assert_eq!(failed.last_error.as_deref(), Some("the stored event or delivery cannot be read"));
    assert_eq!(hurt.store.event(event(1).id).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(hurt.store.delivery(id(2)).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
}
