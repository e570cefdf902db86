//! How the store is doing.

use std::time::Duration;

use webhook_core::{
    EndpointId, EndpointState,
    store::{DeliveryLog as _, DeliveryQuery, Enqueue, Finished, Maintenance as _, StoreStatus},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, failure, retry, success},
};

impl<H: StoreHarness> Fixture<H> {
    async fn store_status(&self) -> StoreStatus {
        self.store.status().await.expect("the store can be asked how it is")
    }

    async fn failing(&self) -> Vec<EndpointId> {
        let status = self.store_status().await;
        status.failing.iter().map(|failing| failing.delivery.endpoint).collect()
    }
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - due.filter(|at| *at <= now).map(|at| now.since(at)).max()
// + due.filter(|at| *at <= now).map(|at| now.since(at)).max().or(Some(Duration::ZERO))
pub async fn an_empty_store_is_well<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    assert_eq!(fixture.store_status().await, StoreStatus::default(), "there is nothing to tell");
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - (status.pending, status.waiting) = (capped(left.pending), capped(left.waiting));
// + status.pending = capped(left.pending + left.waiting);
pub async fn a_status_counts_as_the_backlog_does<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (active, paused) = (fixture.endpoint().await, fixture.endpoint().await);
    fixture.pendings(active, 3).await;
    let claims = fixture.claim().await;
    fixture.finish(success(&claims[0])).await;
    fixture.pendings(paused, 2).await;
    fixture.set_state(paused, EndpointState::Paused).await;
    fixture.pendings(active, 4).await;
    fixture.enqueue(vec![Enqueue::unrouted(fixture.event())]).await;
    let status = fixture.store_status().await;
    let counts = (status.unrouted, status.in_flight, status.pending, status.waiting);
    assert_eq!(counts, (1, 2, 4, 2), "unrouted, in flight, pending, waiting");
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - due.filter(|at| *at <= now).map(|at| now.since(at)).max()
// + due.filter(|at| *at <= now).map(|at| now.since(at)).min()
pub async fn a_status_tells_how_long_the_oldest_has_been_due<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (endpoint, paused) = (fixture.endpoint().await, fixture.endpoint().await);
    fixture.pending(paused).await;
    fixture.set_state(paused, EndpointState::Paused).await;
    fixture.pending(endpoint).await;
    let claim = fixture.claim_one().await;
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    assert_eq!(fixture.store_status().await.oldest_due, None, "nothing is due before its time");
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    assert_eq!(fixture.store_status().await.oldest_due, Some(Duration::ZERO), "due this moment");
    fixture.advance(SECOND).await;
    fixture.pending(endpoint).await;
    assert_eq!(fixture.store_status().await.oldest_due, Some(SECOND), "the one that waits longest");
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - pending.min_by_key(
// + pending.max_by_key(
pub async fn an_endpoint_whose_oldest_pending_delivery_failed_is_failing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (bad, good) = (fixture.endpoint().await, fixture.endpoint().await);
    let id = fixture.pending(bad).await;
    assert!(fixture.failing().await.is_empty(), "nothing was tried yet");
    let claim = fixture.claim_one().await;
    assert!(fixture.failing().await.is_empty(), "nobody knows how it ends");
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    fixture.advance(SECOND).await;
    fixture.pending(bad).await;
    fixture.pending(good).await;
    let failing = fixture.store_status().await.failing;
    assert_eq!(failing.len(), 1, "the other one was not tried: {failing:?}");
    let record = fixture.delivery(id).await;
    assert_eq!((failing[0].delivery, failing[0].attempts), (id, 1), "the oldest one");
    assert_eq!(failing[0].tenant, record.tenant, "whose it is");
    assert_eq!(Some(&failing[0].last_error), record.last_error.as_ref(), "and why");
    assert_eq!(failing[0].since, record.created_at, "since when");
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - if row.state.attempts == row.state.budget_from {
// + if row.state.attempts == 0 {
pub async fn an_endpoint_without_failed_work_that_waits_is_not_failing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (given_up, paused) = (fixture.endpoint().await, fixture.endpoint().await);
    let id = fixture.pending(given_up).await;
    fixture.pending(paused).await;
    for claim in fixture.claim().await {
        let gave_up = claim.lease.delivery == id;
        fixture
            .finish(if gave_up { failure(&claim) } else { retry(&claim, DEFAULT_RETRY_WAIT) })
            .await;
    }
    fixture.set_state(paused, EndpointState::Paused).await;
    assert!(fixture.failing().await.is_empty(), "nothing of theirs is tried at present");
    fixture.redeliver(id).await;
    assert!(fixture.failing().await.is_empty(), "it begins anew");
    let listed = fixture.store.deliveries(DeliveryQuery::new()).await.unwrap().items;
    assert!(listed.iter().all(|delivery| delivery.last_error.is_some()), "both did fail");
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - self.present().filter(|endpoint| endpoint.state.is_active());
// + self.present().filter(|endpoint| endpoint.state.is_active());
// + let active = active.collect::<Vec<_>>().into_iter().rev();
pub async fn failing_endpoints_are_told_in_order<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let mut endpoints = Vec::new();
    for _ in 0..3 {
        endpoints.push(fixture.endpoint().await);
    }
    for endpoint in endpoints.iter().rev() {
        fixture.pending(*endpoint).await;
        fixture.advance(SECOND).await;
    }
    for claim in fixture.claim().await {
        fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    }
    endpoints.sort_unstable();
    assert_eq!(fixture.failing().await, endpoints, "by their ids");
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - let answer = self.release_claim(lease, now);
// + return self.release_claim(lease, now);
// + let answer = Finished::Recorded;
pub async fn every_lost_lease_is_counted<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 2).await;
    let late = fixture.claim().await;
    fixture.advance(DEFAULT_LEASE).await;
    let claims = fixture.claim().await;
    assert_eq!(fixture.store_status().await.leases_lost, 0, "nobody came too late yet");
    let mut batch: Vec<_> = late.iter().map(success).collect();
    batch.push(success(&claims[0]));
    let answers = fixture.store.finish(batch).await.unwrap();
    let expected = [Finished::LeaseLost, Finished::LeaseLost, Finished::Recorded];
    assert_eq!(answers, expected, "two of three");
    assert_eq!(fixture.store_status().await.leases_lost, 2, "both are counted");
    assert_eq!(fixture.release(late[0].lease).await, Finished::LeaseLost, "late again");
    assert_eq!(fixture.store_status().await.leases_lost, 3, "each write is counted");
    fixture.release(claims[1].lease).await;
    fixture.finish(success(&claims[0])).await;
    assert_eq!(fixture.store_status().await.leases_lost, 3, "those in time are not");
}
