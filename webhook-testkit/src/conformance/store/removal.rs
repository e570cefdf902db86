//! Endpoints that are removed, and what becomes of their deliveries.

use webhook_core::{DeliveryStatus, Finished, TenantId, Updated};

use super::{
    Ground, StoreHarness,
    ground::{LEASE, WAIT, accepted, failure, retry, success},
};

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - self.endpoints.values().filter(|row| !row.removed)
// + self.endpoints.values()
pub async fn a_removed_endpoint_is_never_given_out_again<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let (gone, left) = (ground.endpoint().await, ground.endpoint().await);
    let before = ground.stored(gone).await;
    ground.remove(gone).await;
    assert!(ground.store.endpoints(&[gone]).await.unwrap().is_empty(), "not by its id");
    let snapshot = ground.store.snapshot(&TenantId::default()).await.unwrap();
    let ids: Vec<_> = snapshot.endpoints().iter().map(|endpoint| endpoint.id).collect();
    assert_eq!(ids, [left], "not in a snapshot");
    let answer = ground.store.update_endpoint(before).await.unwrap();
    assert_eq!(answer, Updated::NotFound, "it cannot be edited either");
    ground.remove(left).await;
    assert!(ground.store.tenants().await.unwrap().is_empty(), "its tenant has no endpoints");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - self.endpoints.get_mut(&id).filter(|row| !row.removed)
// + self.endpoints.get_mut(&id)
pub async fn removing_says_whether_there_was_one<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let id = ground.endpoint().await;
    let tenant = TenantId::default();
    let unknown = ground.ids.endpoint();
    assert!(!ground.store.remove_endpoint(&tenant, unknown).await.unwrap(), "no such endpoint");
    assert!(ground.store.remove_endpoint(&tenant, id).await.unwrap(), "there was one");
    assert!(!ground.store.remove_endpoint(&tenant, id).await.unwrap(), "it is gone already");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - if row.endpoint.tenant != *tenant {
// + if false {
pub async fn another_tenant_cannot_remove_an_endpoint<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    let delivery = ground.pending(endpoint).await;
    let removed = ground.store.remove_endpoint(&"acme".parse().unwrap(), endpoint).await.unwrap();
    assert!(!removed, "it is not theirs");
    assert_eq!(ground.stored(endpoint).await.id, endpoint, "it is still there");
    assert_eq!(ground.status(delivery).await, DeliveryStatus::Pending, "and so is its work");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - row.status = DeliveryStatus::Cancelled;
pub async fn removing_cancels_what_is_unfinished<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    ground.pendings(endpoint, 2).await;
    let claims = ground.claim().await;
    ground.finish(retry(&claims[0], WAIT)).await;
    ground.remove(endpoint).await;
    for claim in &claims {
        let delivery = ground.delivery(claim.lease.delivery).await;
        assert_eq!(delivery.status, DeliveryStatus::Cancelled, "pending or in flight, it is over");
        assert_eq!(delivery.due_at, None, "nothing more is due");
    }
    ground.advance(LEASE * 2).await;
    ground.assert_nothing_to_claim("a cancelled delivery is never claimed").await;
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - its.filter(|(_, row)| row.is_open())
// + its
pub async fn removing_leaves_what_is_finished_in_the_log<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    let id = ground.pending(endpoint).await;
    let claim = ground.claim_one().await;
    ground.finish(success(&claim)).await;
    let before = ground.delivery(id).await;
    ground.remove(endpoint).await;
    assert_eq!(ground.delivery(id).await, before, "its record stays, with its URL");
    assert_eq!(ground.attempt_numbers(id).await, [1], "and so do its attempts");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - .filter(|(delivery, _)| delivery.endpoint == id)
pub async fn removing_leaves_other_endpoints_alone<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let (gone, left) = (ground.endpoint().await, ground.endpoint().await);
    ground.publish(ground.event(), &[gone, left]).await;
    ground.remove(gone).await;
    assert_eq!(ground.claim_one().await.lease.delivery.endpoint, left, "its delivery is due");
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - self.last_leased(item.lease) else
// + self.last_leased(item.lease).filter(|row| !row.status.is_final()) else
pub async fn an_attempt_in_flight_at_the_removal_is_recorded<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    ground.pendings(endpoint, 2).await;
    let claims = ground.claim().await;
    ground.remove(endpoint).await;
    for finish in [success(&claims[0]), retry(&claims[1], WAIT)] {
        let id = finish.lease.delivery;
        assert_eq!(ground.finish(finish).await, Finished::Recorded, "the attempt is recorded");
        assert_eq!(ground.attempt_numbers(id).await, [1], "it is in the log");
        assert_eq!(ground.status(id).await, DeliveryStatus::Cancelled, "it stays cancelled");
    }
    ground.advance(LEASE * 2).await;
    ground.assert_nothing_to_claim("a cancelled delivery is never claimed").await;
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - row.held = false;
// + row.held = false;
// + row.status = DeliveryStatus::InFlight;
pub async fn releasing_after_the_removal_leaves_it_cancelled<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    let id = ground.pending(endpoint).await;
    let claim = ground.claim_one().await;
    ground.remove(endpoint).await;
    ground.release(claim.lease).await;
    assert_eq!(ground.status(id).await, DeliveryStatus::Cancelled, "a final status stays final");
    ground.assert_nothing_to_claim("a cancelled delivery is never claimed").await;
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - if !mem::take(&mut row.held) {
// + if !mem::take(&mut row.held) && row.status != DeliveryStatus::Cancelled {
pub async fn a_finish_said_twice_after_the_removal_is_written_once<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    let id = ground.pending(endpoint).await;
    let claim = ground.claim_one().await;
    ground.remove(endpoint).await;
    ground.finish(success(&claim)).await;
    let before = ground.delivery(id).await;
    assert_eq!(ground.finish(failure(&claim)).await, Finished::Recorded, "it is written already");
    assert_eq!(ground.delivery(id).await, before, "the second time changes nothing");
    assert_eq!(ground.attempts(id).await, [accepted(1)], "the attempt is recorded once");
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - .filter(|row| row.held)
// + .filter(|row| row.held || row.status.is_final())
pub async fn a_claim_is_given_back_once_after_the_removal<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    let id = ground.pending(endpoint).await;
    // Attempt 1 is lost.
    ground.claim_one().await;
    ground.advance(LEASE).await;
    let claim = ground.claim_one().await;
    ground.remove(endpoint).await;
    ground.release(claim.lease).await;
    ground.release(claim.lease).await;
    assert_eq!(ground.delivery(id).await.attempts, 1, "attempt 2 alone was not made");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - row.status = DeliveryStatus::Cancelled;
// + row.status = DeliveryStatus::Cancelled;
// + row.held = row.attempts as usize > row.records.len();
pub async fn what_was_given_back_before_the_removal_is_over<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    let id = ground.pending(endpoint).await;
    // Attempt 1 is lost.
    ground.claim_one().await;
    ground.advance(LEASE).await;
    let claim = ground.claim_one().await;
    ground.release(claim.lease).await;
    ground.remove(endpoint).await;
    assert_eq!(ground.release(claim.lease).await, Finished::LeaseLost, "it was given back before");
    assert_eq!(ground.delivery(id).await.attempts, 1, "attempt 2 alone was not made");
    ground.finish(success(&claim)).await;
    assert!(ground.attempts(id).await.is_empty(), "nothing is recorded");
}
