//! Edits and records that are given up: wholly there or not at all, and safe to repeat.

use webhook_core::{
    Delivery, DeliveryId, DeliveryStatus, EndpointState, Revision, StoreErrorKind, TenantId,
    Updated,
};

use super::{
    Ground, StoreHarness,
    cut::Cut,
    ground::{accepted, some_time},
};

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - self.state().add_endpoint(endpoint)
// + self.state().raise_version(&endpoint.tenant);
// + tokio::task::yield_now().await;
// + self.state().tenants.remove(&endpoint.tenant);
// + self.state().add_endpoint(endpoint)
pub async fn a_dropped_registration_is_made_once_or_not_at_all<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    Cut::everywhere(async |cut| {
        let endpoint = ground.new_endpoint();
        let tenant: TenantId = format!("t{}", endpoint.id).parse().unwrap();
        let endpoint = endpoint.with_tenant(tenant.clone());
        cut.short(ground.store.add_endpoint(endpoint.clone())).await;
        let snapshot = ground.store.snapshot(&tenant).await.unwrap();
        let edits = usize::try_from(snapshot.version().as_u64()).unwrap();
        assert_eq!(snapshot.endpoints().len(), edits, "endpoint and version, both or none");
        let again = ground.store.add_endpoint(endpoint).await;
        let exists = again.is_err_and(|error| error.kind() == StoreErrorKind::Exists);
        assert!(exists || edits == 0, "it is added or there");
        let snapshot = ground.store.snapshot(&tenant).await.unwrap();
        let there = (snapshot.endpoints().len(), snapshot.version().as_u64());
        assert_eq!(there, (1, 1), "it is there, by one edit");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - Ok(self.state().update_endpoint(endpoint, self.now()))
// + let rows = std::mem::take(&mut self.state().endpoints);
// + tokio::task::yield_now().await;
// + self.state().endpoints = rows;
// + Ok(self.state().update_endpoint(endpoint, self.now()))
pub async fn a_dropped_edit_is_made_once_or_not_at_all<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    Cut::everywhere(async |cut| {
        let id = ground.endpoint().await;
        let version = ground.version().await;
        let edited = ground.stored(id).await.with_state(EndpointState::Paused);
        let (old, new): (Revision, Revision) = (edited.revision, edited.revision.next());
        cut.short(ground.store.update_endpoint(edited.clone())).await;
        let snapshot = ground.store.snapshot(&TenantId::default()).await.unwrap();
        let stored = snapshot.endpoints().iter().find(|endpoint| endpoint.id == id).unwrap();
        let is_new = snapshot.version() > version;
        let expected =
            if is_new { (new, EndpointState::Paused) } else { (old, EndpointState::Active) };
        assert_eq!((stored.revision, stored.state), expected, "all of the edit or nothing");
        let again = ground.store.update_endpoint(edited).await.unwrap();
        assert!([Updated::Done(new), Updated::Stale].contains(&again), "it is safe: {again:?}");
        let stored = ground.stored(id).await;
        assert_eq!((stored.revision, stored.state), (new, EndpointState::Paused), "it is edited");
        assert_eq!(ground.version().await, version.next(), "once");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - Ok(self.state().remove_endpoint(tenant, id, self.now()))
// + let rows = std::mem::take(&mut self.state().deliveries);
// + tokio::task::yield_now().await;
// + self.state().deliveries = rows;
// + Ok(self.state().remove_endpoint(tenant, id, self.now()))
pub async fn a_dropped_removal_is_completed_by_a_second_call<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let tenant = TenantId::default();
    Cut::everywhere(async |cut| {
        let endpoint = ground.endpoint().await;
        let id = ground.pending(endpoint).await;
        let version = ground.version().await;
        cut.short(ground.store.remove_endpoint(&tenant, endpoint)).await;
        if ground.store.endpoints(&[endpoint]).await.unwrap().is_empty() {
            ground.assert_nothing_to_claim("nothing is claimed of what was removed").await;
        }
        ground.store.remove_endpoint(&tenant, endpoint).await.unwrap();
        assert!(ground.store.endpoints(&[endpoint]).await.unwrap().is_empty(), "it is removed");
        assert_eq!(ground.version().await, version.next(), "by one edit");
        assert_eq!(ground.status(id).await, DeliveryStatus::Cancelled, "its work is cancelled");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/log.rs:
// - self.state().open_tracked(event, delivery, self.now())
// + self.state().open_tracked(event, delivery.clone(), self.now())?;
// + let event_row = self.state().events.remove(&event.id);
// + tokio::task::yield_now().await;
// + self.state().events.extend(event_row.map(|row| (event.id, row)));
// + self.state().open_tracked(event, delivery, self.now())
pub async fn a_dropped_record_is_opened_wholly_or_not_at_all<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    Cut::everywhere(async |cut| {
        let (event, delivery) = new_record(&ground);
        cut.short(ground.store.open_tracked(&event, delivery.clone())).await;
        if ground.store.delivery(delivery.id).await.unwrap().is_some() {
            assert_eq!(*ground.stored_event(event.id).await, event, "both or none");
        }
        let again = ground.store.open_tracked(&event, delivery.clone()).await.unwrap();
        assert_eq!(again, 0, "nothing was sent yet");
        assert_eq!(ground.status(delivery.id).await, DeliveryStatus::Pending, "it is on record");
    })
    .await;
}

// Catches in webhook-testkit/src/memory/log.rs:
// - self.state().record_tracked(id, attempt, status, self.now())
// + let rows = std::mem::take(&mut self.state().deliveries);
// + tokio::task::yield_now().await;
// + self.state().deliveries = rows;
// + self.state().record_tracked(id, attempt, status, self.now())
pub async fn a_dropped_attempt_is_on_record_once_or_not_at_all<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    Cut::everywhere(async |cut| {
        let (event, delivery) = new_record(&ground);
        let id = delivery.id;
        ground.store.open_tracked(&event, delivery).await.unwrap();
        let record = || ground.store.record_tracked(id, accepted(1), DeliveryStatus::Success);
        cut.short(record()).await;
        if ground.status(id).await == DeliveryStatus::Success {
            assert_eq!(ground.attempts(id).await, [accepted(1)], "state and attempt, both or none");
        }
        record().await.expect("saying it again is safe");
        let delivery = ground.delivery(id).await;
        let told = (delivery.status, delivery.attempts);
        assert_eq!(told, (DeliveryStatus::Success, 1), "it counts once");
        assert_eq!(ground.attempts(id).await, [accepted(1)], "it is on record once");
    })
    .await;
}

fn new_record<H: StoreHarness>(ground: &Ground<H>) -> (webhook_core::Event, Delivery) {
    let event = ground.event();
    let id = DeliveryId::new(event.id, ground.ids.endpoint());
    let url = "https://once.example/".parse().unwrap();
    let (tenant, event_type) = (event.tenant.clone(), event.event_type.clone());
    (event, Delivery::new(id, tenant, event_type, url, some_time()))
}
