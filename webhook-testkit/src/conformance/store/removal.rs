//! Endpoints that are removed, and what becomes of their deliveries.

use webhook_core::{
    DeliveryStatus, TenantId,
    store::{EndpointDirectory as _, Finished, Updated},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, accepted, failure, retry, success},
};

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - self.endpoints.values().filter(|row| !row.removed)
// + self.endpoints.values()
pub async fn a_removed_endpoint_is_never_given_out_again<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (gone, left) = (fixture.endpoint().await, fixture.endpoint().await);
    let before = fixture.stored(gone).await;
    fixture.remove(gone).await;
    assert!(fixture.stored_if_any(gone).await.is_none(), "not by its id");
    let snapshot = fixture.store.snapshot(&TenantId::default()).await.unwrap();
    let ids: Vec<_> = snapshot.entries().iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [left], "not in a snapshot");
    let answer = fixture.store.update_endpoint(before).await.unwrap();
    assert_eq!(answer, Updated::NotFound, "it cannot be edited either");
    fixture.remove(left).await;
    assert!(
        fixture.store.tenants(None, 100).await.unwrap().is_empty(),
        "its tenant has no endpoints"
    );
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - self.endpoints.get_mut(&id).filter(|row| !row.removed)
// + self.endpoints.get_mut(&id)
pub async fn removing_says_whether_there_was_one<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.endpoint().await;
    let tenant = TenantId::default();
    let unknown = fixture.ids.endpoint();
    assert!(!fixture.store.remove_endpoint(&tenant, unknown).await.unwrap(), "no such endpoint");
    assert!(fixture.store.remove_endpoint(&tenant, id).await.unwrap(), "there was one");
    assert!(!fixture.store.remove_endpoint(&tenant, id).await.unwrap(), "it is gone already");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - if row.endpoint.tenant != *tenant {
// + if false {
pub async fn another_tenant_cannot_remove_an_endpoint<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let delivery = fixture.pending(endpoint).await;
    let removed = fixture.store.remove_endpoint(&"acme".parse().unwrap(), endpoint).await.unwrap();
    assert!(!removed, "it is not theirs");
    assert_eq!(fixture.stored(endpoint).await.id, endpoint, "it is still there");
    assert_eq!(fixture.status(delivery).await, DeliveryStatus::Pending, "and so is its work");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - row.state = change.state;
pub async fn removing_cancels_what_is_unfinished<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 2).await;
    let claims = fixture.claim().await;
    fixture.finish(retry(&claims[0], DEFAULT_RETRY_WAIT)).await;
    fixture.remove(endpoint).await;
    for claim in &claims {
        let delivery = fixture.delivery(claim.lease.delivery).await;
        assert_eq!(delivery.status, DeliveryStatus::Cancelled, "pending or in flight, it is over");
        assert_eq!(delivery.due_at, None, "nothing more is due");
    }
    fixture.advance(DEFAULT_LEASE * 2).await;
    fixture.assert_nothing_to_claim("a cancelled delivery is never claimed").await;
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - if let Some(change) = row.state.cancelled(now).change {
// + row.state.status = webhook_core::DeliveryStatus::Cancelled;
// + if let Some(change) = row.state.cancelled(now).change {
pub async fn removing_leaves_what_is_finished_in_the_log<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let id = fixture.pending(endpoint).await;
    let claim = fixture.claim_one().await;
    fixture.finish(success(&claim)).await;
    let before = fixture.delivery(id).await;
    fixture.remove(endpoint).await;
    assert_eq!(fixture.delivery(id).await, before, "its record stays, with its URL");
    assert_eq!(fixture.attempt_numbers(id).await, [1], "and so do its attempts");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - .filter(|(delivery, _)| delivery.endpoint == id)
pub async fn removing_leaves_other_endpoints_alone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (gone, left) = (fixture.endpoint().await, fixture.endpoint().await);
    fixture.publish(fixture.event(), &[gone, left]).await;
    fixture.remove(gone).await;
    assert_eq!(fixture.claim_one().await.lease.delivery.endpoint, left, "its delivery is due");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if self.epoch != item.lease.epoch {
// + if self.epoch != item.lease.epoch || self.status.is_final() {
pub async fn an_attempt_in_flight_at_the_removal_is_recorded<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 2).await;
    let claims = fixture.claim().await;
    fixture.remove(endpoint).await;
    for finish in [success(&claims[0]), retry(&claims[1], DEFAULT_RETRY_WAIT)] {
        let id = finish.lease.delivery;
        assert_eq!(fixture.finish(finish).await, Finished::Recorded, "the attempt is recorded");
        assert_eq!(fixture.attempt_numbers(id).await, [1], "it is in the log");
        assert_eq!(fixture.status(id).await, DeliveryStatus::Cancelled, "it stays cancelled");
    }
    fixture.advance(DEFAULT_LEASE * 2).await;
    fixture.assert_nothing_to_claim("a cancelled delivery is never claimed").await;
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - Transition::to(Finished::Recorded, state, now)
// + state.status = DeliveryStatus::InFlight;
// + Transition::to(Finished::Recorded, state, now)
pub async fn releasing_after_the_removal_leaves_it_cancelled<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let id = fixture.pending(endpoint).await;
    let claim = fixture.claim_one().await;
    fixture.remove(endpoint).await;
    fixture.release(claim.lease).await;
    assert_eq!(fixture.status(id).await, DeliveryStatus::Cancelled, "a final status stays final");
    fixture.assert_nothing_to_claim("a cancelled delivery is never claimed").await;
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if !self.held {
// + if !self.held && self.status != DeliveryStatus::Cancelled {
pub async fn a_finish_said_twice_after_the_removal_is_written_once<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let id = fixture.pending(endpoint).await;
    let claim = fixture.claim_one().await;
    fixture.remove(endpoint).await;
    fixture.finish(success(&claim)).await;
    let before = fixture.delivery(id).await;
    assert_eq!(fixture.finish(failure(&claim)).await, Finished::Recorded, "it is written already");
    assert_eq!(fixture.delivery(id).await, before, "the second time changes nothing");
    assert_eq!(fixture.attempts(id).await, [accepted(1)], "the attempt is recorded once");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if self.epoch != lease.epoch || !self.held {
// + if self.epoch != lease.epoch || !self.held && !self.status.is_final() {
pub async fn a_claim_is_given_back_once_after_the_removal<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let id = fixture.pending(endpoint).await;
    // Attempt 1 is lost.
    fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE).await;
    let claim = fixture.claim_one().await;
    fixture.remove(endpoint).await;
    fixture.release(claim.lease).await;
    fixture.release(claim.lease).await;
    assert_eq!(fixture.delivery(id).await.attempts, 1, "attempt 2 alone was not made");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - row.state = change.state;
// + row.state = change.state;
// + row.state.held = row.state.attempts as usize > row.records.len();
pub async fn what_was_given_back_before_the_removal_is_over<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let id = fixture.pending(endpoint).await;
    // Attempt 1 is lost.
    fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE).await;
    let claim = fixture.claim_one().await;
    fixture.release(claim.lease).await;
    fixture.remove(endpoint).await;
    assert_eq!(fixture.release(claim.lease).await, Finished::LeaseLost, "it was given back before");
    assert_eq!(fixture.delivery(id).await.attempts, 1, "attempt 2 alone was not made");
    fixture.finish(success(&claim)).await;
    assert!(fixture.attempts(id).await.is_empty(), "nothing is recorded");
}
