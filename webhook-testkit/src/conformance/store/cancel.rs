//! Deliveries that are called off by hand.

use webhook_core::{
    DeliveryId, DeliveryStatus,
    store::{Cancelled, DeliveryOperations as _, Finished},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, accepted, failure, retry, success},
};

impl<H: StoreHarness> Fixture<H> {
    pub(super) async fn cancel_all(&self, batch: Vec<DeliveryId>) -> Vec<Cancelled> {
        let asked = batch.len();
        let answers = self.store.cancel(batch).await.expect("deliveries can be cancelled");
        assert_eq!(answers.len(), asked, "there is one answer for each delivery of a batch");
        answers
    }

    pub(super) async fn cancel(&self, id: DeliveryId) -> Cancelled {
        self.cancel_all(vec![id]).await[0]
    }
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - Self { status: DeliveryStatus::Cancelled, finished_at: Some(now), ..self.clone() };
// + Self { finished_at: Some(now), ..self.clone() };
pub async fn a_cancelled_delivery_is_never_claimed<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let ids = fixture.pendings(endpoint, 2).await;
    let claims = fixture.claim().await;
    fixture.finish(retry(&claims[0], DEFAULT_RETRY_WAIT)).await;
    fixture.finish(retry(&claims[1], DEFAULT_RETRY_WAIT)).await;
    assert_eq!(fixture.cancel(ids[0]).await, Cancelled::Done, "it was pending");
    let delivery = fixture.delivery(ids[0]).await;
    assert_eq!((delivery.status, delivery.due_at), (DeliveryStatus::Cancelled, None), "it is over");
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    assert_eq!(fixture.claim_one().await.lease.delivery, ids[1], "the other one goes on");
    assert_eq!(fixture.attempt_numbers(ids[0]).await, [1], "its attempts stay on record");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - Self { status: DeliveryStatus::Cancelled, finished_at: Some(now), ..self.clone() };
// + Self { status: DeliveryStatus::Cancelled, held: false, finished_at: Some(now), ..self.clone() };
pub async fn an_attempt_in_flight_at_the_cancelling_is_recorded<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    assert_eq!(fixture.cancel(id).await, Cancelled::InFlight, "an attempt is under way");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Cancelled, "it is over all the same");
    assert_eq!(fixture.finish(success(&claim)).await, Finished::Recorded, "the attempt ends");
    assert_eq!(fixture.attempts(id).await, [accepted(1)], "and is recorded");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Cancelled, "it stays cancelled");
    fixture.advance(DEFAULT_LEASE).await;
    fixture.assert_nothing_to_claim("a cancelled delivery is never claimed").await;
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - Self { status: DeliveryStatus::Cancelled, finished_at: Some(now), ..self.clone() };
// + Self { status: DeliveryStatus::Cancelled, finished_at: Some(now), ..self.clone() };
// + let state = if self.status == DeliveryStatus::InFlight { self.clone() } else { state };
pub async fn a_cancelled_delivery_is_not_tried_again_after_its_lease<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    fixture.claim_one().await;
    fixture.cancel(id).await;
    fixture.advance(DEFAULT_LEASE * 2).await;
    fixture.assert_nothing_to_claim("its worker may be dead, but nobody takes over").await;
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - state = state.settled(Settle::Retry(Duration::ZERO), now);
// + }
// + {
// +     state = state.settled(Settle::Retry(Duration::ZERO), now);
pub async fn a_claim_given_back_after_the_cancelling_stays_cancelled<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.cancel(id).await;
    assert_eq!(fixture.release(claim.lease).await, Finished::Recorded, "it was not started");
    let delivery = fixture.delivery(id).await;
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Cancelled, 0), "it is over");
    fixture.assert_nothing_to_claim("a cancelled delivery is never claimed").await;
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if self.status.is_final() {
// + if self.status == DeliveryStatus::Cancelled {
pub async fn what_is_final_is_not_cancelled<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let ids = fixture.pendings(fixture.endpoint().await, 2).await;
    let claims = fixture.claim().await;
    fixture.finish(success(&claims[0])).await;
    fixture.finish(failure(&claims[1])).await;
    for id in ids {
        let before = fixture.delivery(id).await;
        let unchanged = Cancelled::Unchanged(before.status);
        assert_eq!(fixture.cancel(id).await, unchanged, "it is over already");
        assert_eq!(fixture.delivery(id).await, before, "and stays as it is");
    }
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - self.each(batch, State::cancel)
// + self.each(batch.into_iter().rev().collect(), State::cancel)
pub async fn each_cancelling_of_a_batch_gets_its_own_answer<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let in_flight = fixture.pending(endpoint).await;
    fixture.claim_one().await;
    let pending = fixture.pending(endpoint).await;
    let (tracked, event) = fixture.tracked_record().await;
    let unknown = DeliveryId::new(event, endpoint);
    let batch = vec![unknown, tracked, in_flight, pending, pending];
    let expected = [
        Cancelled::NotFound,
        Cancelled::Tracked,
        Cancelled::InFlight,
        Cancelled::Done,
        Cancelled::Unchanged(DeliveryStatus::Cancelled),
    ];
    assert_eq!(fixture.cancel_all(batch).await, expected, "in the order of the batch");
    assert_eq!(fixture.status(tracked).await, DeliveryStatus::Pending, "its sender has it");
    assert!(fixture.cancel_all(vec![]).await.is_empty(), "nothing is answered with nothing");
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - let Transition { result, change } = row.state.cancelled(now);
// + let Transition { result, change } = row.state.cancelled(now);
// + self.deliveries.values_mut().for_each(|row| row.state.status = DeliveryStatus::Cancelled);
// + let Some(row) = self.deliveries.get_mut(&id) else { return Cancelled::NotFound };
pub async fn cancelling_leaves_other_deliveries_of_the_event_alone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (one, other) = (fixture.endpoint().await, fixture.endpoint().await);
    let event = fixture.event();
    fixture.publish(event.clone(), &[one, other]).await;
    fixture.cancel(DeliveryId::new(event.id, one)).await;
    assert_eq!(fixture.claim_one().await.lease.delivery.endpoint, other, "that one is due");
}
