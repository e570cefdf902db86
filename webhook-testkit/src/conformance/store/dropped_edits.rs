//! Edits and records that are given up: wholly there or not at all, and safe to repeat.

use webhook_core::{
    Delivery, DeliveryId, DeliveryStatus, EndpointState, Revision, StoreErrorKind, TenantId,
    store::{DeliveryLog as _, TrackedDeliveries as _, Updated},
};

use super::{
    Fixture, StoreHarness,
    drop_point::DropPoint,
    fixture::{accepted, some_time},
};

// Catches in webhook-testkit/src/memory/ports.rs:
// - self.state().add_endpoint(endpoint)
// + self.state().raise_version(&endpoint.tenant);
// + tokio::task::yield_now().await;
// + self.state().tenants.remove(&endpoint.tenant);
// + self.state().add_endpoint(endpoint)
pub async fn a_dropped_registration_is_made_once_or_not_at_all<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    DropPoint::for_each(async |point| {
        let endpoint = fixture.new_endpoint();
        let tenant: TenantId = format!("t{}", endpoint.id).parse().unwrap();
        let endpoint = endpoint.with_tenant(tenant.clone());
        point.drop_call(fixture.store.add_endpoint(endpoint.clone())).await;
        let snapshot = fixture.store.snapshot(&tenant).await.unwrap();
        let edits = usize::try_from(snapshot.version().as_u64()).unwrap();
        assert_eq!(snapshot.entries().len(), edits, "endpoint and version, both or none");
        let again = fixture.store.add_endpoint(endpoint).await;
        let exists = again.is_err_and(|error| error.kind() == StoreErrorKind::Exists);
        assert!(exists || edits == 0, "it is added or there");
        let snapshot = fixture.store.snapshot(&tenant).await.unwrap();
        let there = (snapshot.entries().len(), snapshot.version().as_u64());
        assert_eq!(there, (1, 1), "it is there, by one edit");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.state().update_endpoint(endpoint, self.now()))
// + let rows = std::mem::take(&mut self.state().endpoints);
// + tokio::task::yield_now().await;
// + self.state().endpoints = rows;
// + Ok(self.state().update_endpoint(endpoint, self.now()))
pub async fn a_dropped_edit_is_made_once_or_not_at_all<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    DropPoint::for_each(async |point| {
        let id = fixture.endpoint().await;
        let version = fixture.version().await;
        let edited = fixture.stored(id).await.with_state(EndpointState::Paused);
        let (old, new): (Revision, Revision) = (edited.revision, edited.revision.next());
        point.drop_call(fixture.store.update_endpoint(edited.clone())).await;
        let snapshot = fixture.store.snapshot(&TenantId::default()).await.unwrap();
        let stored = snapshot.entries().iter().find(|entry| entry.id == id).unwrap();
        let is_new = snapshot.version() > version;
        let expected =
            if is_new { (new, EndpointState::Paused) } else { (old, EndpointState::Active) };
        assert_eq!((stored.revision, stored.state), expected, "all of the edit or nothing");
        let again = fixture.store.update_endpoint(edited).await.unwrap();
        assert!([Updated::Done(new), Updated::Stale].contains(&again), "it is safe: {again:?}");
        let stored = fixture.stored(id).await;
        assert_eq!((stored.revision, stored.state), (new, EndpointState::Paused), "it is edited");
        assert_eq!(fixture.version().await, version.next(), "once");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.state().remove_endpoint(tenant, id, self.now()))
// + let rows = std::mem::take(&mut self.state().deliveries);
// + tokio::task::yield_now().await;
// + self.state().deliveries = rows;
// + Ok(self.state().remove_endpoint(tenant, id, self.now()))
pub async fn a_dropped_removal_is_completed_by_a_second_call<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let tenant = TenantId::default();
    DropPoint::for_each(async |point| {
        let endpoint = fixture.endpoint().await;
        let id = fixture.pending(endpoint).await;
        let version = fixture.version().await;
        point.drop_call(fixture.store.remove_endpoint(&tenant, endpoint)).await;
        if fixture.stored_if_any(endpoint).await.is_none() {
            fixture.assert_nothing_to_claim("nothing is claimed of what was removed").await;
        }
        fixture.store.remove_endpoint(&tenant, endpoint).await.unwrap();
        assert!(fixture.stored_if_any(endpoint).await.is_none(), "it is removed");
        assert_eq!(fixture.version().await, version.next(), "by one edit");
        assert_eq!(fixture.status(id).await, DeliveryStatus::Cancelled, "its work is cancelled");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - self.state().open_tracked(event, delivery, self.now())
// + self.state().open_tracked(event, delivery.clone(), self.now())?;
// + let event_row = self.state().events.remove(&event.id);
// + tokio::task::yield_now().await;
// + self.state().events.extend(event_row.map(|row| (event.id, row)));
// + self.state().open_tracked(event, delivery, self.now())
pub async fn a_dropped_record_is_opened_wholly_or_not_at_all<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    DropPoint::for_each(async |point| {
        let (event, delivery) = new_record(&fixture);
        point.drop_call(fixture.store.open_tracked(&event, delivery.clone())).await;
        if fixture.store.delivery(delivery.id).await.unwrap().is_some() {
            assert_eq!(*fixture.stored_event(event.id).await, event, "both or none");
        }
        let again = fixture.store.open_tracked(&event, delivery.clone()).await.unwrap();
        assert_eq!(again, 0, "nothing was sent yet");
        assert_eq!(fixture.status(delivery.id).await, DeliveryStatus::Pending, "it is on record");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - self.state().record_tracked(id, attempt, status, self.now())
// + let rows = std::mem::take(&mut self.state().deliveries);
// + tokio::task::yield_now().await;
// + self.state().deliveries = rows;
// + self.state().record_tracked(id, attempt, status, self.now())
pub async fn a_dropped_attempt_is_on_record_once_or_not_at_all<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    DropPoint::for_each(async |point| {
        let (event, delivery) = new_record(&fixture);
        let id = delivery.id;
        fixture.store.open_tracked(&event, delivery).await.unwrap();
        let record = || fixture.store.record_tracked(id, accepted(1), DeliveryStatus::Success);
        point.drop_call(record()).await;
        if fixture.status(id).await == DeliveryStatus::Success {
            assert_eq!(
                fixture.attempts(id).await,
                [accepted(1)],
                "state and attempt, both or none"
            );
        }
        record().await.expect("saying it again is safe");
        let delivery = fixture.delivery(id).await;
        let told = (delivery.status, delivery.attempts);
        assert_eq!(told, (DeliveryStatus::Success, 1), "it counts once");
        assert_eq!(fixture.attempts(id).await, [accepted(1)], "it is on record once");
    })
    .await;
}

fn new_record<H: StoreHarness>(fixture: &Fixture<H>) -> (webhook_core::Event, Delivery) {
    let event = fixture.event();
    let id = DeliveryId::new(event.id, fixture.ids.endpoint());
    let url = "https://once.example/".parse().unwrap();
    let (tenant, event_type) = (event.tenant.clone(), event.event_type.clone());
    (event, Delivery::new(id, tenant, event_type, url, some_time()))
}
