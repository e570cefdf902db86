//! What is left to do.

use std::time::Duration;

use webhook_core::{
    DisabledReason, EndpointState,
    store::{Backlog, Enqueue},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, failure, retry, success},
};

impl<H: StoreHarness> Fixture<H> {
    async fn backlog(&self) -> Backlog {
        self.store.backlog().await.expect("the backlog can be counted")
    }
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - due.map(|at| at.since(now)).min();
// + due.map(|at| at.since(now)).min().or(Some(std::time::Duration::ZERO));
pub async fn an_empty_store_has_no_backlog<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    assert_eq!(fixture.backlog().await, Backlog::default(), "there is nothing to do");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - left.waiting = capped(waiting.iter());
pub async fn a_backlog_counts_what_is_left<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (active, paused) = (fixture.endpoint().await, fixture.endpoint().await);
    let disabled = fixture.endpoint().await;
    fixture.pendings(active, 3).await;
    let claims = fixture.claim().await;
    fixture.finish(success(&claims[0])).await;
    fixture.finish(failure(&claims[1])).await;
    fixture.pendings(active, 2).await;
    fixture.pendings(paused, 4).await;
    fixture.pending(disabled).await;
    fixture.set_state(paused, EndpointState::Paused).await;
    fixture.set_state(disabled, EndpointState::Disabled(DisabledReason::ByHand)).await;
    for _ in 0..6 {
        fixture.enqueue(vec![Enqueue::unrouted(fixture.event())]).await;
    }
    let expected = Backlog::new(6, 1, 2, 5, Some(Duration::ZERO));
    assert_eq!(fixture.backlog().await, expected, "what is finished does not count");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - row.unrouted_from.is_some()
// + row.unrouted_from.is_some_and(|from| from <= now)
pub async fn a_claimed_unrouted_event_is_still_unrouted<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.enqueue(vec![Enqueue::unrouted(fixture.event())]).await;
    fixture.store.claim_unrouted(10, DEFAULT_RETRY_WAIT).await.unwrap();
    assert_eq!(fixture.backlog().await.unrouted, 1, "it is not routed yet");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - due.map(|at| at.since(now)).min();
// + due.map(|at| at.since(now)).max();
pub async fn a_backlog_says_when_its_earliest_is_due<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 2).await;
    let claims = fixture.claim().await;
    assert_eq!(fixture.backlog().await.next_due, None, "what is in flight is not due");
    fixture.finish(retry(&claims[0], DEFAULT_RETRY_WAIT * 2)).await;
    fixture.finish(retry(&claims[1], DEFAULT_RETRY_WAIT)).await;
    fixture.advance(SECOND).await;
    assert_eq!(
        fixture.backlog().await.next_due,
        Some(DEFAULT_RETRY_WAIT - SECOND),
        "the earlier of the two"
    );
    fixture.advance(DEFAULT_RETRY_WAIT * 10).await;
    let overdue = fixture.backlog().await.next_due;
    assert_eq!(overdue, Some(Duration::ZERO), "what is overdue is due now");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - let due = active.iter().filter_map(
// + let everybodys: Vec<_> = open().collect();
// + let due = everybodys.iter().filter_map(
pub async fn a_backlog_of_inactive_endpoints_is_never_due<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pending(endpoint).await;
    fixture.set_state(endpoint, EndpointState::Paused).await;
    let expected = Backlog::new(0, 0, 0, 1, None);
    assert_eq!(fixture.backlog().await, expected, "it waits until it is resumed");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - .filter(|(_, row)| row.state.is_open());
// + .filter(|(_, row)| !row.state.tracked);
pub async fn a_removed_endpoint_leaves_no_backlog<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 2).await;
    fixture.remove(endpoint).await;
    assert_eq!(fixture.backlog().await, Backlog::default(), "its work is cancelled");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - self.status == DeliveryStatus::InFlight && self.due_at > now
// + self.status == DeliveryStatus::InFlight
pub async fn a_lease_that_has_ended_is_not_in_flight<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.pendings(endpoint, 2).await;
    fixture.claim().await;
    fixture.advance(DEFAULT_LEASE - SECOND / 1000).await;
    assert_eq!(fixture.backlog().await, Backlog::new(0, 2, 0, 0, None), "both leases still hold");
    fixture.advance(SECOND / 1000).await;
    let lost = Backlog::new(0, 0, 2, 0, Some(Duration::ZERO));
    assert_eq!(fixture.backlog().await, lost, "whoever comes first may take them");
    fixture.advance(SECOND).await;
    assert_eq!(fixture.backlog().await, lost, "and they stay due");
    fixture.claim().await;
    assert_eq!(fixture.backlog().await, Backlog::new(0, 2, 0, 0, None), "somebody has them again");
}

// Catches in webhook-testkit/src/memory/deliveries.rs:
// - free.partition(|(id, _)| self.is_active(id.endpoint));
// + free.partition(|(id, row)| row.state.held || self.is_active(id.endpoint));
pub async fn an_ended_lease_of_an_inactive_endpoint_waits_with_the_rest<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (paused, disabled) = (fixture.endpoint().await, fixture.endpoint().await);
    fixture.pending(paused).await;
    fixture.pending(disabled).await;
    fixture.claim().await;
    fixture.set_state(paused, EndpointState::Paused).await;
    fixture.set_state(disabled, EndpointState::Disabled(DisabledReason::ByHand)).await;
    assert_eq!(fixture.backlog().await, Backlog::new(0, 2, 0, 0, None), "their leases still hold");
    fixture.advance(DEFAULT_LEASE).await;
    let expected = Backlog::new(0, 0, 0, 2, None);
    assert_eq!(fixture.backlog().await, expected, "they wait until their endpoint is resumed");
}
