//! What is left to do.

use std::time::Duration;

use webhook_core::{Backlog, DisabledReason, EndpointState, Enqueue};

use super::{
    Ground, StoreHarness,
    ground::{LEASE, SECOND, WAIT, failure, retry, success},
};

impl<H: StoreHarness> Ground<H> {
    async fn backlog(&self) -> Backlog {
        self.store.backlog().await.expect("the backlog can be counted")
    }
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - due.map(|at| at.since(now)).min();
// + due.map(|at| at.since(now)).min().or(Some(Duration::ZERO));
pub async fn an_empty_store_has_no_backlog<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    assert_eq!(ground.backlog().await, Backlog::default(), "there is nothing to do");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - left.waiting = capped(waiting.iter());
pub async fn a_backlog_counts_what_is_left<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let (active, paused) = (ground.endpoint().await, ground.endpoint().await);
    let disabled = ground.endpoint().await;
    ground.pendings(active, 3).await;
    let claims = ground.claim().await;
    ground.finish(success(&claims[0])).await;
    ground.finish(failure(&claims[1])).await;
    ground.pendings(active, 2).await;
    ground.pendings(paused, 4).await;
    ground.pending(disabled).await;
    ground.set_state(paused, EndpointState::Paused).await;
    ground.set_state(disabled, EndpointState::Disabled(DisabledReason::ByHand)).await;
    for _ in 0..6 {
        ground.enqueue(vec![Enqueue::unrouted(ground.event())]).await;
    }
    let expected = Backlog::new(6, 1, 2, 5, Some(Duration::ZERO));
    assert_eq!(ground.backlog().await, expected, "what is finished does not count");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - row.unrouted_from.is_some()
// + row.unrouted_from.is_some_and(|from| from <= now)
pub async fn a_claimed_unrouted_event_is_still_unrouted<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    ground.enqueue(vec![Enqueue::unrouted(ground.event())]).await;
    ground.store.claim_unrouted(10, WAIT).await.unwrap();
    assert_eq!(ground.backlog().await.unrouted, 1, "it is not routed yet");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - due.map(|at| at.since(now)).min();
// + due.map(|at| at.since(now)).max();
pub async fn a_backlog_says_when_its_earliest_is_due<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    ground.pendings(endpoint, 2).await;
    let claims = ground.claim().await;
    assert_eq!(ground.backlog().await.next_due, None, "what is in flight is not due");
    ground.finish(retry(&claims[0], WAIT * 2)).await;
    ground.finish(retry(&claims[1], WAIT)).await;
    ground.advance(SECOND).await;
    assert_eq!(ground.backlog().await.next_due, Some(WAIT - SECOND), "the earlier of the two");
    ground.advance(WAIT * 10).await;
    let overdue = ground.backlog().await.next_due;
    assert_eq!(overdue, Some(Duration::ZERO), "what is overdue is due now");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - let due = active.iter().filter_map(
// + let everybodys: Vec<_> = open().collect();
// + let due = everybodys.iter().filter_map(
pub async fn a_backlog_of_inactive_endpoints_is_never_due<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    ground.pending(endpoint).await;
    ground.set_state(endpoint, EndpointState::Paused).await;
    let expected = Backlog::new(0, 0, 0, 1, None);
    assert_eq!(ground.backlog().await, expected, "it waits until it is resumed");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - .filter(|(_, row)| row.is_open());
// + .filter(|(_, row)| row.tracked_url.is_none());
pub async fn a_removed_endpoint_leaves_no_backlog<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    ground.pendings(endpoint, 2).await;
    ground.remove(endpoint).await;
    assert_eq!(ground.backlog().await, Backlog::default(), "its work is cancelled");
}

// Catches in webhook-testkit/src/memory/row.rs:
// - self.status == DeliveryStatus::InFlight && self.due_at > now
// + self.status == DeliveryStatus::InFlight
pub async fn a_lease_that_has_ended_is_not_in_flight<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    ground.pendings(endpoint, 2).await;
    ground.claim().await;
    ground.advance(LEASE - SECOND / 1000).await;
    assert_eq!(ground.backlog().await, Backlog::new(0, 2, 0, 0, None), "both leases still hold");
    ground.advance(SECOND / 1000).await;
    let lost = Backlog::new(0, 0, 2, 0, Some(Duration::ZERO));
    assert_eq!(ground.backlog().await, lost, "whoever comes first may take them");
    ground.advance(SECOND).await;
    assert_eq!(ground.backlog().await, lost, "and they stay due");
    ground.claim().await;
    assert_eq!(ground.backlog().await, Backlog::new(0, 2, 0, 0, None), "somebody has them again");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - free.partition(|(id, _)| self.is_active(id.endpoint));
// + free.partition(|(id, row)| row.held || self.is_active(id.endpoint));
pub async fn an_ended_lease_of_an_inactive_endpoint_waits_with_the_rest<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let (paused, disabled) = (ground.endpoint().await, ground.endpoint().await);
    ground.pending(paused).await;
    ground.pending(disabled).await;
    ground.claim().await;
    ground.set_state(paused, EndpointState::Paused).await;
    ground.set_state(disabled, EndpointState::Disabled(DisabledReason::ByHand)).await;
    assert_eq!(ground.backlog().await, Backlog::new(0, 2, 0, 0, None), "their leases still hold");
    ground.advance(LEASE).await;
    let expected = Backlog::new(0, 0, 0, 2, None);
    assert_eq!(ground.backlog().await, expected, "they wait until their endpoint is resumed");
}
