//! Final deliveries that are tried again by hand.

use webhook_core::{
    DeliveryId, DeliveryStatus, EndpointId, EndpointState, Timestamp, Trigger,
    store::{
        DeliveryOperations as _, Enqueue, FanOut, Finished, NewDelivery, Redeliver, Redelivered,
    },
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, failure, retry, success},
};

impl<H: StoreHarness> Fixture<H> {
    pub(super) async fn redeliver_all(&self, batch: Vec<Redeliver>) -> Vec<Redelivered> {
        let asked = batch.len();
        let answers = self.store.redeliver(batch).await.expect("deliveries can be redelivered");
        assert_eq!(answers.len(), asked, "there is one answer for each delivery of a batch");
        answers
    }

    pub(super) async fn redeliver(&self, id: DeliveryId) -> Redelivered {
        self.redeliver_all(vec![Redeliver::new(id)]).await[0]
    }

    /// A delivery that was given up after one attempt.
    pub(super) async fn failed(&self) -> DeliveryId {
        self.failed_at(self.endpoint().await).await
    }

    /// A delivery to this endpoint that was given up after one attempt.
    pub(super) async fn failed_at(&self, endpoint: EndpointId) -> DeliveryId {
        let id = self.pending(endpoint).await;
        let claim = self.claim_one().await;
        self.finish(failure(&claim)).await;
        id
    }
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// -  due_at: now,
pub async fn a_failed_delivery_is_made_due_again<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.failed().await;
    let before = fixture.delivery(id).await;
    fixture.advance(SECOND).await;
    assert_eq!(fixture.redeliver(id).await, Redelivered::Done, "it is to be tried again");
    let after = fixture.delivery(id).await;
    assert_eq!(after.status, DeliveryStatus::Pending, "it is pending");
    let due_at = after.due_at.expect("it is due");
    assert_eq!(due_at, before.created_at.after(SECOND), "it is due at once");
    assert_eq!((after.created_at, after.attempts), (before.created_at, 1), "the rest stays");
    assert_eq!(after.last_error, before.last_error, "and so does what went wrong last");
    assert_eq!(fixture.claim_one().await.lease.delivery, id, "it can be claimed");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - forgiven: 0,
pub async fn a_redelivered_delivery_has_a_fresh_budget_and_goes_on_counting<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT).with_forgiven(1)).await;
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let claim = fixture.claim_one().await;
    fixture.finish(failure(&claim).with_forgiven(1)).await;
    fixture.redeliver(id).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.progress.attempt, 3, "numbers go on");
    assert_eq!((claim.progress.budget_from, claim.progress.forgiven), (2, 0), "a fresh budget");
    assert_eq!(claim.progress.tries(), 1, "this is its first try");
    assert_eq!(claim.recorded, 2, "both attempts before are on record");
    fixture.finish(success(&claim)).await;
    assert_eq!(fixture.attempt_numbers(id).await, [1, 2, 3], "all attempts stay in the log");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if !self.status.is_final() || item
// + if self.status != DeliveryStatus::Failed || item
pub async fn whatever_is_final_can_be_redelivered<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let ids = fixture.pendings(fixture.endpoint().await, 3).await;
    fixture.cancel(ids[0]).await;
    let claims = fixture.claim().await;
    fixture.finish(success(&claims[0])).await;
    fixture.finish(failure(&claims[1])).await;
    let batch = ids.iter().map(|id| Redeliver::new(*id)).collect();
    let expected = [Redelivered::Done; 3];
    assert_eq!(fixture.redeliver_all(batch).await, expected, "cancelled, delivered, given up");
    assert_eq!(fixture.claim().await.len(), 3, "each is due again");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - !self.status.is_final() ||
// + self.status == DeliveryStatus::InFlight ||
pub async fn what_is_not_final_is_not_redelivered<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let pending = Redelivered::Unchanged(DeliveryStatus::Pending);
    assert_eq!(fixture.redeliver(id).await, pending, "it is tried anyway");
    let claim = fixture.claim_one().await;
    let in_flight = Redelivered::Unchanged(DeliveryStatus::InFlight);
    assert_eq!(fixture.redeliver(id).await, in_flight, "it is under way");
    let answer = fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    assert_eq!(answer, Finished::Recorded, "its lease still holds");
    fixture.redeliver(id).await;
    fixture.assert_nothing_to_claim("what waits goes on waiting").await;
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if !self.status.is_final() || item.only
// + if item.only
pub async fn redelivering_twice_is_redelivering_once<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.failed().await;
    let twice = fixture.redeliver_all(vec![Redeliver::new(id); 2]).await;
    let unchanged = Redelivered::Unchanged(DeliveryStatus::Pending);
    assert_eq!(twice, [Redelivered::Done, unchanged], "in one batch");
    assert_eq!(fixture.redeliver(id).await, unchanged, "and in the next");
    let claim = fixture.claim_one().await;
    assert_eq!((claim.progress.attempt, claim.progress.budget_from), (2, 1), "one budget began");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - .only.is_some_and(|only| only != self.status)
// + .only.is_some_and(|only| !only.is_final())
pub async fn a_redelivery_may_name_the_status_it_is_meant_for<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.failed().await;
    let of = |status| vec![Redeliver::new(id).with_status(status)];
    let answers = fixture.redeliver_all(of(DeliveryStatus::Success)).await;
    assert_eq!(answers, [Redelivered::Unchanged(DeliveryStatus::Failed)], "it is another");
    let answers = fixture.redeliver_all(of(DeliveryStatus::Failed)).await;
    assert_eq!(answers, [Redelivered::Done], "it is that one");
    let claim = fixture.claim_one().await;
    fixture.finish(success(&claim)).await;
    let answers = fixture.redeliver_all(of(DeliveryStatus::Failed)).await;
    let delivered = [Redelivered::Unchanged(DeliveryStatus::Success)];
    assert_eq!(answers, delivered, "it was delivered meanwhile");
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - let has_endpoint = self.endpoint(item.delivery.endpoint).is_some();
// + let has_endpoint = self.endpoints.contains_key(&item.delivery.endpoint);
pub async fn a_delivery_whose_endpoint_is_gone_is_not_redelivered<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.failed().await;
    fixture.remove(id.endpoint).await;
    assert_eq!(fixture.redeliver(id).await, Redelivered::EndpointGone, "there is no way to go");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Failed, "it stays as it is");
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - let has_endpoint = self.endpoint(item.delivery.endpoint).is_some();
// + let has_endpoint = self.is_active(item.delivery.endpoint);
pub async fn a_redelivery_to_a_paused_endpoint_waits_for_it<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.failed().await;
    fixture.set_state(id.endpoint, EndpointState::Paused).await;
    assert_eq!(fixture.redeliver(id).await, Redelivered::Done, "it is pending");
    fixture.assert_nothing_to_claim("its endpoint is paused").await;
    fixture.set_state(id.endpoint, EndpointState::Active).await;
    assert_eq!(fixture.claim_one().await.lease.delivery, id, "it waited");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - cause: item.cause,
pub async fn a_claim_tells_what_began_its_budget<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let new = NewDelivery::pending(endpoint).with_cause(Trigger::Test);
    let mut fan_out = FanOut::pending(fixture.version().await, []);
    fan_out.deliveries.push(new);
    fixture.enqueue(vec![Enqueue::routed(fixture.event(), fan_out)]).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.cause, Trigger::Test, "it was stored so");
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.cause, Trigger::Test, "for the whole of the budget");
    fixture.finish(failure(&claim)).await;
    let id = claim.lease.delivery;
    fixture.redeliver(id).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.cause, Trigger::Manual, "the next one began by hand");
    fixture.finish(failure(&claim)).await;
    fixture.redeliver_all(vec![Redeliver::new(id).with_cause(Trigger::Replay)]).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.cause, Trigger::Replay, "and this one by a replay");
    let other = fixture.failed_at(endpoint).await;
    fixture.release(claim.lease).await;
    let both = [Redeliver::new(other), Redeliver::new(id)];
    fixture.cancel(id).await;
    fixture.redeliver_all(vec![both[0].with_cause(Trigger::Replay), both[1]]).await;
    let mut causes: Vec<_> = fixture.claim().await;
    causes.sort_by_key(|claim| claim.lease.delivery);
    let causes: Vec<_> = causes.iter().map(|claim| claim.cause).collect();
    assert_eq!(causes, [Trigger::Manual, Trigger::Replay], "each of a batch by its own");
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - batch.iter().map(|item| self.redeliver(*item, now)).collect();
// + batch.iter().rev().map(|item| self.redeliver(*item, now)).collect();
pub async fn each_redelivery_of_a_batch_gets_its_own_answer<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let failed = fixture.failed().await;
    let (tracked, event) = fixture.tracked_record().await;
    let unknown = DeliveryId::new(event, failed.endpoint);
    let pending = fixture.pending(failed.endpoint).await;
    let batch = [unknown, tracked, pending, failed].map(Redeliver::new);
    let expected = [
        Redelivered::NotFound,
        Redelivered::Tracked,
        Redelivered::Unchanged(DeliveryStatus::Pending),
        Redelivered::Done,
    ];
    assert_eq!(fixture.redeliver_all(batch.into()).await, expected, "in the order of the batch");
    assert_eq!(fixture.claim().await.len(), 2, "a tracked delivery is never claimed");
    assert!(fixture.redeliver_all(vec![]).await.is_empty(), "nothing is answered with nothing");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - epoch: self.epoch.next(),
pub async fn an_attempt_that_outlives_its_cancelling_loses_to_the_redelivery<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let late = fixture.claim_one().await;
    fixture.cancel(id).await;
    fixture.redeliver(id).await;
    assert_eq!(fixture.finish(success(&late)).await, Finished::LeaseLost, "somebody began anew");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Pending, "what is new stays");
    let claim = fixture.claim_one().await;
    assert!(claim.lease.epoch > late.lease.epoch, "under an epoch of its own");
    assert_eq!(fixture.release(late.lease).await, Finished::LeaseLost, "late for ever");
    assert_eq!((claim.progress.attempt, claim.recorded), (2, 0), "attempt 1 was lost");
    assert!(
        claim.previous_claim_at > Some(Timestamp::default()),
        "and when it was claimed is told"
    );
}

// Catches in webhook-testkit/src/memory/claim.rs:
// - let recorded = u32::try_from(row.records.len()).unwrap_or(u32::MAX);
// + let recorded = row.state.attempts - 1;
pub async fn a_redelivery_tells_what_was_lost_before_the_cancelling<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    // Attempt 1 is lost, attempt 2 is not made.
    fixture.claim_one().await;
    fixture.advance(DEFAULT_LEASE).await;
    let claim = fixture.claim_one().await;
    fixture.cancel(id).await;
    fixture.release(claim.lease).await;
    fixture.redeliver(id).await;
    let claim = fixture.claim_one().await;
    assert_eq!((claim.progress.attempt, claim.recorded), (2, 0), "attempt 1 is not on record");
}
